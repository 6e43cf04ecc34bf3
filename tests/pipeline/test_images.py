"""Reading images of every kind, good and bad, and the network's input against the release's."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dsg.errors import UserError
from dsg.pipeline.images import MAX_PIXELS, mirror, network_scale, read_image, to_blob
from dsg.pipeline.stated_size import stated_size
from tests.golden import golden
from tests.shared import ROOT

MEANS = (102.9801, 115.9465, 122.7717)


def picture(height: int = 24, width: int = 32, seed: int = 0) -> np.ndarray:
    """A smooth colour picture, so that JPEG keeps it within a few grey levels."""
    corners = np.random.default_rng(seed).integers(0, 256, (2, 2, 3)).astype(np.uint8)
    return cv2.resize(corners, (width, height))


def write(path: Path, array: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), array)
    return path


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(header: bytes, *chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + b"".join(chunks) + png_chunk(b"IEND", b"")


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """A JPEG file with an EXIF segment that says nothing but the orientation."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0" + b"MM\0*" + struct.pack(">IH", 8, 1) + entry + struct.pack(">I", 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.parametrize("name", ["forward_res101_generated", "forward_res50_generated"])
def test_blob_is_the_releases(name: str) -> None:
    case = golden(name)
    blob, scale = to_blob(
        case["input/image_bgr_u8"], int(case["input/target_size"]), int(case["input/max_size"]), MEANS
    )
    steps = tuple(slice(None, None, int(step)) for step in case["blob.sub_steps"][1:])
    assert (1, *blob.shape) == tuple(case["blob.shape"]) and blob.dtype == np.float32
    np.testing.assert_allclose(blob[steps], case["blob.sub"][0], rtol=0, atol=1e-4)
    np.testing.assert_allclose(blob.mean(dtype=np.float64), case["blob.mean"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(blob.std(dtype=np.float64), case["blob.std"], rtol=0, atol=1e-4)
    np.testing.assert_array_equal(np.array([*blob.shape[:2], scale], np.float32), case["input/im_info"])


@pytest.mark.parametrize(
    ("size", "target", "max_size", "expected"),
    [
        ((375, 500), 300, 500, 0.8),
        ((500, 375), 300, 500, 0.8),
        ((320, 480), 600, 1000, 600 / 320),
        ((100, 1000), 600, 1000, 1.0),
        ((600, 1001), 600, 1000, 1000 / 1001),
    ],
)
def test_scale(size: tuple[int, int], target: int, max_size: int, expected: float) -> None:
    assert network_scale(*size, target, max_size) == expected


@pytest.mark.parametrize("size", [(1, 500), (500, 1), (1, 1), (1, 5000), (5000, 1)])
def test_lines_become_blobs(size: tuple[int, int]) -> None:
    blob, _ = to_blob(np.full((*size, 3), 200, np.uint8), 600, 1000, MEANS)
    assert min(blob.shape[:2]) >= 1 and max(blob.shape[:2]) <= 1000
    np.testing.assert_allclose(
        blob, np.broadcast_to(np.float32(200 - np.array(MEANS)), blob.shape), rtol=1e-5
    )


def test_mirroring_twice_is_the_image() -> None:
    image = picture()
    np.testing.assert_array_equal(mirror(image), image[:, ::-1])
    np.testing.assert_array_equal(mirror(mirror(image)), image)


def test_colour(tmp_path: Path) -> None:
    image = picture()
    np.testing.assert_array_equal(read_image(write(tmp_path / "a.png", image)), image)
    difference = read_image(write(tmp_path / "a.jpg", image)).astype(int) - image
    assert abs(difference).mean() < 4


def test_grey_is_repeated(tmp_path: Path) -> None:
    grey = picture()[..., 0]
    np.testing.assert_array_equal(
        read_image(write(tmp_path / "a.png", grey)), np.repeat(grey[..., None], 3, axis=-1)
    )


def test_16_bit_keep_the_upper_byte(tmp_path: Path) -> None:
    image = picture()
    np.testing.assert_array_equal(read_image(write(tmp_path / "a.png", image.astype(np.uint16) * 256)), image)


def test_alpha_is_dropped(tmp_path: Path) -> None:
    image = picture()
    alpha = np.zeros((*image.shape[:2], 1), np.uint8)
    np.testing.assert_array_equal(
        read_image(write(tmp_path / "a.png", np.concatenate([image, alpha], axis=-1))), image
    )


def test_palette(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 2, 1, 8, 3, 0, 0, 0)
    colours = png_chunk(b"PLTE", bytes([255, 0, 0, 0, 0, 255]))
    path = tmp_path / "a.png"
    path.write_bytes(png(header, colours, png_chunk(b"IDAT", zlib.compress(b"\0\0\1"))))
    np.testing.assert_array_equal(read_image(path), [[[0, 0, 255], [255, 0, 0]]])


def test_orientation(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    stored = read_image(write(path, picture(16, 32)))
    path.write_bytes(with_orientation(path.read_bytes(), 6))  # to be turned a quarter clockwise
    np.testing.assert_array_equal(read_image(path, upright=False), stored)
    np.testing.assert_array_equal(read_image(path), np.rot90(stored, -1))


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
def test_orientation_of_every_kind(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"lossless": True} if ending == "webp" else {}
    Image.fromarray(picture(16, 32)[:, :, ::-1]).save(path, exif=exif, **options)
    stored = read_image(path, upright=False)
    assert stored.shape == (16, 32, 3)
    np.testing.assert_array_equal(read_image(path), np.rot90(stored, -1))
    if ending != "jpg":
        np.testing.assert_array_equal(stored, picture(16, 32))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiff_as_stored(tmp_path: Path, orientation: int) -> None:
    exif, image = Image.Exif(), picture(16, 32)
    exif[0x0112] = orientation
    Image.fromarray(image[:, :, ::-1]).save(tmp_path / "a.tif", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", upright=False), image)
    assert read_image(tmp_path / "a.tif").shape == ((32, 16, 3) if orientation > 4 else (16, 32, 3))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_webp_is_turned_like_jpeg(tmp_path: Path, orientation: int) -> None:
    exif, image = Image.Exif(), Image.fromarray(picture(16, 32)[:, :, ::-1])
    exif[0x0112] = orientation
    image.save(tmp_path / "a.webp", exif=exif, lossless=True)
    write(tmp_path / "a.jpg", picture(16, 32))
    (tmp_path / "a.jpg").write_bytes(with_orientation((tmp_path / "a.jpg").read_bytes(), orientation))
    turned, expected = read_image(tmp_path / "a.webp"), read_image(tmp_path / "a.jpg")
    assert turned.shape == expected.shape and abs(turned.astype(int) - expected).mean() < 4


@pytest.mark.parametrize(
    "exif", [b"", b"Exif\0\0nonsense", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\1\0\x63\0\0"]
)
def test_webp_without_an_orientation_that_makes_sense(tmp_path: Path, exif: bytes) -> None:
    Image.fromarray(picture()[:, :, ::-1]).save(tmp_path / "a.webp", exif=exif, lossless=True)
    np.testing.assert_array_equal(read_image(tmp_path / "a.webp"), picture())


def bmp(dib: bytes, rows: bytes) -> bytes:
    start = 14 + len(dib)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + dib + rows


def test_a_bmp_of_os2(tmp_path: Path) -> None:
    """Its header has 12 bytes, with 16 bits for a side."""
    image, path = picture(64, 64), tmp_path / "a.bmp"
    path.write_bytes(bmp(struct.pack("<IHHHH", 12, 64, 64, 1, 24), image[::-1].tobytes()))
    assert stated_size(path.read_bytes()) == (64, 64)
    np.testing.assert_array_equal(read_image(path), image)


def test_what_other_programs_append_to_a_png(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", picture())
    path.write_bytes(path.read_bytes() + bytes(2000))
    np.testing.assert_array_equal(read_image(path), picture())


def test_a_png_is_whole_where_its_last_chunk_is(tmp_path: Path) -> None:
    """Not where its name turns up."""
    data = write(tmp_path / "a.png", picture(200, 200)).read_bytes()
    (tmp_path / "a.png").write_bytes(data[:-500] + b"IEND")
    with pytest.raises(UserError, match="the image file is truncated"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("kind", [".png", ".jpg", ".bmp", ".webp"])
def test_stated_size(kind: str) -> None:
    assert stated_size(cv2.imencode(kind, picture(24, 32))[1].tobytes()) == (24, 32)


@pytest.mark.parametrize(
    ("kind", "options"),
    [(b"VP8L", {"lossless": True}), (b"VP8X", {"exif": b"Exif\0\0MM"}), (b"VP8 ", {"quality": 50})],
)
def test_stated_size_of_webp(kind: bytes, options: dict) -> None:
    file = io.BytesIO()
    Image.fromarray(picture(24, 300)).save(file, "webp", **options)
    assert stated_size(file.getvalue()) == (24, 300)
    assert file.getvalue()[12:16] == kind
    for length in range(30):
        assert stated_size(file.getvalue()[:length]) == (0, 0)


def jpeg_frame(height: int, width: int) -> bytes:
    return b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\1\x11\0"


@pytest.mark.parametrize(
    "before",
    [
        b"\xff\xd0",  # markers without a length
        b"\xff\x01",
        b"\xff\xff",  # fill bytes
        b"\xff\0" + jpeg_frame(1, 1)[2:],  # no marker
        b"\xff\xfe\0\2garbage",
        b"\xff\xfe" + struct.pack(">H", 2 + len(jpeg_frame(1, 1))) + jpeg_frame(1, 1),  # as in a thumbnail
    ],
)
def test_stated_size_is_that_of_the_frame_that_is_decoded(before: bytes) -> None:
    """What goes before it may be odd; only a decoder that agrees keeps a limit of pixels."""
    data = cv2.imencode(".jpg", picture(24, 32))[1].tobytes()
    header = 4 + int.from_bytes(data[4:6], "big")  # OpenCV takes nothing for a JPEG that begins oddly
    data = data[:header] + before + data[header:]
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape[:2] == stated_size(data) == (24, 32)


def test_a_decoy_behind_a_marker_without_a_length() -> None:
    """The bytes behind such a marker are the next one, and no length that leads past the true frame."""
    data = cv2.imencode(".jpg", picture(24, 32))[1].tobytes()
    decoy = jpeg_frame(1, 1)
    filled = data[:2] + b"\xff\xd0" + data[2:]
    filled += bytes(4 + 0xFFE0 - len(filled)) + decoy
    decoded = cv2.imdecode(np.frombuffer(filled, np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape[:2] == stated_size(filled) == (24, 32)


def test_a_webp_of_two_sizes_is_not_decoded(tmp_path: Path) -> None:
    """Its first chunk may state less than the picture in it has."""
    Image.fromarray(picture(24, 32)).save(tmp_path / "a.webp", exif=b"Exif\0\0MM")
    data = (tmp_path / "a.webp").read_bytes()
    (tmp_path / "a.webp").write_bytes(data[:24] + bytes(6) + data[30:])
    assert stated_size((tmp_path / "a.webp").read_bytes()) == (1, 1)
    with pytest.raises(UserError, match="not an image"):
        read_image(tmp_path / "a.webp")


def test_a_png_states_its_size_in_its_first_chunk() -> None:
    other = png_chunk(b"abCd", struct.pack(">II", 1, 1))
    data = cv2.imencode(".png", picture())[1].tobytes()
    assert stated_size(data[:8] + other + data[8:]) == (0, 0)


@pytest.mark.parametrize("kind", [".tif", ".pbm", ".pgm", ".ppm", ".pam", ".sr", ".hdr", ".pfm"])
def test_stated_size_of_simple_formats(kind: str) -> None:
    image = picture(24, 32)
    image = image[:, :, 0] if kind in (".pbm", ".pgm") else image
    image = image.astype(np.float32) if kind in (".hdr", ".pfm") else image
    assert stated_size(cv2.imencode(kind, image)[1].tobytes()) == (24, 32)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("big", [False, True])
def test_a_tiff_of_gigabytes_is_refused_before_it_is_decoded(tmp_path, order: str, big: bool) -> None:
    """OpenCV's own limit is five times ours."""
    tags = [
        struct.pack(f"{order}HH{'QQ' if big else 'II'}", tag, 16 if big else 4, 1, 30_000)
        for tag in (256, 257)
    ]
    start = {"<": b"II", ">": b"MM"}[order]
    if big:
        head = start + struct.pack(f"{order}HHHQQ", 43, 8, 0, 16, len(tags))
    else:
        head = start + struct.pack(f"{order}HIH", 42, 8, len(tags))
    (tmp_path / "a.tif").write_bytes(head + b"".join(tags) + bytes(8))
    with pytest.raises(UserError, match="30000 x 30000 pixels are more than 200 million"):
        read_image(tmp_path / "a.tif")


def test_stated_size_of_what_is_none() -> None:
    assert stated_size(b"GIF89a" + struct.pack("<HH", 7, 5)) == (5, 7)
    for data in (
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xff\xff\xe0\0",
        b"\x89PNG\r\n\x1a\n",
        b"BM",
        b"BM" + bytes(40),
        b"GIF89a",
        b"hello",
    ):
        assert stated_size(data) == (0, 0)


@pytest.mark.parametrize("kind", [".png", ".jpg", ".bmp"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_truncated(tmp_path: Path, kind: str, share: float) -> None:
    path = write(tmp_path / f"a{kind}", picture(200, 200))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match=rf"a\{kind}: .*(truncated|damaged|not an image)"):
        read_image(path)


def test_what_is_no_image(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_text("<html>404</html>")
    with pytest.raises(UserError, match=r"a\.jpg: not an image"):
        read_image(path)


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(UserError, match=r"a\.jpg: the image file is empty"):
        read_image(tmp_path / "a.jpg")


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.jpg: no such image"):
        read_image(tmp_path / "a.jpg")
    with pytest.raises(UserError, match="cannot be read"):
        read_image(tmp_path)


def test_what_has_no_end_is_not_read(tmp_path: Path) -> None:
    """A device, a pipe that nobody writes to, a file that fills the memory."""
    os.mkfifo(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").symlink_to("/dev/zero")
    for name in ("a.jpg", "b.jpg"):
        with pytest.raises(UserError, match=rf"{name}: not a regular file"):
            read_image(tmp_path / name)
    (tmp_path / "c.jpg").touch()
    os.truncate(tmp_path / "c.jpg", 1 << 40)  # takes no room on the disk
    with pytest.raises(UserError, match=r"c.jpg: 1,099,511,627,776 bytes are more than any image has"):
        read_image(tmp_path / "c.jpg")


@pytest.mark.parametrize("name", ["a\0.jpg", "\ud800.jpg"])
def test_what_is_no_file_name_is_no_image(name: str) -> None:
    with pytest.raises(UserError, match="cannot be read") as caught:
        read_image(name)
    str(caught.value).encode()  # can be printed


def test_opencv_has_the_same_limit(tmp_path: Path) -> None:
    """For files that do not state their size where we look."""
    script = (
        "import sys, dsg, numpy as np\nfrom dsg.pipeline.images import read_image\n"
        "import cv2\ncv2.imwrite(sys.argv[1], np.zeros((40, 60, 3), np.uint8))\nread_image(sys.argv[1])"
    )
    for limit, refused in ((str(MAX_PIXELS), False), ("2000", True)):
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "a.tiff")],
            env={**os.environ, "OPENCV_IO_MAX_IMAGE_PIXELS": limit, "PYTHONPATH": str(ROOT / "lib")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ("UserError" in done.stderr) == refused, done.stderr
    fresh = [sys.executable, "-c", "import os, dsg; print(os.environ['OPENCV_IO_MAX_IMAGE_PIXELS'])"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENCV")}
    environment["PYTHONPATH"] = str(ROOT / "lib")
    printed = subprocess.run(fresh, env=environment, capture_output=True, text=True, check=True).stdout
    assert int(printed) == MAX_PIXELS


def test_a_bomb_is_not_decoded(tmp_path: Path) -> None:
    side = int(MAX_PIXELS**0.5) + 1
    path = tmp_path / "a.png"
    path.write_bytes(
        png(struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0), png_chunk(b"IDAT", zlib.compress(b"")))
    )
    with pytest.raises(UserError, match=r"a\.png: 14143 x 14143 pixels are more than 200 million"):
        read_image(path)
