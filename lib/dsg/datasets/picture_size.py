"""The size of a picture as its header states it, without decoding it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

from dsg.datasets.catalogue import leads_out

ORIENTATION = 0x0112  # EXIF's tag; 5 to 8 exchange width and height
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")


class PictureSizes:
    """The sizes of pictures by their names, and the account of those that were asked for.

    Args:
        path: from a name to its file, or None if no picture is to be looked into.
    """

    def __init__(self, path: Callable[[str], Path] | None = None) -> None:
        self.asked = 0
        self.read = 0  # of those, with an answer
        self._path = path

    def __call__(self, name: str) -> tuple[int, int] | None:
        self.asked += 1
        size = None if self._path is None or leads_out(name) else picture_size(self._path(name))
        self.read += size is not None
        return size


def picture_size(path: Path) -> tuple[int, int] | None:
    """Width and height of an image when upright, with its EXIF orientation; None if they are not found."""
    if not os.path.isfile(path):  # a pipe would be waited for
        return None
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its size, and of what its EXIF lacks
            with Image.open(path, formats=FORMATS) as image:
                width, height = image.size
                turned = image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
    except Exception:  # Pillow lists no exceptions for damaged files; among them is struct.error
        return None
    if width < 1 or height < 1:
        return None
    return (height, width) if turned else (width, height)
