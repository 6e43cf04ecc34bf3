"""Turns an image's pixels upright, for the formats in which OpenCV ignores the orientation.

OpenCV turns JPEG, PNG and TIFF itself, WebP only in its newest versions, and TIFF even when told not to.
"""

from __future__ import annotations

import io
import warnings

import numpy as np

ORIENTATION = 0x0112  # the tag of EXIF
# Whether rows and columns are exchanged first, and which axes are reversed then.
_STEPS: dict[int, tuple[bool, tuple[int, ...]]] = {
    1: (False, ()),
    2: (False, (1,)),
    3: (False, (0, 1)),
    4: (False, (0,)),
    5: (True, ()),
    6: (True, (1,)),
    7: (True, (0, 1)),
    8: (True, (0,)),
}


def is_webp(data: bytes) -> bool:
    """Whether a file's bytes are those of a WebP picture.

    Example:
        >>> is_webp(b"RIFF....WEBPVP8X"), is_webp(b"RIFF....WAVEfmt ")
        (True, False)
    """
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def is_tiff(data: bytes) -> bool:
    """Whether a file's bytes are those of a TIFF picture, of 32 or 64 bit offsets, in either byte order."""
    return data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def stated_orientation(data: bytes) -> int:
    """The EXIF orientation, 1 to 8, of a picture that Pillow knows; 1 without one that makes sense."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF, which other programs pass over, too
            with Image.open(io.BytesIO(data)) as picture:
                found = picture.getexif().get(ORIENTATION, 1)
    except Exception:  # Pillow lists no exceptions for damaged EXIF; the pixels may still be whole
        return 1
    return found if found in _STEPS else 1


def upright_pixels(image: np.ndarray, orientation: int) -> np.ndarray:
    """The pixels as they are to be looked at, contiguous.

    Args:
        image: [H, W, C], as stored.
        orientation: 1 to 8, as EXIF counts.

    Returns:
        [H, W, C], or [W, H, C] from 5 on.

    Example:
        >>> upright_pixels(np.array([[[1], [2]], [[3], [4]]]), 6)[:, :, 0].tolist()  # a quarter clockwise
        [[3, 1], [4, 2]]
    """
    exchanged, reversed_ = _STEPS[orientation]
    turned = image.transpose(1, 0, 2) if exchanged else image
    return np.ascontiguousarray(np.flip(turned, reversed_))


def stored_pixels(image: np.ndarray, orientation: int) -> np.ndarray:
    """The reverse of `upright_pixels`: the pixels as they are stored.

    Example:
        >>> stored_pixels(np.array([[[3], [1]], [[4], [2]]]), 6)[:, :, 0].tolist()
        [[1, 2], [3, 4]]
    """
    return upright_pixels(image, {6: 8, 8: 6}.get(orientation, orientation))  # the others undo themselves
