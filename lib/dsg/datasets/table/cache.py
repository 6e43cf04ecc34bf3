"""Large annotations, checked and in flat arrays, kept for the next time: `load_table`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dsg.datasets.formats.referring import annotation_file, metadata_file
from dsg.datasets.kept import Kept, cache_of, states
from dsg.datasets.picture_size import PictureSizes
from dsg.datasets.records import Vocabulary
from dsg.datasets.table.build import Table, read_table
from dsg.datasets.table.soundness import is_sound

FORMAT = 3
"""To be raised with every change of what the arrays mean or of what counts as a fault."""
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
    pictures = pictures or PictureSizes()
    files = (annotation_file(folder, split), metadata_file(folder, split))
    before = states(files)
    known = len(vocabulary.objects), len(vocabulary.predicates)
    kept = cache_of(folder, files, [FORMAT, *known, bool(keep_outside)], cache)
    table = kept.load(lambda found: _built(found, vocabulary))
    if table is not None:
        return table
    table = read_table(folder, split, vocabulary, keep_outside, pictures)
    unchanged = states(files) == before  # else the key may be that of other contents
    if unchanged and not pictures.asked:
        kept.save({"format": FORMAT, **{text: getattr(table, text) for text in TEXTS}}, table.arrays())
    return table


def _built(kept: Kept, vocabulary: Vocabulary) -> Table:
    about: dict[str, Any] = kept.about
    arrays: dict[str, Any] = kept.arrays
    if about["format"] != FORMAT:
        raise ValueError("another cache")
    texts: dict[str, Any] = {name: about[name] for name in TEXTS}
    for name in ("reports", "faults"):
        texts[name] = {int(image): found for image, found in texts[name].items()}
    texts["reports"] = {image: [tuple(one) for one in found] for image, found in texts["reports"].items()}
    table = Table(**texts, **arrays)
    if not is_sound(table, vocabulary):
        raise ValueError("no table of these annotations")
    return table
