"""What the demonstration asks about: images of a small data set with known answers, or anyone's own."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dsg.datasets import ImageRecord, Vocabulary, ambiguous, load_dataset
from dsg.errors import UserError
from dsg.pipeline.images import read_image

LOG = logging.getLogger("dsg")
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")


@dataclass(frozen=True, eq=False)
class Scene:
    """An image, what is asked about it, and what is known about it."""

    name: str  # of the files that are written, without ending
    image: np.ndarray  # uint8 [H, W, 3], B, G, R
    queries: np.ndarray  # int32 [Q, 3]
    record: ImageRecord | None  # None: the answers are not known
    file: str = ""  # where the image was read from


def image_files(paths: Sequence[Path]) -> list[Path]:
    """The files of `paths`, and the images in those of them that are folders, by name.

    Raises:
        UserError: a folder has no image, or cannot be read.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        try:
            inside = sorted(child for child in path.iterdir() if child.suffix.lower() in ENDINGS)
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
        if not inside:
            raise UserError(f"{path}: no image in this folder ({', '.join(ENDINGS)})")
        files += inside
    return files


def own_scenes(
    paths: Sequence[Path], queries: Sequence[Sequence[int]], unreadable: list[str]
) -> Iterator[Scene]:
    """Every query about every image file, read as it comes.

    Those that cannot be read are reported, and why is added to `unreadable`.
    """
    asked = np.array(queries, np.int32).reshape(-1, 3)
    names: set[str] = set()
    for path in paths:
        plain = re.sub(r"[^\w.-]", "_", path.stem)
        name, number = plain, len(names)
        while name in names:
            name, number = f"{plain}_{number}", number + 1
        try:
            image = read_image(path)
        except UserError as error:
            unreadable.append(str(error))
            if len(paths) > 1:
                LOG.warning("%s", error)
            continue
        names.add(name)
        yield Scene(name, image, asked, None, str(path))


def bundled_scenes(
    folder: Path, vocabulary: Vocabulary, queries: Sequence[Sequence[int]] = ()
) -> list[Scene]:
    """The test split of a data set's folder, with the given queries or with some of the annotated ones.

    Raises:
        UserError: the data set cannot be read, or has another vocabulary.
    """
    dataset = load_dataset(folder, "test")
    if dataset.vocabulary != vocabulary:
        raise UserError(f"{folder}: other categories or predicates than the snapshot's; give --image FILE")
    asked = np.array(queries, np.int32).reshape(-1, 3)
    return [
        Scene(
            Path(record.name).stem,
            read_image(record.path),
            asked if len(asked) else record.queries[shown_queries(record)],
            record,
            str(record.path),
        )
        for record in dataset.records
    ]


def shown_queries(record: ImageRecord, count: int = 4) -> list[int]:
    """Positions of some annotated queries: half of them ambiguous ones between two categories, a quarter
    within a category, a quarter unambiguous; more of one kind where another is rare.
    """
    within = record.queries[:, 0] == record.queries[:, 2]
    flags = ambiguous(record)
    kinds = [np.flatnonzero(chosen) for chosen in (flags & ~within, flags & within, ~flags)]
    picked: list[int] = []
    for kind, wanted in zip(kinds, (count // 2, count // 4, count // 4)):
        wanted = min(wanted, len(kind))
        picked += [int(kind[(2 * index + 1) * len(kind) // (2 * wanted)]) for index in range(wanted)]
    rest = [int(index) for kind in kinds for index in kind if index not in picked]
    return picked + rest[: count - len(picked)]
