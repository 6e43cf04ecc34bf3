"""What is killed: a command, the moments that are worth it, and what it leaves in the end."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from crash.process import Moment, View

Content = dict[str, str]  # name of a file, or of something in it -> digest
Moments = Callable[[random.Random, float], Moment]  # from the seconds that an undisturbed run takes
TIMES = ("seconds", "images_per_second")  # of an epoch's entry in a history


@dataclass(frozen=True)
class Subject:
    """One command."""

    name: str
    prepare: Callable[[Path, Path], None]  # puts what the command reads into the first folder
    words: Callable[
        [Path, Path], Sequence[str]
    ]  # of `python -m dsg`, reading there and writing to the second
    moments: Sequence[Moments]
    content: Callable[[Path], Content]  # what it leaves
    megabytes: int = 0  # of a disk that holds all it writes; 0: its disk is not filled
    environment: Callable[[Path], dict[str, str]] = field(default=lambda folder: {})


def at_random(begun: Callable[[View], bool], name: str = "at random") -> Moments:
    """Any moment of the run behind the one at which it has begun."""

    def chosen(rng: random.Random, seconds: float) -> Moment:
        when = rng.uniform(0, seconds)
        return Moment(name, lambda view: view.seconds >= when and begun(view))

    return chosen


def while_there(name: str, pattern: str, place: str = ".") -> Moments:
    """While a file is there, or a folder, whose name matches."""
    wanted = re.compile(pattern)
    return at(name, lambda view: any(map(wanted.fullmatch, view.names(place))))


def at(name: str, reached: Callable[[View], bool]) -> Moments:
    """A moment that has nothing random."""
    return lambda rng, seconds: Moment(name, reached)


def files_below(folder: Path, but: str = r"(?!)") -> Content:
    """Digests of all files and links in a folder, without those whose path matches `but`."""
    content: Content = {}
    for parent, folders, names in os.walk(folder):
        for name in [*names, *(one for one in folders if not os.listdir(Path(parent) / one))]:
            path = Path(parent) / name
            key = path.relative_to(folder).as_posix()
            if not re.fullmatch(but, key):
                content[key] = digest(path.read_bytes()) if path.is_file() else "folder"
    return content


def digest(content: bytes) -> str:
    """A checksum."""
    return hashlib.sha256(content).hexdigest()


def snapshot_content(path: Path) -> Content:
    """Digests of all arrays of a snapshot, bit for bit, and of what it says of the run without its times."""
    content: Content = {}
    with np.load(path, allow_pickle=False) as archive:
        for name in archive.files:
            array = archive[name]
            if name == "meta":
                told = without_times(json.loads(str(array)))
                content[f"{path.name}: {name}"] = digest(json.dumps(told, sort_keys=True).encode())
            else:
                kind = f"{array.dtype} {array.shape} ".encode()
                content[f"{path.name}: {name}"] = digest(kind + np.ascontiguousarray(array).tobytes())
    return content


def without_times(meta: dict[str, Any]) -> dict[str, Any]:
    """What is known of a run from a snapshot, without what clocks say."""
    history = [{key: value for key, value in entry.items() if key not in TIMES} for entry in meta["history"]]
    state = {key: value for key, value in meta["epoch_state"].items() if "seconds" not in key}
    return {**meta, "history": history, "epoch_state": state}
