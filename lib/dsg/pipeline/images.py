"""Images: from a file to pixels, and from pixels to the network's input. NumPy and OpenCV only, and
Pillow for how a WebP or TIFF picture is turned.

Files of any kind OpenCV knows, and the first picture of a GIF, become uint8 [H, W, 3] in B, G, R order, as
the release's `cv2.imread` reads them: grey is repeated in the three channels, palettes are looked up, 16 bit
values are cut to their upper 8, alpha is dropped (not composited), and pictures are turned upright as their
EXIF orientation says. Unlike `cv2.imread`, a truncated file is an error rather than a half grey picture, and
numbers with a point are scaled where they go from 0 to 1, and refused where they go beyond 255.
"""

from __future__ import annotations

import functools
import os
import stat
import struct
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from dsg.errors import UserError
from dsg.pipeline.orientation import is_tiff, is_webp, stated_orientation, stored_pixels, upright_pixels
from dsg.pipeline.picture_formats import GIF, SAVE_AS, first_frame, other_format, to_8_bit
from dsg.pipeline.stated_size import JPEG, PNG, stated_size

MAX_PIXELS = 200_000_000
"""Larger images are refused before they are decoded: a file of kilobytes can claim gigabytes of pixels."""
DAMAGED = "the image is truncated or damaged; fetch it again"
MAX_BYTES = 8 * MAX_PIXELS
"""Larger files are refused before they are read: that many pixels of four channels with 16 bits."""


def read_image(path: str | Path, *, upright: bool = True) -> np.ndarray:
    """The pixels of an image file.

    Args:
        path: a file in any format that OpenCV reads.
        upright: turn the image as its EXIF orientation says; False gives the pixels as they are stored.

    Returns:
        uint8 [H, W, 3], B, G, R.

    Raises:
        UserError: the file is missing, unreadable, not a regular file, empty, truncated, no image, or has
            more than `MAX_PIXELS` pixels or `MAX_BYTES` bytes.
    """
    return decode_image(_read_bytes(path), path, upright=upright)


def decode_image(data: bytes, path: str | Path, *, upright: bool = True) -> np.ndarray:
    """As `read_image`, of a file whose bytes are there; the path is for messages only."""
    if not data:
        raise UserError(f"{path}: the image file is empty; fetch it again")
    height, width = stated_size(data)
    if height * width > MAX_PIXELS:
        raise UserError(
            f"{path}: {width} x {height} pixels are more than {MAX_PIXELS // 10**6} million; shrink the image"
        )
    if data.startswith(GIF):
        frame = first_frame(data)
        if frame is None:
            raise UserError(f"{path}: {DAMAGED}")
        return frame
    if data.startswith(PNG) and not _has_last_chunk(data):
        raise UserError(f"{path}: the image file is truncated; fetch it again")
    webp = is_webp(data)  # which only the newest OpenCV turns
    flags = cv2.IMREAD_COLOR
    if webp or not upright:
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = _eight_bits(data, path) if is_tiff(data) else None
        if image is None:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:  # sizes beyond OpenCV's own limit, and the like
        raise UserError(f"{path}: cannot be decoded ({' '.join(str(error.err).split())})") from error
    if image is None or image.size == 0:
        known = data.startswith((PNG, JPEG)) or is_tiff(data)
        raise UserError(f"{path}: {DAMAGED if known else other_format(data) or 'not an image'}")
    if webp and upright:
        return upright_pixels(image, stated_orientation(data))
    if is_tiff(data) and not upright:  # OpenCV turns it whatever the flags say
        return stored_pixels(image, stated_orientation(data))
    return image


def network_scale(height: int, width: int, target: int, max_size: int) -> float:
    """Pixels of the network's input per pixel of the image.

    The shorter side becomes `target` pixels long; where that would make the longer one exceed `max_size`,
    that is its length instead.

    Example:
        >>> network_scale(375, 500, 300, 500), network_scale(100, 1000, 600, 1000)
        (0.8, 1.0)
    """
    short, long = min(height, width), max(height, width)
    scale = target / short
    return max_size / long if round(scale * long) > max_size else scale


def to_blob(
    image: np.ndarray, target: int, max_size: int, pixel_means: Sequence[float]
) -> tuple[np.ndarray, float]:
    """The network's input for one image: means subtracted, then resized.

    Bilinear, half-pixel centres, no antialiasing. As in the release the sampling step is exactly 1 / scale,
    whatever the rounding of the output's size.

    Args:
        image: uint8 [H, W, 3], B, G, R.
        target: length of the shorter side in pixels.
        max_size: longest allowed side in pixels.
        pixel_means: of B, G and R.

    Returns:
        float32 [round(H * scale), round(W * scale), 3], each side at least 1, and the scale of
        `network_scale`.
    """
    centred = cv2.LUT(image, _centring_table(tuple(pixel_means)))
    height, width = image.shape[:2]
    scale = network_scale(height, width, target, max_size)
    rows, columns = round(height * scale), round(width * scale)
    if (
        min(rows, columns) < 1
    ):  # a line far longer than max_size; only a size given outright keeps a side of 1
        return cv2.resize(centred, (max(columns, 1), max(rows, 1)), interpolation=cv2.INTER_LINEAR), scale
    return cv2.resize(centred, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR), scale


def mirror(image: np.ndarray) -> np.ndarray:
    """The image with left and right exchanged, contiguous."""
    return cv2.flip(image, 1)


def _eight_bits(data: bytes, path: str | Path) -> np.ndarray | None:
    """A TIFF picture of other numbers than those of 8 or 16 bits, of which OpenCV makes what it likes; None
    for all others.
    """
    unchanged = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if unchanged is None or unchanged.dtype in (np.uint8, np.uint16):
        return None
    pixels = to_8_bit(unchanged)
    if pixels is None:
        kind = "floating point numbers" if unchanged.dtype.kind == "f" else f"{unchanged.dtype} numbers"
        raise UserError(
            f"{path}: holds {kind} from {unchanged.min():g} to {unchanged.max():g}, neither from 0 to 1 nor "
            f"from 0 to 255; {SAVE_AS}"
        )
    return pixels


def _has_last_chunk(png: bytes) -> bool:
    """Whether a PNG file is complete up to its last chunk; data appended by other programs do not count."""
    at = len(PNG)
    while at + 8 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        if kind == b"IEND":
            return True
        at += 12 + length  # with length, kind and checksum
    return False


def _read_bytes(path: str | Path) -> bytes:
    try:
        with open(path, "rb", buffering=0, opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UserError(f"{path}: not a regular file; put the image itself there")
            if status.st_size > MAX_BYTES:
                raise UserError(f"{path}: {status.st_size:,} bytes are more than any image has; shrink it")
            return file.read()
    except FileNotFoundError:
        raise UserError(f"{path}: no such image") from None
    except (OSError, ValueError) as error:  # ValueError: no name that a file could have
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{str(path)!r}: cannot be read ({reason})") from error


def _open_at_once(path: str, flags: int) -> int:
    """Opens without waiting for somebody to write, should it be a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


@functools.lru_cache(maxsize=8)
def _centring_table(pixel_means: tuple[float, ...]) -> np.ndarray:
    """float32 [1, 256, 3]: each 8 bit value minus its channel's mean, rounded once, from float64."""
    return (np.arange(256, dtype=np.float64)[None, :, None] - np.asarray(pixel_means, np.float64)).astype(
        np.float32
    )
