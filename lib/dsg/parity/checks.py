"""Comparing arrays with a golden file, and keeping account: what was compared, how far off, and what nobody
looked at.

The error of a whole array is e = max|a - b| / max|reference|. A large tensor T is stored in parts: a
subsample `T.sub` with its steps, its shape, and means and deviations over the full tensor; all that is there
is compared.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from dsg.parity.golden import Golden
from dsg.runtime.arrays import NUMBERS


@dataclass(frozen=True)
class Tolerance:
    """How far off a value may be: `limit` on the error that `kind` names, or `absolute` on the largest
    absolute error.
    """

    kind: str  # 'exact', 'relative' (e), 'absolute', 'l2' (|a - b| / |reference|, euclidean)
    limit: float = 0.0
    absolute: float = -1.0  # a second way to pass: largest absolute error

    def __str__(self) -> str:
        if self.kind == "exact":
            return "exact"
        text = f"{self.limit:.0e}" + {"relative": "", "absolute": " abs", "l2": " l2"}[self.kind]
        return text if self.absolute < 0 else f"{text} or {self.absolute:.0e} abs"


EXACT = Tolerance("exact")
STATISTICS = 5e-5
# Keys of what goes in, though it may be compared, too: prepared inputs, and variables before a step.
INPUT = re.compile(r"(input|in|before|shape)/|all_trainable$|[^/]+/variables$")
_STATISTIC_NAMES = ("mean", "std", "channel_mean", "row_mean")


@dataclass(frozen=True)
class Row:
    """One comparison."""

    key: str
    group: str  # rows of a group share a line of the printed table
    absolute: float  # largest absolute error
    error: float  # the error that the tolerance is about
    tolerance: str
    ok: bool
    note: str = ""


class Checks:
    """The comparisons of one golden file.

    Example:
        >>> from pathlib import Path
        >>> checks = Checks(Golden(Path("head.npz"), {"head": np.float32([1, 2])}))
        >>> checks.compare("head", np.float32([1, 2.00001]), Tolerance("relative", 2e-5))
        >>> checks.ok
        True
    """

    def __init__(self, golden: Golden) -> None:
        self.golden = golden
        self.rows: list[Row] = []
        self.notes: dict[str, str] = {}  # key -> why it is not compared
        self._seen: set[str] = set()

    @property
    def ok(self) -> bool:
        """Whether every comparison so far holds; there must be one of a result."""
        return self.any_result and all(row.ok for row in self.rows)

    @property
    def any_result(self) -> bool:
        """Whether anything that the library computes was compared; that the inputs are the same says
        nothing.
        """
        return any(not INPUT.match(row.key) for row in self.rows)

    def given(self, *patterns: str) -> None:
        """Declares keys that match a regular expression as inputs: read, not compared."""
        self._seen.update(key for key in self.golden for pattern in patterns if re.fullmatch(pattern, key))

    def skip(self, pattern: str, reason: str) -> None:
        """Declares keys that match a regular expression as rightly not compared."""
        for key in self.golden:
            if key not in self._seen and re.fullmatch(pattern, key):
                self._seen.add(key)
                self.notes[key] = reason

    def has(self, key: str) -> bool:
        """Whether the file holds `key`, whole or in parts."""
        return any(f"{key}{part}" in self.golden for part in ("", ".sub", ".mean", ".row_mean", ".shape"))

    def compare(
        self, key: str, ours: Any, tolerance: Tolerance, group: str = "", reference: Any = None
    ) -> None:
        """Compares `ours` with all that the file holds of `key`.

        `reference` replaces the array stored under `key`, where that needs to be brought into our form.
        """
        if not self.has(key):
            return
        full = np.asarray(ours)
        golden, parts = self.golden, len(self.rows)
        if key in golden:
            self._seen.add(key)
            self._add(key, group, full, golden[key] if reference is None else reference, tolerance)
        if f"{key}.shape" in golden:
            self._seen.add(f"{key}.shape")
            if not np.array_equal(golden[f"{key}.shape"], full.shape):
                self._add(f"{key}.shape", "", np.array(full.shape), golden[f"{key}.shape"], EXACT)
        if f"{key}.sub" in golden:
            self._seen.update((f"{key}.sub", f"{key}.sub_steps"))
            steps = golden.array(f"{key}.sub_steps", full.ndim, low=1, whole=True, empty=True)
            sub = full[tuple(slice(None, None, int(step)) for step in steps)]
            self._add(key, group, sub, golden[f"{key}.sub"], tolerance)
        for name in _STATISTIC_NAMES:
            if f"{key}.{name}" in golden:
                self._statistic(key, name, full, tolerance)
        assert len(self.rows) > parts or f"{key}.shape" in golden

    def compare_value(
        self, key: str, ours: Any, reference: Any, tolerance: Tolerance, group: str = ""
    ) -> None:
        """Compares two values of which the reference is not stored under a key of its own."""
        self._add(key, group, np.asarray(ours), np.asarray(reference), tolerance)

    def fail(self, key: str, reason: str) -> None:
        """A row that does not hold."""
        self._seen.add(key)
        self.rows.append(Row(key, "", math.nan, math.nan, "", False, reason))

    def finish(self) -> Checks:
        """Accounts for every key that nobody looked at: an unknown input is noted, an unknown result does not
        hold.
        """
        for key in sorted(set(self.golden) - self._seen):
            if key.startswith("input/"):
                self.notes[key] = "an unknown input, ignored"
            else:
                self.fail(key, "not compared: the library has no stage of this name")
        return self

    def _statistic(self, key: str, name: str, full: np.ndarray, tolerance: Tolerance) -> None:
        stored = f"{key}.{name}"
        self._seen.add(stored)
        if full.size == 0:
            return
        wide = full.astype(np.float64)
        axes = {
            "mean": None,
            "std": None,
            "channel_mean": tuple(range(full.ndim - 1)),
            "row_mean": tuple(range(1, full.ndim)),
        }
        ours = wide.std() if name == "std" else wide.mean(axes[name])
        # The rounding of a mean goes with the size of what is averaged, and the mean itself may be near zero.
        spread = self.golden.get(f"{key}.std", np.zeros(()))
        floor = float(spread.reshape(-1)[0]) if spread.size == 1 and spread.dtype.kind in NUMBERS else 0.0
        allowed = tolerance if tolerance.kind == "absolute" else Tolerance("relative", STATISTICS)
        self._add(stored, f"{key}: mean, std ...", ours, self.golden[stored], allowed, floor)

    def _add(
        self,
        key: str,
        group: str,
        ours: np.ndarray,
        reference: np.ndarray,
        tolerance: Tolerance,
        floor: float = 0.0,
    ) -> None:
        ours, reference = np.asarray(ours), np.asarray(reference)
        if ours.size == reference.size == 1:
            ours = ours.reshape(reference.shape)
        group = group or re.sub(r"(^|(?<=/))\d+(?=/)", "*", key)
        note = _unlike(ours, reference)
        if note:
            self.rows.append(Row(key, group, math.nan, math.nan, str(tolerance), False, note))
            return
        absolute, error, differing = difference(ours, reference, tolerance.kind, floor)
        ok = (
            differing == 0
            if tolerance.kind == "exact"
            else error <= tolerance.limit or absolute <= tolerance.absolute
        )
        note = f"{differing} of {ours.size} differ" if not ok and tolerance.kind == "exact" else ""
        self.rows.append(Row(key, group, absolute, error, str(tolerance), bool(ok), note))


def _unlike(ours: np.ndarray, reference: np.ndarray) -> str:
    """Why two arrays cannot be compared entry by entry; empty if they can."""
    if ours.shape != reference.shape:
        return f"shape {list(ours.shape)}, reference {list(reference.shape)}"
    kinds = [one.dtype.kind for one in (ours, reference)]
    if all(kind in NUMBERS for kind in kinds) or kinds == ["U", "U"]:
        return ""
    return f"type {ours.dtype}, reference {reference.dtype}"


def difference(
    ours: np.ndarray, reference: np.ndarray, kind: str, floor: float = 0.0
) -> tuple[float, float, int]:
    """Largest absolute error, the error that `kind` names, and the number of entries that are not equal; nan
    where one is nan.

    `floor` is the least size that errors are related to.
    """
    differing = int(np.sum(ours != reference))
    if ours.size == 0:
        return 0.0, 0.0, differing
    if ours.dtype.kind not in NUMBERS or reference.dtype.kind not in NUMBERS:
        return math.nan, math.nan, differing
    delta = np.abs(ours.astype(np.float64) - reference.astype(np.float64))
    absolute = float(delta.max())
    if kind == "absolute":
        return absolute, absolute, differing
    wide = np.abs(reference.astype(np.float64))
    size, distance = (
        (np.linalg.norm(wide), np.linalg.norm(delta)) if kind == "l2" else (wide.max(), delta.max())
    )
    size = max(float(size), floor)
    if distance == 0:
        return absolute, 0.0, differing
    return absolute, float(distance / size) if size > 0 else math.inf, differing
