"""What may be uploaded."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dsg.apps.serve.upload import Limits, read_upload
from dsg.errors import UserError

LIMITS = Limits(megabytes=0.1, megapixels=0.02)


def written(path: Path, width: int = 40, height: int = 30) -> Path:
    cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))
    return path


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp"])
def test_images_of_every_kind(tmp_path: Path, ending: str) -> None:
    image = read_upload(written(tmp_path / f"a.{ending}"), LIMITS)
    assert image.shape == (30, 40, 3) and image.dtype == np.uint8


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_photographs_are_turned_upright(tmp_path: Path, ending: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30), (250, 0, 0)).save(tmp_path / f"a.{ending}", exif=exif)
    assert read_upload(tmp_path / f"a.{ending}", LIMITS).shape == (40, 30, 3)


def bomb(path: Path, side: int) -> Path:
    """A PNG whose header claims side x side pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = b""
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")):
        chunks += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


def tiff_of_two_sizes(path: Path, side: int, said: int) -> Path:
    """A TIFF of side x side pixels, as the first tags say; the last ones say something else."""
    pixels = zlib.compress(bytes(side * side))
    tags = [(256, side), (257, side), (258, 8), (259, 8), (262, 1), (273, 8), (278, side)]
    tags += [(279, len(pixels)), (256, said), (257, said)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    start = 8 + len(pixels)
    path.write_bytes(
        struct.pack("<2sHI", b"II", 42, start) + pixels + struct.pack("<H", len(tags)) + entries + bytes(4)
    )
    return path


def test_only_what_states_its_size_is_decoded(tmp_path: Path) -> None:
    """Pillow took the last of a TIFF's sizes, OpenCV the first, so that the limit was none."""
    files = [tiff_of_two_sizes(tmp_path / "a.tif", 400, 10), written(tmp_path / "b.tif")]
    for name in ("c.gif", "d.jp2", "e.ppm"):
        Image.new("RGB", (40, 30)).save(tmp_path / name)
        files.append(tmp_path / name)
    assert cv2.imread(str(files[0])).shape == (400, 400, 3)
    for file in files:
        with pytest.raises(UserError, match="not an image that can be read: send a JPEG, PNG, WebP or BMP"):
            read_upload(file, LIMITS)


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp"])
def test_the_limit_is_that_of_pixels(tmp_path: Path, ending: str) -> None:
    assert read_upload(written(tmp_path / f"a.{ending}", 200, 100), Limits(1, 0.02)).shape == (100, 200, 3)
    with pytest.raises(UserError, match="more than 0.02 million pixels.* It has 201 x 100"):
        read_upload(written(tmp_path / f"b.{ending}", 201, 100), Limits(1, 0.02))


def test_what_is_refused(tmp_path: Path) -> None:
    text, empty, big = tmp_path / "notes.png", tmp_path / "empty.png", tmp_path / "big.bmp"
    text.write_text("<svg onload=alert(1)>")
    empty.write_bytes(b"")
    big.write_bytes(b"BM" + bytes(200_000))
    cut = tmp_path / "cut.png"
    cut.write_bytes(written(tmp_path / "a.png").read_bytes()[:60])
    refused = {
        None: "Choose an image first",
        text: "notes.png is not an image that can be read: send a JPEG, PNG, WebP or BMP",
        empty: "empty.png is not an image",
        big: "big.bmp is larger than 0.1 MB",
        cut: "cut.png is damaged",
        tmp_path / "absent.png": "absent.png is not an image",
        tmp_path: "is not an image",
        written(
            tmp_path / "wide.png", 400, 100
        ): r"wide.png has more than 0.02 million pixels.* It has 400 x 100",
        bomb(tmp_path / "bomb.png", 12_000): "more than 0.02 million pixels",
        bomb(tmp_path / "worse.png", 60_000): "more than 0.02 million pixels",
    }
    for path, message in refused.items():
        with pytest.raises(UserError, match=message) as caught:
            read_upload(path, LIMITS)
        assert str(tmp_path.parent) not in str(caught.value)  # where uploads lie is nobody's business
