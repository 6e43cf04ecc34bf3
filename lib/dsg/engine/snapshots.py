"""One training state in one file: `<name>_iter_N.npz`, plain arrays by our own names, no pickle.

Entries are `variables/<name>`, `slots/<name>` (the optimiser's, absent in the best snapshot) and `meta`, a
JSON text: how far training got, the scores so far, the configuration and the vocabulary. A file appears whole
or not at all: it is written under a temporary name, flushed to the disk and renamed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from dsg.errors import UserError, some_of
from dsg.runtime.arrays import DAMAGE, open_archive, read_array, reason_of
from dsg.runtime.files import replacing
from dsg.runtime.weight_files import (
    CHECKPOINT,
    PRETRAINED,
    PYTORCH,
    TORCH,
    find_weights,
    foreign_format,
)

FORMAT_VERSION = 1
VARIABLES, SLOTS, META = "variables/", "slots/", "meta"
TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float | None": (float, int, type(None)),
    "str": (str,),
    "dict[str, Any]": (dict,),
    "list[str]": (list,),
    "list[dict[str, Any]]": (list,),
}
ITEMS: dict[str, type] = {"list[str]": str, "list[dict[str, Any]]": dict}
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # full disk, quota used up, size limit of the shell


@dataclass(frozen=True)
class Meta:
    """What a snapshot says about itself."""

    net: str
    epoch: int  # finished epochs
    step: int  # steps done over the whole run
    epoch_step: int = 0  # steps done in the epoch that follows; 0 at an epoch's end
    epoch_state: dict[str, Any] = field(default_factory=dict)  # sums over the steps of the unfinished epoch
    best_score: float | None = None
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)  # one entry a finished epoch
    seed: int = 0
    config: dict[str, Any] = field(default_factory=dict)  # every option by upper-case name
    automatic: dict[str, Any] = field(default_factory=dict)  # options whose values were chosen: auto:N
    dataset: str = ""
    records: int = 0  # of the training split
    data: dict[str, Any] = field(default_factory=dict)  # by split, checksums of what its records say
    images_per_step: int = 0  # on all devices together
    objects: list[str] = field(default_factory=list)
    predicates: list[str] = field(default_factory=list)
    mask_objects: list[str] = field(default_factory=list)  # categories of the data set with masks, if any
    version: str = ""  # of the library
    format: int = FORMAT_VERSION


@dataclass(frozen=True)
class Snapshot:
    """A snapshot as read from its file: arrays by name."""

    path: Path
    variables: dict[str, np.ndarray]
    slots: dict[str, np.ndarray]
    meta: Meta


def save_snapshot(path: Path, variables: Mapping[str, Any], slots: Mapping[str, Any], meta: Meta) -> None:
    """Write a snapshot; `variables` and `slots` hold arrays or anything with `.numpy()`.

    Raises:
        UserError: if the disk is full or the folder cannot be written; what was there before is untouched.
    """
    arrays = {VARIABLES + name: value for name, value in variables.items()}
    arrays.update({SLOTS + name: value for name, value in slots.items()})
    try:
        with replacing(path, alone=True, durable=True) as temporary, open(temporary, "wb") as stream:
            _write_arrays(stream, arrays, asdict(meta))
    except OSError as error:
        remedy = "make room" if error.errno in FULL else "mend that"
        raise UserError(
            f"{path}: cannot save the snapshot ({error.strerror or error}); earlier snapshots are intact: "
            f"{remedy}, then run the same command again to resume from the last one"
        ) from error


def load_snapshot(path: Path) -> Snapshot:
    """Read a snapshot and check it is whole. The path may be that of a run's folder, for its best one.

    Raises:
        UserError: if the file is absent, truncated, damaged or something other than a snapshot.
    """
    variables: dict[str, np.ndarray] = {}
    slots: dict[str, np.ndarray] = {}
    path = snapshot_file(path)
    with _reading(path) as archive:
        meta = _read_meta(path, archive)
        for entry in archive.namelist():
            name = entry[: -len(".npy")]
            if name.startswith(VARIABLES):
                variables[name[len(VARIABLES) :]] = read_array(archive, entry)
            elif name.startswith(SLOTS):
                slots[name[len(SLOTS) :]] = read_array(archive, entry)
    return Snapshot(path, variables, slots, meta)


def holds_snapshot(path: Path) -> bool:
    """Whether an archive is a snapshot rather than one of arrays alone, as far as it can be read."""
    try:
        with open_archive(path) as archive:
            return META + ".npy" in archive.namelist()
    except DAMAGE:
        return False


def load_meta(path: Path) -> Meta:
    """Only the description of a snapshot, quickly: whether the arrays are whole is not checked.

    Raises:
        UserError: if the file is absent, or its description damaged or of other types than `Meta`.
    """
    path = snapshot_file(path)
    with _reading(path) as archive:
        return _read_meta(path, archive)


def snapshot_file(path: Path) -> Path:
    """The file of a snapshot: the path itself, or the best one of the run whose folder it is.

    Raises:
        UserError: it is something else, which the message names, or absent.
    """
    if path.is_file() and not foreign_format(path):
        return path
    found = find_weights(path)
    if found.kind == CHECKPOINT:
        raise UserError(
            f"{path}: a TensorFlow 1 checkpoint, not a snapshot (.npz); WEIGHTS FILE starts training from "
            f"it, and the released one is tested as {PRETRAINED}"
        )
    if found.kind == TORCH:
        raise UserError(f"{path}: {PYTORCH}, not a snapshot (.npz); WEIGHTS FILE starts training from it")
    return found.path


def assign(path: Path, kind: str, saved: Mapping[str, np.ndarray], wanted: Mapping[str, Any]) -> None:
    """Give each variable in `wanted` the saved array of its name: exactly these names, exactly these shapes.

    Args:
        path: the snapshot's file, for the message.
        kind: what they are, for the message, such as 'variables'.

    Raises:
        UserError: naming some of the differences; then nothing has been assigned.
    """
    problems = mismatches(
        {name: value.shape for name, value in saved.items()},
        {name: tuple(variable.shape) for name, variable in wanted.items()},
    )
    if problems:
        raise UserError(
            f"{path}: a snapshot of another network, {len(problems)} {kind} differ: {some_of(problems)}; "
            "give the network and the options that it was trained with"
        )
    for name, variable in wanted.items():
        variable.assign(saved[name])


def restore(saved: Snapshot, model: Any, slots: Mapping[str, Any] | None = None) -> None:
    """Give a model (any with `named_variables()`) its saved variables, and `slots`, by name, theirs.

    Raises:
        UserError: if names or shapes differ.
    """
    assign(saved.path, "variables", saved.variables, model.named_variables())
    if slots is not None:
        assign(saved.path, "optimiser slots", saved.slots, slots)


def mismatches(saved: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]) -> list[str]:
    """One phrase for each name that is missing, superfluous or of another shape."""
    problems = [
        f"{name} is {list(saved[name])} in the file, {list(shape)} in the network"
        for name, shape in wanted.items()
        if name in saved and saved[name] != shape
    ]
    problems += [f"{name} is missing in the file" for name in wanted if name not in saved]
    return problems + [f"{name} is not in the network" for name in saved if name not in wanted]


def check_vocabulary(
    path: Path,
    meta: Meta,
    objects: Sequence[str],
    predicates: Sequence[str],
    mask_objects: Sequence[str] | None = None,
) -> None:
    """Raise `UserError` unless a snapshot was trained with exactly these categories and predicates, and
    `mask_objects` if they are given.
    """
    kinds = [
        ("categories", meta.objects, list(objects)),
        ("predicates", meta.predicates, list(predicates)),
    ]
    if mask_objects is not None:
        kinds.append(("categories of masks", meta.mask_objects, list(mask_objects)))
    for kind, known, given in kinds:
        if known != given:
            where = next((i for i, pair in enumerate(zip(known, given)) if pair[0] != pair[1]), None)
            detail = f"{len(known)}, here {len(given)}"
            if where is not None:
                detail = f"number {where} is {known[where]!r}, here {given[where]!r}"
            raise UserError(
                f"{path}: trained on {meta.dataset or 'another data set'} with other {kind} ({detail}); "
                "give the data set that it was trained on"
            )


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive at `path`; whatever is wrong with its content becomes one line."""
    try:
        with open_archive(path) as archive:
            yield archive
    except FileNotFoundError:
        raise UserError(f"{path}: no such snapshot") from None
    except DAMAGE as error:
        raise UserError(
            f"{path}: damaged, truncated or not a snapshot ({reason_of(error)}); use another one of the run, "
            "or copy it again"
        ) from error


def _read_meta(path: Path, archive: zipfile.ZipFile) -> Meta:
    given = json.loads(str(read_array(archive, META + ".npy", kinds="U")))
    if given.get("format") != FORMAT_VERSION:
        raise UserError(f"{path}: written by another version of this program (format {given.get('format')})")
    known = {item.name: str(item.type) for item in fields(Meta)}
    values = {name: value for name, value in given.items() if name in known}
    for name, value in values.items():
        _check_type(name, known[name], value)
    _check_state(values.get("epoch_state", {}))
    return Meta(**values)


def _check_type(name: str, kind: str, value: Any) -> None:
    """Raise `ValueError` unless a value from the JSON text is of the type that `Meta` names."""
    items = value if kind in ITEMS and isinstance(value, list) else ()
    if type(value) not in TYPES[kind] or any(type(item) is not ITEMS[kind] for item in items):
        raise ValueError(f"{name} is {json.dumps(value)[:40]}, not {kind}")


def _check_state(state: Mapping[str, Any]) -> None:
    """Raise `ValueError` unless an unfinished epoch is numbers, sums of them by name, and names of images."""
    sums, names = state.get("sums", {}), state.get("unreadable", [])
    numbers = [value for name, value in state.items() if name not in ("sums", "unreadable")]
    if not isinstance(sums, dict) or any(type(one) not in (int, float) for one in [*numbers, *sums.values()]):
        raise ValueError(f"epoch_state is {json.dumps(state)[:40]}, not of numbers")
    if not isinstance(names, list) or any(type(one) is not str for one in names):
        raise ValueError(f"epoch_state is {json.dumps(state)[:40]}, its unreadable no names")


def _write_arrays(stream: Any, arrays: Mapping[str, Any], meta: dict[str, Any]) -> None:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        # The description comes first: it is read alone when a run looks for a snapshot to resume from.
        for name, value in {META: np.array(json.dumps(meta)), **arrays}.items():
            array = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
            with archive.open(name + ".npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
