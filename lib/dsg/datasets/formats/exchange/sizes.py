"""Sizes of images that a format does not state, read from the pictures."""

from __future__ import annotations

from pathlib import Path

from dsg.datasets.catalogue import leads_out
from dsg.datasets.picture_size import picture_size
from dsg.errors import UserError


def measured(pictures: Path | None, file: str, place: str) -> tuple[int, int]:
    """Width and height of a picture.

    Args:
        pictures: the folder of the pictures.
        place: of the image in its file, for messages.

    Raises:
        UserError: there is no folder, or no such picture in it.
    """
    if pictures is None:
        raise UserError(f"{place}: no width and height; --images DIR reads them from the images")
    size = None if leads_out(file) else picture_size(pictures / file)
    if size is None:
        raise UserError(f"{place}: no width and height; no image {file!r} in {pictures}")
    return size
