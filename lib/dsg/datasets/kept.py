"""Caches: what takes long to read out of large files, kept in arrays for the next time.

A cache is one file of plain arrays whose name is a digest of the contents of the files and of what else
decides what the arrays hold. Changed files have another name, so a cache is never out of date, and copied
data sets share theirs. It lies in the folder `.dsg_cache` beside the annotations, or, where nothing can be
written there, in `$XDG_CACHE_HOME/dsg` (`~/.cache/dsg`), or nowhere. What is damaged or not ours is
rewritten. All of it may be deleted at any time; the environment variable `DSG_CACHE` set to `off` turns it
off, set to a folder has the caches there and in no other place.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from dsg.datasets.formats.referring import MISSING
from dsg.runtime.arrays import DAMAGE, read_arrays
from dsg.runtime.files import replacing
from dsg.runtime.text import unreadable

log = logging.getLogger(__name__)
T = TypeVar("T")

VARIABLE = "DSG_CACHE"
FOLDER = ".dsg_cache"
LEAST = 8_000_000
"""Bytes of annotations below which reading them takes no longer than a moment."""
NEWEST = 8
"""Caches of one file that a folder keeps."""
ABANDONED = 3600
"""Seconds after which a half-written file counts as abandoned."""


class Kept(NamedTuple):
    """What a cache holds."""

    about: dict[str, Any]  # as JSON has it
    arrays: dict[str, np.ndarray]


class Cache(NamedTuple):
    """Where the content of some files may be kept."""

    places: list[Path]  # folders, in the order in which they are tried; none: nothing is kept
    stem: str  # how the names of the caches of these files begin
    key: str  # in hexadecimal

    def load(self, build: Callable[[Kept], T]) -> T | None:
        """What `build` makes of the cache; None if there is none, or it is damaged or something else.

        Args:
            build: raises one of `dsg.runtime.arrays.DAMAGE` for what cannot be of these files.
        """
        for place in self.places:
            path = place / self._name
            if not os.path.isfile(path):  # a pipe would be waited for
                continue
            try:
                arrays = read_arrays(path, packed=False)
                about = json.loads(arrays.pop("about").tobytes().decode())
                if about["key"] != self.key:
                    raise ValueError("another cache")
                return build(Kept(about, arrays))
            except DAMAGE as error:
                log.debug("%s is not used: %s", path, error)
        return None

    def save(self, about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Writes a cache to the first place that takes it, and removes old ones there."""
        encoded = np.frombuffer(json.dumps({**about, "key": self.key}).encode(), np.uint8)
        for place in self.places:
            try:
                place.mkdir(parents=True, exist_ok=True)
                with replacing(place / self._name) as temporary, open(temporary, "wb") as file:
                    np.savez(file, about=encoded, **arrays)
            except OSError as error:
                log.debug("no cache in %s: %s", place, error)
                continue
            _prune(place, self.stem)
            return

    @property
    def _name(self) -> str:
        return f"{self.stem}-{self.key}.npz"


def cache_of(
    folder: Path, files: Sequence[Path], meaning: Sequence[Any], cache: bool | str | os.PathLike[str] = True
) -> Cache:
    """The cache of the content of files.

    Args:
        folder: of the data set.
        files: the first is the large one, after which caches are named.
        meaning: all else that decides what is kept, as JSON has it; a number that is raised with every change
            of what is kept is among it.
        cache: whether to keep anything; or the folder of the caches, which is then used for small files, too.

    Raises:
        UserError: a file cannot be read.
    """
    places = cache_places(folder, files[0], cache)
    return Cache(places, files[0].stem, _key(files, meaning) if places else "")


def cache_places(folder: Path, path: Path, cache: bool | str | os.PathLike[str]) -> list[Path]:
    """Folders to look for caches of a data set's file in, and to write them to, the first that can be."""
    if cache is False:
        return []
    if cache is not True:
        return [Path(cache)]
    wish = os.environ.get(VARIABLE, "")
    if wish.lower() in ("off", "0", "no", "false") or not path.is_file() or path.stat().st_size < LEAST:
        return []
    if wish:
        return [Path(wish)]
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return [folder / FOLDER, Path(home) / "dsg"]


def states(files: Iterable[Path]) -> list[tuple[int, ...] | None]:
    """What changes when files are written to."""
    return [_state(path) for path in files]


def _state(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino


def _key(files: Iterable[Path], meaning: Sequence[Any]) -> str:
    """A digest of all that decides what is kept."""
    whole = hashlib.blake2b(json.dumps(list(meaning)).encode(), digest_size=16)
    for path in files:
        whole.update(_digest(path))
    return whole.hexdigest()


def _digest(path: Path) -> bytes:
    digest = hashlib.blake2b(digest_size=32)
    try:
        with open(path, "rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        raise unreadable(path, error, MISSING) from None
    return digest.digest()


def _prune(place: Path, stem: str) -> None:
    """Keeps the newest caches of a file."""
    with contextlib.suppress(OSError):  # another process may be doing the same
        kept = sorted(place.glob(f"{stem}-*.npz"), key=lambda path: path.stat().st_mtime, reverse=True)
        lost = [
            path for path in place.glob(f".{stem}-*.tmp") if time.time() - path.stat().st_mtime > ABANDONED
        ]
        for path in kept[NEWEST:] + lost:
            path.unlink()
