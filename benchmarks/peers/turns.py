"""Both sides of a case at work: two processes that take turns."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.peers.settings import BFLOAT16, Case, PeerSettings
from benchmarks.run import job_environment

LIBRARY, TORCHVISION = "library", "torchvision"
ALIKE = {"share": 0.95, "score": 2e-3, "overlap": 0.99}
"""In float32: of the detections so many must have a counterpart of the same class, with as near a score and
as large an overlap. Rounding decides about boxes at a threshold."""
LOSSES = 0.3  # relative difference: the two draw other regions


class Program(NamedTuple):
    """What a side is: `contender` of a module, run by an interpreter."""

    python: str
    module: str


Programs = Mapping[str, Program]  # by the name of the side


class Side:
    """A process of `benchmarks.peers.side`."""

    def __init__(self, name: str, program: Program, case: Case, settings: PeerSettings, folder: Path) -> None:
        self.name, self._log = name, folder / f"{name}.log"
        words = [program.module, case.name, settings.to_json(), str(folder)]
        with open(self._log, "w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [program.python, "-m", "benchmarks.peers.side", *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=job_environment(),
            )

    def ask(self, command: str) -> dict[str, Any]:
        """The answer to a command.

        Raises:
            RuntimeError: the process failed; the message ends with what it said.
        """
        assert self._process.stdin and self._process.stdout
        line = ""
        if self._process.poll() is None:
            self._process.stdin.write(f"{command}\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            said = self._log.read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"the side {self.name} failed:\n{said}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process; it has nothing left to do."""
        self._process.kill()
        self._process.communicate()


def run_case(case: Case, settings: PeerSettings, programs: Programs, folder: Path) -> dict[str, Any]:
    """Times of both sides by name, how alike they are, and what each found.

    Raises:
        AssertionError: they do not compute the same; nothing was timed.
        RuntimeError: a side failed.
    """
    sides: list[Side] = []
    first: dict[str, Any] = {}
    try:
        for name in (TORCHVISION, LIBRARY):  # the second reads the weights that the first one writes
            sides.append(Side(name, programs[name], case, settings, folder))
            first[name] = sides[-1].ask(f"compare {folder / name}.npz")
        agreement = _compare(case, folder)
        times = take_turns(sides, settings.warm_up, settings.steps if case.step else settings.repeats)
        report: dict[str, Any] = {"agreement": agreement}
        for side in sides:
            report[side.name] = {**first[side.name], **times[side.name], **side.ask("state")}
        if not case.step:
            demand_equal_numbers(report)
        return report
    finally:
        for side in sides:
            side.close()


def take_turns(sides: Sequence[Side], warm_up: int, repeats: int) -> dict[str, dict[str, Any]]:
    """Medians by the name of the side; the first `warm_up` turns do not count."""
    answers: dict[str, list[dict[str, Any]]] = {side.name: [] for side in sides}
    for turn in range(warm_up + repeats):
        for side in sides:
            answer = side.ask("run")
            if turn >= warm_up:
                answers[side.name].append(answer)
    return {
        name: {
            "seconds": statistics.median(answer["seconds"] for answer in own),
            "processor_seconds": statistics.median(answer["processor_seconds"] for answer in own),
            "runs": len(own),
            "found": own[-1]["found"],
        }
        for name, own in answers.items()
    }


def demand_equal_numbers(report: Mapping[str, Any]) -> None:
    """See that both sides found as much in the picture that is timed.

    Raises:
        AssertionError: they did not.
    """
    ours, theirs = (report[name]["found"] for name in (LIBRARY, TORCHVISION))
    if ours != theirs:
        raise AssertionError(f"the library detects {ours} objects, torchvision {theirs}")


def _compare(case: Case, folder: Path) -> float:
    found = {}
    for name in (LIBRARY, TORCHVISION):
        with np.load(folder / f"{name}.npz") as file:
            found[name] = dict(file)
    if case.step:
        return alike_losses(*(float(found[name]["loss"]) for name in (LIBRARY, TORCHVISION)))
    share = share_alike(found[LIBRARY], found[TORCHVISION])
    if case.precision != BFLOAT16 and share < ALIKE["share"]:
        raise AssertionError(f"only {share:.0%} of torchvision's detections are the library's, too")
    return share


def alike_losses(ours: float, theirs: float) -> float:
    """Their relative difference.

    Raises:
        AssertionError: it is larger than different draws explain.
    """
    difference = abs(ours - theirs) / theirs
    if not difference < LOSSES:
        raise AssertionError(f"the library's loss is {ours:.3f}, torchvision's {theirs:.3f}")
    return difference


def share_alike(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> float:
    """The share of their detections that have a counterpart among ours: see `ALIKE`; 0 if one side has none.

    Args:
        ours: boxes [D, 4], classes [D], scores [D], and maybe masks bool [D, H, W].
        theirs: as well.
    """
    if not len(ours["scores"]) or not len(theirs["scores"]):
        return 0.0
    low = np.maximum(theirs["boxes"][:, None, :2], ours["boxes"][None, :, :2])
    high = np.minimum(theirs["boxes"][:, None, 2:], ours["boxes"][None, :, 2:])
    common = np.clip(high - low, 0, None).prod(-1)
    areas = [
        np.clip(side["boxes"][:, 2:] - side["boxes"][:, :2], 0, None).prod(-1) for side in (theirs, ours)
    ]
    overlap = common / np.maximum(areas[0][:, None] + areas[1][None] - common, 1e-9)
    alike = (overlap >= ALIKE["overlap"]) & (theirs["classes"][:, None] == ours["classes"])
    alike &= np.abs(theirs["scores"][:, None] - ours["scores"]) < ALIKE["score"]
    if "masks" in theirs:
        flat = [side["masks"].reshape(len(side["masks"]), -1).astype(np.float32) for side in (theirs, ours)]
        both = flat[0] @ flat[1].T
        union = flat[0].sum(1)[:, None] + flat[1].sum(1) - both
        alike &= both >= ALIKE["overlap"] * union
    longer = max(len(ours["scores"]), len(theirs["scores"]))
    return float(alike.any(1).sum() / longer)
