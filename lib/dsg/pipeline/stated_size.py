"""How large a picture claims to be, read off its header as its decoder reads it, before anything is decoded:
a file of kilobytes can claim gigabytes of pixels.
"""

from __future__ import annotations

import re
import struct

from dsg.pipeline.orientation import is_tiff, is_webp

PNG, JPEG, BMP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"BM"  # what such files begin with
HEADER = 4096  # bytes in which the headers of simple formats are looked for
MOST_TAGS = 1000  # of a TIFF that are looked at
TIFF_NUMBERS = {1: "B", 3: "H", 4: "I", 16: "Q"}  # the types of whole numbers in its tags
BLANKS = rb"(?:\s|#[^\n]*\n)+"  # comments are blank
NETPBM = re.compile(rb"P[1-6fF]" + BLANKS + rb"(\d{1,18})" + BLANKS + rb"(\d{1,18})")
PAM = (re.compile(rb"\nWIDTH\s+(\d{1,18})"), re.compile(rb"\nHEIGHT\s+(\d{1,18})"))
RADIANCE = re.compile(rb"\n[-+]Y\s+(\d{1,18})\s+[-+]X\s+(\d{1,18})")
SUN = b"\x59\xa6\x6a\x95"


def stated_size(data: bytes) -> tuple[int, int]:
    """Height and width that the header of an image file states; (0, 0) if it cannot be told.

    Knows PNG, JPEG, WebP, BMP, GIF and TIFF, and what OpenCV reads of Netpbm, Sun and Radiance; for the rest
    OpenCV's own limit has to do.
    """
    if data.startswith(PNG) and data[12:16] == b"IHDR" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return height, width
    if data.startswith((b"GIF87a", b"GIF89a")) and len(data) >= 10:
        width, height = struct.unpack("<HH", data[6:10])
        return height, width
    if data.startswith(BMP) and len(data) >= 26:
        return _bmp_size(data)
    if is_webp(data) and len(data) >= 30:
        return _webp_size(data)
    if is_tiff(data):
        return _tiff_size(data)
    return _jpeg_size(data) if data.startswith(JPEG) else _size_in_words(data[:HEADER])


def _bmp_size(data: bytes) -> tuple[int, int]:
    """Height and width in the second header of a BMP file, whose own length tells of what kind it is."""
    (length,) = struct.unpack_from("<I", data, 14)
    if length == 12:  # of OS/2
        width, height = struct.unpack_from("<HH", data, 18)
        return height, width
    width, height = struct.unpack_from("<ii", data, 18)
    return abs(height), abs(width)  # rows from top to bottom count below zero


def _webp_size(data: bytes) -> tuple[int, int]:
    """Height and width in the first chunk of a WebP file, of which there are three kinds."""
    kind, frame = data[12:16], data[20:30]
    if kind == b"VP8X":
        return 1 + int.from_bytes(frame[7:10], "little"), 1 + int.from_bytes(frame[4:7], "little")
    if kind == b"VP8L":
        sides = int.from_bytes(frame[1:5], "little")
        return 1 + (sides >> 14 & 0x3FFF), 1 + (sides & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", frame, 6)
        return height & 0x3FFF, width & 0x3FFF  # the upper two bits are a wish for the display
    return 0, 0


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Height and width in the frame header of a JPEG file, found by walking through the segments.

    As libjpeg walks, lest another size is found than is decoded: what stands between segments is passed over.
    """
    at = len(JPEG)
    while found := _JPEG_MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        if marker in _JPEG_FRAMES and at + 7 <= len(data):
            height, width = struct.unpack_from(">HH", data, at + 3)
            return height, width
        at += max(2, int.from_bytes(data[at : at + 2], "big"))
    return 0, 0


# None of those without a length, and so without a segment: they are passed over, too.
_JPEG_MARKER = re.compile(rb"\xff([^\0\xff\x01\xd0-\xd7])")
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # those three are tables


def _tiff_size(data: bytes) -> tuple[int, int]:
    """Height and width in the first directory of a TIFF file, of which there are two kinds."""
    order, big = "<" if data.startswith(b"I") else ">", b"+" in data[2:4]
    pointer, count, length, value = ("Q", "Q", 20, 12) if big else ("I", "H", 12, 8)
    found: dict[int, int] = {}
    try:
        (at,) = struct.unpack_from(order + pointer, data, 8 if big else 4)
        (entries,) = struct.unpack_from(order + count, data, at)
        at += struct.calcsize(count)
        for place in range(at, at + length * min(entries, MOST_TAGS), length):
            tag, kind = struct.unpack_from(order + "HH", data, place)
            if tag in (256, 257) and kind in TIFF_NUMBERS:
                found[tag] = max(
                    found.get(tag, 0), *struct.unpack_from(order + TIFF_NUMBERS[kind], data, place + value)
                )
    except (struct.error, OverflowError):  # it ends before, or points beyond any file
        return 0, 0
    return found.get(257, 0), found.get(256, 0)


def _size_in_words(head: bytes) -> tuple[int, int]:
    """Height and width in the headers of simple formats."""
    if head.startswith(SUN) and len(head) >= 12:
        width, height = struct.unpack_from(">II", head, 4)
        return height, width
    if head.startswith(b"P7"):
        sides = [pattern.search(head) for pattern in PAM]
        width, height = (0 if side is None else int(side[1]) for side in sides)
        return height, width
    portable = NETPBM.match(head)
    if portable:
        return int(portable[2]), int(portable[1])
    lines = RADIANCE.search(head) if head.startswith(b"#?") else None
    return (int(lines[1]), int(lines[2])) if lines else (0, 0)
