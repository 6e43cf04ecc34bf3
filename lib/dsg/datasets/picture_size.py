"""The size of a picture as its header states it, without decoding it."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

ORIENTATION = 0x0112  # EXIF's tag; 5 to 8 exchange width and height
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")


def picture_size(path: Path) -> tuple[int, int] | None:
    """Width and height of a picture as it is seen, which EXIF may have turned; None where there is none."""
    if not os.path.isfile(path):  # a pipe would be waited for
        return None
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its size, and of what its EXIF lacks
            with Image.open(path, formats=FORMATS) as image:
                width, height = image.size
                turned = image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
    except (OSError, ValueError, SyntaxError, LookupError, TypeError, Image.DecompressionBombError):
        return None
    if width < 1 or height < 1:
        return None
    return (height, width) if turned else (width, height)
