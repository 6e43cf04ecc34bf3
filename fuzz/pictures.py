"""Readers of pictures: files of all modes and formats, what is uploaded, and sizes out of headers."""

from __future__ import annotations

import functools
import io
import struct
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from dsg.apps.serve.upload import Limits, read_upload
from dsg.datasets.picture_size import picture_size
from dsg.pipeline.images import MAX_PIXELS, read_image
from fuzz.mutations import Files, changed_bytes
from fuzz.reader import Reader, require

MODES = {
    "png": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "jpeg": ("L", "RGB", "CMYK"),
    "webp": ("RGB", "RGBA"),
    "bmp": ("1", "L", "P", "RGB"),
    "gif": ("L", "P"),
    "tiff": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I", "I;16", "F"),
    "ppm": ("1", "L", "RGB"),
}
PICTURE = "picture"
EXIF = b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\x06\0\0\0\0\0\0\0"


@functools.cache
def pictures() -> tuple[bytes, ...]:
    """A small picture in each format and mode, some turned by their EXIF."""
    values = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)
    colours, made = Image.fromarray(values), []
    for kind, modes in MODES.items():
        for mode in modes:
            wide = np.random.default_rng(1).integers(0, 60000, (6, 9), np.uint16)
            picture = Image.fromarray(wide) if mode == "I;16" else colours.convert(mode)
            for more in ({}, {"exif": EXIF}) if kind in ("png", "jpeg", "webp") else ({},):
                stream = io.BytesIO()
                picture.save(stream, kind, **more)
                made.append(stream.getvalue())
    frames = [Image.new("P", (5, 4), number) for number in range(3)]
    for kind in ("gif", "webp", "png", "tiff"):
        stream = io.BytesIO()
        frames[0].save(stream, kind, save_all=True, append_images=frames[1:])
        made.append(stream.getvalue())
    return (*made, *_claims())


def _claims() -> list[bytes]:
    """A few bytes that claim to be large pictures."""
    side = 30_000
    tags = (
        (256, 4, side),
        (257, 4, side),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (278, 4, side),
        (277, 3, 1),
        (279, 4, 100),
    )
    tiff = b"II*\0" + struct.pack("<IH", 8, len(tags))
    tiff += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in sorted(tags)) + bytes(
        4
    )
    portable = [b"P%d %d %d 255\n" % (kind, side, side) + bytes(64) for kind in (2, 3, 5, 6)]
    portable.append(b"P4 %d %d\n" % (side, side) + bytes(64))
    others = [
        b"Pf\n%d %d\n-1\n" % (side, side) + bytes(64),
        b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y %d +X %d\n" % (side, side) + bytes(64),
        struct.pack(">8I", 0x59A66A95, side, side, 8, 0, 1, 0, 0) + bytes(64),  # Sun's raster
        b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n" % (side, side) + bytes(64),
    ]
    return [tiff, *portable, *others]


def _cases(_: Files) -> st.SearchStrategy[Files]:
    known = pictures()
    changed = st.sampled_from(known).flatmap(
        lambda content: st.one_of(st.just(content), changed_bytes(content))
    )
    joined = st.tuples(st.sampled_from(known), st.sampled_from(known), st.integers(1, 60)).map(
        lambda parts: parts[0][: parts[2]] + parts[1][parts[2] :]
    )
    many = st.one_of(changed_pictures(), changed, joined, st.binary(min_size=1, max_size=80))
    return many.map(lambda content: {PICTURE: content})


def changed_pictures() -> st.SearchStrategy[bytes]:
    """A picture in which one to three bytes of the first hundred are others: sizes, types, lengths."""

    def written(content: bytes, changes: list[tuple[int, int]]) -> bytes:
        data = bytearray(content)
        for at, value in changes:
            data[at % min(len(data), 100)] = value
        return bytes(data)

    bytes_ = st.one_of(st.sampled_from((0, 1, 2, 127, 128, 255)), st.integers(0, 255))
    changes = st.lists(st.tuples(st.integers(0, 99), bytes_), min_size=1, max_size=3)
    return st.builds(written, st.sampled_from(pictures()), changes)


def _read_picture(folder: Path) -> None:
    size = picture_size(folder / PICTURE)
    require(size is None or min(size) > 0, "a size")
    for upright in (True, False):
        image = read_image(folder / PICTURE, upright=upright)
        require(image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3, "pixels")
        require(0 < image.size <= 3 * MAX_PIXELS, f"{image.size:,} pixels")


IMAGES = Reader("images", lambda: {PICTURE: pictures()[0]}, _cases, _read_picture, 2.0)


def _read_upload(folder: Path) -> None:
    limits = Limits(megapixels=1.0)
    image = read_upload(folder / PICTURE, limits)
    require(0 < image.size <= 3_000_000, "more pixels than are allowed")


UPLOADS = Reader("uploaded pictures", lambda: {PICTURE: pictures()[0]}, _cases, _read_upload, 1.0)
READERS = (IMAGES, UPLOADS)
