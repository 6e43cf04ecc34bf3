"""Pictures as people have them: other formats, other kinds of numbers, damaged files."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from dsg.errors import UserError
from dsg.pipeline.images import read_image
from tests.cases.inputs import dataset, noise, write
from tests.cases.programs import ROOT

QUERY = "blue metal cube, left, blue metal sphere"
GREY = np.tile(np.linspace(0, 255, 200, dtype=np.uint8)[None, :, None], (150, 1, 3))


# 14: formats


def test_a_gif(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.gif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.gif"), GREY)


def test_the_first_picture_of_a_gif(tmp_path):
    red = Image.new("RGB", (40, 30), (255, 0, 0))
    red.save(tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGB", (40, 30), (0, 0, 255))])
    np.testing.assert_array_equal(read_image(tmp_path / "a.gif")[5, 5], [0, 0, 255])  # B, G, R


def test_a_transparent_gif_is_upright_and_whole(tmp_path):
    picture = Image.fromarray(GREY).convert("P")
    picture.save(tmp_path / "a.gif", transparency=0)
    assert read_image(tmp_path / "a.gif").shape == (150, 200, 3)


def test_a_damaged_gif(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.gif")
    whole = (tmp_path / "a.gif").read_bytes()
    for content in (whole[:200], whole[:10], b"GIF89a"):
        (tmp_path / "a.gif").write_bytes(content)
        with pytest.raises(UserError, match="a.gif: .*(damaged|truncated)"):
            read_image(tmp_path / "a.gif")


def box(brand):
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1" + brand + bytes(64)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (box(b"heic"), "HEIC"),
        (box(b"heix"), "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(64), "HEIC"),
        (box(b"avif"), "AVIF"),
        (box(b"isom"), "video"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(64), "JPEG 2000"),
        (b"\xff\x4f\xff\x51" + bytes(64), "JPEG 2000"),
        (b"\xff\x0a" + bytes(64), "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(64), "JPEG XL"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"></svg>', "SVG"),
        (b'<?xml version="1.0"?>\n<!-- x -->\n<svg></svg>', "SVG"),
        (b"%PDF-1.7\n" + bytes(64), "PDF"),
        (b"8BPS\0\1" + bytes(64), "Photoshop"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
    ],
)
def test_other_formats_are_named(content, name, tmp_path):
    path = tmp_path / "phone.jpg"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_image(path)
    assert "phone.jpg" in str(caught.value) and name in str(caught.value)
    if name not in ("Git LFS", "web page"):
        assert "JPEG or PNG" in str(caught.value)


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (1 / 255, 0.0)])
def test_tiff_of_floats(scale, offset, tmp_path):
    """From 0 to 255, or from 0 to 1."""
    cv2.imwrite(str(tmp_path / "a.tif"), GREY.astype(np.float32) * scale + offset)
    np.testing.assert_allclose(read_image(tmp_path / "a.tif").astype(int), GREY, atol=6)  # packed with loss


@pytest.mark.parametrize(
    "values",
    [
        GREY.astype(np.float32) * 100,
        GREY[:, :, 0].astype(np.float32) - 20,
        GREY[:, :, 0] * np.float32(np.nan),
    ],
)
def test_tiff_of_other_floats_is_refused(values, tmp_path):
    cv2.imwrite(str(tmp_path / "a.tif"), values)
    with pytest.raises(UserError, match="a.tif: .*floating point"):
        read_image(tmp_path / "a.tif")


def test_one_channel_of_floats(tmp_path):
    cv2.imwrite(str(tmp_path / "a.tif"), GREY[:, :, 0].astype(np.float32) / 255)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), GREY)


def test_whole_numbers_of_32_bits(tmp_path):
    Image.fromarray(GREY[:, :, 0].astype(np.int32) * 1000).save(tmp_path / "a.tif")
    with pytest.raises(UserError, match="a.tif"):
        read_image(tmp_path / "a.tif")


def test_formats_in_a_data_set(tmp_path, program):
    """The check names each of them; a data set of GIFs is one."""
    folder = dataset(tmp_path / "mine", name="im{}.gif", images=False)
    for number in range(16):
        (folder / "images").mkdir(exist_ok=True)
        Image.fromarray(GREY).save(folder / "images" / f"im{number}.gif")
    program("check", folder, "--output", tmp_path / "out").went_well("usable")
    (folder / "images" / "im3.gif").write_bytes(box(b"heic"))
    program("check", folder, "--output", tmp_path / "out").went_well("im3.gif", "HEIC")


def test_files_that_a_folder_leaves_out_are_counted(tmp_path, program):
    noise(tmp_path / "photos" / "a.png")
    for name in ("b.heic", "c.HEIC", "d.svg", "notes.txt", ".DS_Store"):
        (tmp_path / "photos" / name).write_bytes(box(b"heic"))
    done = program("ask", tmp_path / "photos", QUERY)
    done.went_well("photos", "3", ".heic", ".svg")
    assert "notes.txt" not in done.said and "DS_Store" not in done.said


def test_a_folder_of_other_formats(tmp_path, program):
    write(tmp_path / "photos" / "a.heic", "x")
    program("ask", tmp_path / "photos", QUERY).refused("photos", "no image", ".heic")


# 29: what libraries say of damaged files does not stand between our lines

DAMAGED = """
def program(arguments):
    from dsg.errors import UserError
    from dsg.pipeline.images import read_image
    for name in arguments:
        try:
            print(name, read_image(name).shape)
        except UserError as error:
            print(error)
"""


def test_libraries_are_silent_about_damaged_files(tmp_path):
    from tests.cases.programs import MAIN

    files = []
    for kind in ("jpg", "png", "tif", "webp", "bmp"):
        whole = noise(tmp_path / f"whole.{kind}").read_bytes()
        middle = len(whole) // 2
        for number, content in enumerate(
            (
                whole[:middle],
                whole[:middle] + b"\xff\xd9" * 20 + whole[middle + 40 :],
                whole[:40] + bytes(300),
            )
        ):
            path = tmp_path / f"{number}.{kind}"
            path.write_bytes(content)
            files.append(str(path))
    done = subprocess.run(
        [sys.executable, "-c", f"{DAMAGED}\n{MAIN}\nmain(program)", *files],
        env={"PYTHONPATH": str(ROOT / "lib"), "PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == len(files) and all(line.startswith(path) for line, path in zip(lines, files)), lines
