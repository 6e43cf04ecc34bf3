"""What is asked about: pictures with queries, and with the truth where it is known."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dsg.datasets import ImageRecord
from dsg.errors import UserError
from dsg.pipeline.images import read_image
from dsg.pipeline.picture_formats import pictures_in

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
    """The files of `paths`, and the images in those of them that are folders, by name. Pictures of formats
    that are not read are counted.

    Raises:
        UserError: a folder has no image, or cannot be read.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        inside, others = pictures_in(path, ENDINGS)
        if not inside:
            raise UserError(
                f"{path}: no image in this folder ({', '.join(ENDINGS)}){'; ' * bool(others)}{others}"
            )
        if others:
            LOG.warning("%s: %s", path, others)
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
