"""What people upload: an image of reasonable size, or one clear message."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dsg.errors import UserError
from dsg.images import read_image

MEGA = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What an upload may have at most."""

    megabytes: float = 20.0
    megapixels: float = 40.0

    @property
    def bytes(self) -> int:
        """The size of a file."""
        return int(self.megabytes * MEGA)


def read_upload(path: str | Path | None, limits: Limits) -> np.ndarray:
    """The pixels of an uploaded file, upright: uint8 [H, W, 3], B, G, R.

    Whether it is an image, and how large, is read off its header, before anything is decoded.

    Raises:
        UserError: there is none, it is no image, damaged, or too large; the message names no folder.
    """
    from PIL import Image, UnidentifiedImageError

    if not path:
        raise UserError("Choose an image first.")
    path = Path(path)
    try:
        if path.stat().st_size > limits.bytes:
            raise UserError(f"{path.name} is larger than {limits.megabytes:g} MB: send a smaller image.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of many pixels, which are counted here
            with Image.open(path) as image:
                width, height = image.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{path.name} is not an image that can be read: send a JPEG or PNG.") from error
    except Image.DecompressionBombError as error:
        raise UserError(_too_many(path, limits)) from error
    if width * height > limits.megapixels * MEGA:
        raise UserError(f"{_too_many(path, limits)} It has {width} x {height}.")
    try:
        return read_image(path)
    except UserError as error:
        raise UserError(f"{path.name} is damaged or of an unknown kind: send a JPEG or PNG.") from error


def _too_many(path: Path, limits: Limits) -> str:
    return f"{path.name} has more than {limits.megapixels:g} million pixels: send a smaller image."
