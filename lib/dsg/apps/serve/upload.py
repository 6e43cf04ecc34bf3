"""What people upload: an image of reasonable size, or one clear message."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dsg.errors import UserError
from dsg.pipeline.images import decode_image
from dsg.pipeline.orientation import is_webp
from dsg.pipeline.stated_size import BMP, JPEG, PNG, stated_size

MEGA = 1_000_000
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")  # of what is taken


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

    Only JPEG, PNG, WebP and BMP are taken: how large they are is read off the header, as the decoder reads
    it, before anything is decoded.

    Raises:
        UserError: the file is missing, of another format, damaged or too large; the message names no folder.
    """
    if not path:
        raise UserError("Choose an image first.")
    path = Path(path)
    data = _read_bytes(path, limits)
    height, width = stated_size(data) if is_webp(data) or data.startswith((PNG, JPEG, BMP)) else (0, 0)
    if height * width == 0:
        raise UserError(_no_image(path))
    if width * height > limits.megapixels * MEGA:
        raise UserError(
            f"{path.name} has more than {limits.megapixels:g} million pixels: send a smaller image. "
            f"It has {width} x {height}."
        )
    try:
        return decode_image(data, path)
    except UserError as error:
        raise UserError(f"{path.name} is damaged or of an unknown format: send a JPEG or PNG.") from error


def _read_bytes(path: Path, limits: Limits) -> bytes:
    try:
        if path.stat().st_size > limits.bytes:
            raise UserError(f"{path.name} is larger than {limits.megabytes:g} MB: send a smaller image.")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no name that a file could have
        raise UserError(_no_image(path)) from error


def _no_image(path: Path) -> str:
    return f"{path.name} is not an image that can be read: send a JPEG, PNG, WebP or BMP."
