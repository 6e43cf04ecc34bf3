"""Where data sets and their images are looked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dsg.datasets.catalogue import CATALOGUE, ImageFolders, find_dataset
from dsg.errors import UserError
from tests.datasets.files import write_dataset
from tests.shared import ROOT

LIB = ROOT / "lib"


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


@pytest.mark.parametrize("spelling", ["VRD", "vrd", "Vrd"])
def test_a_known_name_is_found_whatever_the_case(tmp_path, spelling: str) -> None:
    folder = write_dataset(tmp_path / spelling)
    for name in ("vrd", "VRD"):
        label, found, entry = find_dataset(name, tmp_path)
        assert (label, found.resolve(), entry) == ("vrd", folder.resolve(), CATALOGUE["vrd"])


def test_the_folder_itself_may_be_given_as_data_folder(tmp_path) -> None:
    folder = write_dataset(tmp_path / "somewhere")
    assert find_dataset("clevr", folder) == ("clevr", folder, CATALOGUE["clevr"])
    assert find_dataset("somewhere", folder) == ("somewhere", folder, None)


def test_any_folder_by_path_or_by_place(tmp_path) -> None:
    folder = write_dataset(tmp_path / "Mine")
    for name in (folder, str(folder), "Mine", "mine"):
        label, found, entry = find_dataset(name, tmp_path)
        assert (label, entry) == ("Mine", None)
        assert found.resolve() == folder.resolve()
    with pytest.raises(UserError, match="unknown data set"):
        find_dataset("mine", tmp_path / "elsewhere")


def test_visual_genome_images_lie_in_two_folders(tmp_path) -> None:
    first = put(tmp_path / "JPEGImages" / "VG_100K" / "1.jpg")
    second = put(tmp_path / "JPEGImages" / "VG_100K_2" / "2.jpg")
    for split in ("train", "validation", "test"):
        images = ImageFolders(tmp_path, CATALOGUE["visualgenome"], split)
        assert images.path("1.jpg") == first
        assert images.path("2.jpg") == second
        assert images.path("3.jpg") == tmp_path / "JPEGImages" / "VG_100K" / "3.jpg"


def test_each_split_of_clevr_and_vrd_has_its_folder(tmp_path) -> None:
    for name, train, test in (
        ("clevr", "CLEVR_v1.0/images/train", "CLEVR_v1.0/images/val"),
        ("vrd", "sg_dataset/sg_train_images", "sg_dataset/sg_test_images"),
    ):
        for split, folder in (("train", train), ("validation", train), ("test", test)):
            image = put(tmp_path / name / folder / "a.png")
            assert ImageFolders(tmp_path / name, CATALOGUE[name], split).path("a.png") == image


@pytest.mark.parametrize("place", ["images/test", "images", "test", ".", "CLEVR_v1.0/images/val"])
def test_images_of_any_folder(tmp_path, place: str) -> None:
    image = put(tmp_path / place / "a.png")
    assert ImageFolders(tmp_path, None, "test").path("a.png") == image


def test_names_with_folders_in_them(tmp_path) -> None:
    image = put(tmp_path / "images" / "part" / "a.png")
    images = ImageFolders(tmp_path, None, "train")
    assert images.path("part/a.png") == image
    assert images.path("images/part/a.png") == image
    assert images.path("gone/a.png") == tmp_path / "images" / "gone" / "a.png"


@pytest.mark.parametrize("name", ["a" * 300, "a" * 300 + "/b.jpg", "a/" * 3000 + "b.jpg", "a\0/b.jpg"])
def test_names_that_no_file_can_have(tmp_path, name: str) -> None:
    put(tmp_path / "images" / "a.png")
    assert ImageFolders(tmp_path, None, "train").path(name) == tmp_path / "images" / name


UNREADABLE = """
import os, sys
from pathlib import Path
from dsg.datasets.catalogue import ImageFolders

Path().chmod(0o755)
Path("images/part").chmod(0)
if os.geteuid() == 0:  # who may read everything
    os.seteuid(65534)
print(ImageFolders(Path(), None, "train").path("part/a.png"))
"""


def test_a_folder_that_cannot_be_listed_has_no_images(tmp_path) -> None:
    put(tmp_path / "images" / "part" / "a.png")
    environment = {**os.environ, "PYTHONPATH": str(LIB)}
    done = subprocess.run(
        [sys.executable, "-c", UNREADABLE], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.stdout == "images/part/a.png\n", done.stderr


def test_a_data_set_of_a_name_that_no_file_can_have(tmp_path) -> None:
    with pytest.raises(UserError, match="unknown data set 'aaa"):
        find_dataset("a" * 300, tmp_path)
