"""Large annotations, checked and in flat arrays, kept for the next time: `load_table`.

A cache is one file of plain arrays whose name is a digest of the contents of the annotations and of the
metadata, and of what else decides what the arrays hold. Changed files have another name, so a cache is never
out of date, and copied data sets share theirs. It lies in the folder `.dsg_cache` beside the annotations, or,
where nothing can be written there, in `$XDG_CACHE_HOME/dsg` (`~/.cache/dsg`), or nowhere. What is damaged or
not ours is rewritten. All of it may be deleted at any time; the environment variable `DSG_CACHE` set to
`off` turns it off, set to a folder has the caches there and in no other place.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from dsg.datasets.formats.referring import MISSING, annotation_file, metadata_file
from dsg.datasets.picture_size import PictureSizes
from dsg.datasets.records import Vocabulary
from dsg.datasets.table.build import Table, read_table
from dsg.datasets.table.soundness import is_sound
from dsg.runtime.arrays import DAMAGE, read_arrays
from dsg.runtime.files import replacing
from dsg.runtime.text import unreadable

log = logging.getLogger(__name__)

FORMAT = 3
"""To be raised with every change of what the arrays mean or of what counts as a fault."""
VARIABLE = "DSG_CACHE"
FOLDER = ".dsg_cache"
LEAST = 8_000_000
"""Bytes of annotations below which reading them takes no longer than a moment."""
NEWEST = 8
"""Caches of one split that a folder keeps."""
ABANDONED = 3600
"""Seconds after which a half-written file counts as abandoned."""
TEXTS = ("names", "unsized", "unannotated", "reports", "faults")


def load_table(
    folder: Path,
    split: str,
    vocabulary: Vocabulary,
    keep_outside: bool,
    cache: bool | str | os.PathLike[str] = True,
    pictures: PictureSizes | None = None,
) -> Table:
    """The table of a split, from its cache if there is one; otherwise from its files, and a cache is left.

    Args:
        split: of the files.
        vocabulary: how many categories and predicates there are.
        keep_outside: boxes wholly outside their image are no fault.
        cache: whether to use one; or the folder of the caches, which is then used for small files, too.
        pictures: tells sizes that the metadata lack. What depends on them is not kept: pictures change.

    Raises:
        UserError: see `read_table`. That a cache cannot be read or written is no error.
    """
    path = annotation_file(folder, split)
    places = cache_places(folder, path, cache)
    pictures = pictures or PictureSizes()
    if not places:
        return read_table(folder, split, vocabulary, keep_outside, pictures)
    files = (path, metadata_file(folder, split))
    before = [_state(file) for file in files]
    key = _key(files, vocabulary, keep_outside)
    name = f"{path.stem}-{key}.npz"
    for place in places:
        table = _load(place / name, key, vocabulary)
        if table is not None:
            return table
    table = read_table(folder, split, vocabulary, keep_outside, pictures)
    unchanged = [_state(file) for file in files] == before  # else the key may be that of other contents
    if unchanged and not pictures.asked:
        _save(places, name, path.stem, key, table)
    return table


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


def _key(files: Iterable[Path], vocabulary: Vocabulary, keep_outside: bool) -> str:
    """A digest of all that decides what the table holds."""
    known = len(vocabulary.objects), len(vocabulary.predicates)
    whole = hashlib.blake2b(json.dumps([FORMAT, *known, bool(keep_outside)]).encode(), digest_size=16)
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


def _state(path: Path) -> tuple[int, ...] | None:
    """What changes when a file is written to."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def _load(path: Path, key: str, vocabulary: Vocabulary) -> Table | None:
    """The table in a cache; None if there is no cache or it is something else."""
    if not os.path.isfile(path):  # a pipe would be waited for
        return None
    try:
        arrays: dict[str, Any] = read_arrays(path, packed=False)
        about = json.loads(arrays.pop("about").tobytes().decode())
        if about["format"] != FORMAT or about["key"] != key:
            raise ValueError("another cache")
        texts: dict[str, Any] = {name: about[name] for name in TEXTS}
        for name in ("reports", "faults"):
            texts[name] = {int(image): found for image, found in texts[name].items()}
        texts["reports"] = {image: [tuple(one) for one in found] for image, found in texts["reports"].items()}
        table = Table(**texts, **arrays)
        if not is_sound(table, vocabulary):
            raise ValueError("no table of these annotations")
    except DAMAGE as error:
        log.debug("%s is not used: %s", path, error)
        return None
    return table


def _save(places: Iterable[Path], name: str, stem: str, key: str, table: Table) -> None:
    """Writes a cache to the first place that takes it, and removes old ones there."""
    about = {"format": FORMAT, "key": key, **{text: getattr(table, text) for text in TEXTS}}
    encoded = np.frombuffer(json.dumps(about).encode(), np.uint8)
    for place in places:
        try:
            place.mkdir(parents=True, exist_ok=True)
            with replacing(place / name) as temporary, open(temporary, "wb") as file:
                np.savez(file, about=encoded, **table.arrays())
        except OSError as error:
            log.debug("no cache in %s: %s", place, error)
            continue
        _prune(place, stem)
        return


def _prune(place: Path, stem: str) -> None:
    """Keeps the newest caches of a split."""
    with contextlib.suppress(OSError):  # another process may be doing the same
        found = sorted(place.glob(f"{stem}-*.npz"), key=lambda path: path.stat().st_mtime, reverse=True)
        lost = [
            path for path in place.glob(f".{stem}-*.tmp") if time.time() - path.stat().st_mtime > ABANDONED
        ]
        for path in found[NEWEST:] + lost:
            path.unlink()
