"""Pictures in other forms than eight bits in a format of OpenCV's: named, or made into such."""

from __future__ import annotations

import io
import re
import warnings
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import numpy as np

from dsg.errors import UserError

GIF = (b"GIF87a", b"GIF89a")
LOSSY = 1.02
"""How much larger than written a number may be that was packed by its logarithm, as OpenCV packs them."""
SAVE_AS = "save it as JPEG or PNG"
BRANDS = {  # of the ISO base media format, the kinds of `ftyp`
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"heim": "HEIC",
    b"heis": "HEIC",
    b"hevc": "HEIC",
    b"hevx": "HEIC",
    b"mif1": "HEIC",
    b"msf1": "HEIC",
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"crx ": "a camera's raw format",
}
SIGNATURES = (
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"%PDF", "PDF"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\x01\0", "an icon"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"FUJIFILMCCD-RAW", "a camera's raw format"),
    (b"\x1aE\xdf\xa3", "a video"),
)
SVG = re.compile(
    rb"(<\?xml.{0,500}?)?(<!--(?:(?!-->).){0,500}-->\s*)*(<!DOCTYPE svg.{0,300}?)?<svg[\s>]", re.DOTALL
)
"""After blanks. A comment ends with the first `-->`: were others tried, the ways to read many comments would
have no end."""
BLANK = b"\xef\xbb\xbf \t\r\n"
ALL_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
OTHER_ENDINGS = (
    *(".heic", ".heif", ".avif", ".jp2", ".j2k", ".jxl", ".svg", ".psd", ".pdf"),
    *(".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".ico", ".mp4", ".mov", ".webm"),
)
"""Files with these are pictures that people may expect to be read."""


def other_format(data: bytes) -> str:
    """What a file is that is not read as a picture, and what to do; empty if it is not known.

    Example:
        >>> other_format(b"<svg width='3'></svg>")
        'is SVG, which is not supported; save it as JPEG or PNG'
    """
    head = data[:4096]
    if head.startswith(b"version https://git-lfs"):
        return "not an image but a Git LFS pointer; run `git lfs pull` where it was cloned"
    name = next((name for start, name in SIGNATURES if head.startswith(start)), "")
    if head[4:8] == b"ftyp":
        name = BRANDS.get(head[8:12], "a video")
        if name == "HEIC" and b"avif" in head[16 : int.from_bytes(head[:4], "big")]:
            name = "AVIF"
    elif SVG.match(head.lstrip(BLANK)):
        name = "SVG"
    elif head.lstrip(BLANK).lower().startswith((b"<!doctype html", b"<html")):
        return "not an image but a web page; fetch it again"
    return f"is {name}, which is not supported; {SAVE_AS}" if name else ""


def pictures_in(folder: Path, endings: Collection[str]) -> tuple[list[Path], str]:
    """The pictures in a folder, by name, and how many there are of formats that are not read, in words.

    Args:
        endings: of the pictures that are taken, in small letters.

    Raises:
        UserError: it cannot be listed.
    """
    try:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror or error})") from error
    kinds = [path.suffix.lower() for path in files]
    others = Counter(kind for kind in kinds if kind not in endings and kind in (*ALL_ENDINGS, *OTHER_ENDINGS))
    told = ", ".join(f"{number:,} {kind}" for kind, number in others.items())
    pictures = [path for path, kind in zip(files, kinds) if kind in endings]
    return pictures, f"{sum(others.values()):,} files are not read ({told}); {SAVE_AS}" if others else ""


def first_frame(data: bytes) -> np.ndarray | None:
    """The first picture of a GIF, uint8 [H, W, 3], B, G, R; None if it is damaged.

    What is transparent has the colour that its palette gives it.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=("GIF",)) as image:
                frame = np.asarray(image.convert("RGB"))
    except Exception:  # Pillow lists no exceptions for damaged files; among them is struct.error
        return None
    return np.ascontiguousarray(frame[:, :, ::-1])


def to_8_bit(values: np.ndarray) -> np.ndarray | None:
    """Numbers with a point, or of 32 bits, as uint8 [H, W, 3], B, G, R: from 0 to 1 are scaled, from 0 to 255
    rounded. None if they are neither.

    Args:
        values: [H, W] or [H, W, C], as OpenCV decodes them unchanged.
    """
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 255 * LOSSY):  # also where one is not a number
        return None
    scaled = values * 255.0 if values.dtype.kind == "f" and high <= LOSSY else values
    pixels = np.rint(np.minimum(scaled, 255)).astype(np.uint8)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    return np.ascontiguousarray(
        pixels[:, :, :3] if pixels.shape[2] >= 3 else np.repeat(pixels[:, :, :1], 3, 2)
    )
