"""Which runs of a table are finished, what they took, and how long the rest may take."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dsg.apps.tables.plan import PlannedRun
from dsg.config import Config, automatic, flatten, stored_values
from dsg.errors import UserError
from dsg.runtime.files import write_text

# To results; WEIGHTS are those that training began with.
NO_MATTER = ("DATA.DIR", "DATA.WORKERS", "WEIGHTS", "TEST.PICTURES", "TEST.IMS_PER_BATCH")


@dataclass(frozen=True)
class Entry:
    """What is known of a run that was begun."""

    options: dict[str, Any]  # that are not as they are by default, from files of the net or given
    seconds: float  # in all, interruptions left out
    finished: bool


class Account:
    """The runs that a table has begun, kept in a file beside the tables.

    Args:
        path: of the file, whose folder exists; one that cannot be read counts as absent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, Entry] = {}
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            self._entries = {
                key: Entry(dict(one["options"]), float(one["seconds"]), bool(one["finished"]))
                for key, one in stored.items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError):
            pass

    def finished(self, run: PlannedRun) -> bool:
        """Whether a run with these options has been finished and its results are there."""
        entry = self._entries.get(_key(run))
        known = entry is not None and entry.finished and _same_options(entry, run)
        if run.needs is not None and not self.finished(run.needs):
            return False
        return known and run.results.is_file() and _tested_as_asked(run)

    def seconds(self, run: PlannedRun) -> float:
        """What a run has taken so far."""
        entry = self._entries.get(_key(run))
        return entry.seconds if entry else 0.0

    def add(self, run: PlannedRun, seconds: float, finished: bool) -> None:
        """A run was worked on for so long.

        Raises:
            UserError: if that cannot be written down.
        """
        before = self.seconds(run)
        self._entries[_key(run)] = Entry(_options(run), before + seconds, finished)
        stored = {key: asdict(entry) for key, entry in self._entries.items()}
        write_text(self._path, json.dumps(stored, indent=1) + "\n")


def epochs_done(run: PlannedRun) -> int:
    """Epochs that the run's history tells of."""
    try:
        return (run.folder / "history.jsonl").read_text(encoding="utf-8").count("\n")
    except OSError:
        return 0


def check_epochs(runs: Sequence[PlannedRun]) -> None:
    """A table of fewer epochs must not show what more of them brought.

    Raises:
        UserError: a run has been trained for more epochs than are requested now.
    """
    for run in runs:
        done, asked = epochs_done(run), run.epochs
        if done > asked:
            raise UserError(
                f"{run.folder}: trained for {done} epochs, but {asked} are requested "
                f"({run.row.key}:TRAIN.EPOCHS): give another --tag for shorter runs, or move this one away"
            )


def time_left(
    runs: Sequence[PlannedRun],
    finished: Mapping[int, float],
    current: tuple[int, float, int, int] | None = None,
) -> float | None:
    """Seconds that the rest of the table may take; None while nothing is known.

    An epoch of a run that has not begun takes what it took in a finished run of the same row, else of the
    same kind, else of any.

    Args:
        runs: all of the table.
        finished: seconds of finished runs by position; 0 where unknown.
        current: position, seconds so far, epochs since then, and epochs before, of the run in progress.
    """
    per_epoch: dict[int, float] = {
        place: seconds / runs[place].epochs
        for place, seconds in finished.items()
        if seconds and runs[place].epochs
    }
    if current is not None and current[2]:
        per_epoch[current[0]] = current[1] / current[2]
    left = 0.0
    for place, run in enumerate(runs):
        if place in finished:
            continue
        epochs = run.epochs
        if current is not None and place == current[0]:
            epochs -= current[2] + current[3]
        measured = [
            [seconds for other, seconds in per_epoch.items() if same(runs[other])]
            for same in (
                lambda other, run=run: other is run,
                lambda other, run=run: other.row is run.row,
                lambda other, run=run: other.row.kind == run.row.kind,
                lambda other: True,
            )
        ]
        best = next((several for several in measured if several), None)
        if best is None:
            return None
        left += max(epochs, 0) * sum(best) / len(best)
    return left


def _key(run: PlannedRun) -> str:
    return f"{run.net}/{run.name}"


def _tested_as_asked(run: PlannedRun) -> bool:
    """Whether the results are of this configuration; a test by hand, with other options, replaces them."""
    try:
        stored = json.loads(json.loads(run.results.read_text(encoding="utf-8"))["fingerprint"])["config"]
        tested, asked = stored_values(stored), json.loads(json.dumps(flatten(run.config)))
        free = {*NO_MATTER, *automatic(run.config)}  # what training chose is as it was asked for
        return all(asked[name] == value for name, value in tested.items() if name not in free)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, UserError, RecursionError):
        return True  # what is wrong with the file is said when it is read


def _same_options(entry: Entry, run: PlannedRun) -> bool:
    """Whether a run was begun with the options that are requested, whatever version wrote that down."""
    try:
        begun = stored_values(entry.options)
    except UserError:
        return False
    defaults = json.loads(json.dumps(flatten(Config())))
    return {**defaults, **begun} == {**defaults, **_options(run)}


def _options(run: PlannedRun) -> dict[str, Any]:
    """As JSON has them; where the data lie is no matter, nor where the run that it starts from."""
    defaults = flatten(Config())
    changed = {name: value for name, value in flatten(run.config).items() if value != defaults[name]}
    changed.pop("DATA.DIR", None)
    if run.needs is not None:
        changed.pop("WEIGHTS", None)
    return json.loads(json.dumps(changed))
