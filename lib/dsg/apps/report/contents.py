"""What a run's folder holds of itself, read for its report; what is absent or damaged is left out."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsg.apps.snapshot_choice import RESULTS, TABLE
from dsg.config import options, without_net
from dsg.config.yaml_text import GivenTwice, NotYaml, parse
from dsg.engine.session import read_sessions
from dsg.engine.snapshots import load_meta
from dsg.errors import UserError
from dsg.visualize.curves import read_history
from dsg.visualize.iou_curves import CURVES

ANSWERS, GRAPHS = 4, 2  # pictures of each kind that are shown
DEEPEST = 5  # groups of options in one another


@dataclass(frozen=True)
class Tested:
    """A test of one of the run's snapshots."""

    name: str  # <snapshot>, or <snapshot>/<split>
    results: dict[str, Any]  # see `EvaluationResults.to_json`
    table: str
    curves: Path
    pictures: tuple[Path, ...]  # some of the answers, then some scene graphs


@dataclass(frozen=True)
class RunFiles:
    """A run as its folder tells it."""

    folder: Path
    sessions: list[dict[str, Any]]
    config: dict[str, Any]  # every option by upper-case name
    history: list[dict[str, Any]]
    best_epoch: int | None
    curves: Path
    tests: list[Tested]

    @property
    def title(self) -> str:
        """Network, data set and name, as the folder has them."""
        path = self.folder.resolve()
        return f"{path.parent.parent.name} on {path.parent.name.removesuffix('_train')}: {path.name}"

    def changed_options(self) -> list[tuple[str, Any, Any]]:
        """Name, value and default of every option that is not at its default."""
        defaults = {name: _plain(item.default) for name, item in options().items()}
        return [
            (name, value, defaults.get(name))
            for name, value in self.config.items()
            if name not in defaults or _plain(value) != defaults[name]
        ]


def read_run(folder: Path) -> RunFiles:
    """Everything that the report shows.

    Raises:
        UserError: the history is there and cannot be read.
    """
    history = folder / "history.jsonl"
    return RunFiles(
        folder=folder,
        sessions=read_sessions(folder),
        config=_read_config(folder / "config.yml"),
        history=read_history(history) if history.exists() else [],
        best_epoch=_best_epoch(folder),
        curves=folder / "curves.png",
        tests=list(_read_tests(folder / "test")),
    )


def run_of_test(folder: Path) -> Path | None:
    """The run's folder of `<run>/test/<snapshot>` or `<run>/test/<snapshot>/<split>`, None of others."""
    for test in (folder.parent, folder.parent.parent):
        if test.name == "test":
            return test.parent
    return None


def _read_tests(folder: Path) -> Iterator[Tested]:
    """All tests, the best snapshot's first (its name ends with 0), splits other than test below it."""
    found = [*folder.glob(f"*/{RESULTS}"), *folder.glob(f"*/*/{RESULTS}")]
    for path in sorted(found, key=lambda path: (len(path.parts), len(str(path)), path)):
        try:
            results = json.loads(path.read_text(encoding="utf-8"))
            table = (path.parent / TABLE).read_text(encoding="utf-8", errors="replace")
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(results, dict):
            name = path.parent.relative_to(folder).as_posix()
            yield Tested(name, results, table, path.parent / CURVES, _pictures(path.parent / "pictures"))


def _pictures(folder: Path) -> tuple[Path, ...]:
    """The first answers (boxes, maps or detections), then the first scene graphs."""
    kinds = ("answers", "maps", "detections")
    answers = sorted(path for kind in kinds for path in folder.glob(f"*_{kind}.png"))
    return (*answers[:ANSWERS], *sorted(folder.glob("*_graph.png"))[:GRAPHS])


def _best_epoch(folder: Path) -> int | None:
    """The epoch of the best snapshot, which knows it."""
    for path in sorted(folder.glob("*_iter_0.npz")):
        try:
            return load_meta(path).epoch
        except UserError:
            continue
    return None


def _read_config(path: Path) -> dict[str, Any]:
    """The values of a run's config.yml, unchecked: it may be of another version."""
    try:
        tree = parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, NotYaml, GivenTwice):
        return {}
    values = dict(_flatten(tree, "")) if isinstance(tree, dict) else {}
    with contextlib.suppress(UserError):
        return without_net(values)
    return values


def _flatten(tree: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and prefix.count(".") < DEEPEST:  # a group may hold itself
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _plain(value: Any) -> Any:
    """A value as YAML writes it."""
    return list(value) if isinstance(value, (list, tuple)) else value
