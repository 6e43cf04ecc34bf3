"""The reader of VG150 on files that are small or wrong. The release's results are in tests/parity."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from dsg.datasets.formats.vg150 import Vg150Files, draw_relations, read_vg150
from dsg.errors import UserError


def test_a_repeated_relation_is_drawn_more_often() -> None:
    rng = np.random.default_rng(0)
    repeated = np.array([[0, 1, 5], [0, 1, 5], [0, 1, 6], [1, 0, 2]], np.int32)
    drawn = [draw_relations(repeated, rng) for _ in range(2000)]
    assert all(rows[:, :2].tolist() == [[0, 1], [1, 0]] and rows[1, 2] == 2 for rows in drawn)
    assert np.mean([rows[0, 2] == 5 for rows in drawn]) == pytest.approx(2 / 3, abs=0.05)


@pytest.fixture
def files(tmp_path: Path) -> Vg150Files:
    """Two images, the first with two boxes, the second with one."""
    made = Vg150Files(tmp_path / "VG-SGG.h5", tmp_path / "dicts.json", tmp_path / "image_data.json", tmp_path)
    with h5py.File(made.graphs, "w") as file:
        arrays = {
            "split": [0, 2],
            "img_to_first_box": [0, 2],
            "img_to_last_box": [1, 2],
            "img_to_first_rel": [0, 1],
            "img_to_last_rel": [0, 1],
            "boxes_1024": [[10, 11, 21, 20], [0, 0, 1, 8], [100, 100, 50, 50]],
            "labels": [[1], [2], [2]],
            "relationships": [[0, 1], [2, 2]],
            "predicates": [[1], [1]],
        }
        for name, values in arrays.items():
            file[name] = np.array(values)
    made.dictionary.write_text(
        json.dumps({"label_to_idx": {"cat": 1, "dog": 2}, "predicate_to_idx": {"on": 1}})
    )
    made.image_data.write_text(
        json.dumps([{"image_id": n, "width": 512, "height": 256} for n in (7, 1592, 8)])
    )
    return made


def test_a_file_without_attributes(files: Vg150Files) -> None:
    image = read_vg150(files, "train", validation_images=0, need_relations=False).images[0]
    assert image.name == "7.jpg" and image.path == files.images / "7.jpg" and image.attributes.shape == (2, 0)
    # 10 - 10.5 is -0.5, and 0 - 0.5 too: both go to 0. 1024 units are 512 pixels.
    np.testing.assert_array_equal(image.boxes, [[0, 0.5, 10.5, 10.5], [0, -2, 0.5, 2]])
    assert image.relations.tolist() == [[0, 1, 0]]


def changed(files: Vg150Files, name: str, values: list) -> None:
    with h5py.File(files.graphs, "a") as file:
        del file[name]
        file[name] = np.array(values)


@pytest.mark.parametrize(
    "name, values, message",
    [
        ("labels", [[1], [3], [2]], r"labels\[1\] is 3, dicts.json has 1 to 2"),
        ("predicates", [[1], [0]], r"predicates\[1\] is 0, dicts.json has 1 to 1"),
        ("img_to_last_box", [1, 7], "row 1 has labels 2 to 7 of 3"),
        ("relationships", [[0, 2], [2, 2]], "row 0 relates boxes of another image"),
        ("labels", [1, 2, 2], r"labels is \[3\], not \[\*, 1\]"),
        ("predicates", [[1]], "relationships and predicates are not of the same length"),
        ("img_to_first_rel", [0], r"img_to_first_rel is \[1\]"),
        ("split", [[0, 2]], "img_to_first_box"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(files: Vg150Files, name: str, values: list, message: str) -> None:
    changed(files, name, values)
    with pytest.raises(UserError, match=message):
        read_vg150(files, "train", validation_images=0)


def test_other_files_that_do_not_fit_are_refused(files: Vg150Files) -> None:
    files.image_data.write_text(json.dumps([{"image_id": 7, "width": 5, "height": 5}]))
    with pytest.raises(UserError, match="1 images .* has 2; the two must belong together"):
        read_vg150(files, "train")
    files.image_data.write_text(json.dumps([{"image_id": 7, "width": 0, "height": 5}]))
    with pytest.raises(UserError, match="image 0 has no image_id, width and height"):
        read_vg150(files, "train")
    files.dictionary.write_text(json.dumps({"label_to_idx": {"cat": 1, "dog": 3}}))
    with pytest.raises(UserError, match="label_to_idx does not count from 1 to 2"):
        read_vg150(files, "train")
    files.dictionary.write_text("[]")
    with pytest.raises(UserError, match="has no label_to_idx"):
        read_vg150(files, "train")


def test_a_file_that_is_cut_or_reaches_outside_is_refused(files: Vg150Files, tmp_path: Path) -> None:
    content = files.graphs.read_bytes()
    for length in (0, 100, len(content) // 2, len(content) - 200):
        files.graphs.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"VG-SGG\.h5: (cannot be read|lacks)"):
            read_vg150(files, "train")
    files.graphs.write_bytes(content)
    with h5py.File(files.graphs, "a") as file:
        del file["labels"]
        file["labels"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "labels")
    with pytest.raises(UserError, match="labels is not an array of the file itself|lacks labels"):
        read_vg150(files, "train")
    with h5py.File(files.graphs, "a") as file:
        del file["labels"]
        file.create_dataset("labels", (10**11, 1), "i8", chunks=(1000, 1))
    with pytest.raises(UserError, match="labels claims to hold"):
        read_vg150(files, "train")
    with pytest.raises(UserError, match="no such file"):
        read_vg150(dataclasses.replace(files, graphs=tmp_path / "none.h5"), "train")


def test_images_without_objects_or_relations_are_counted(files: Vg150Files) -> None:
    changed(files, "split", [0, 0])
    changed(files, "img_to_first_rel", [0, -1])
    train = read_vg150(files, "train", validation_images=0)
    assert [image.name for image in train.images] == ["7.jpg"]
    assert train.skipped == {"no relations": ["8.jpg"]}
    for name in ("img_to_first_box", "img_to_last_box"):
        changed(files, name, [0 if name == "img_to_first_box" else 1, -1])
    for needed in (True, False):
        train = read_vg150(files, "train", validation_images=0, need_relations=needed)
        assert len(train.images) == 1 and train.skipped == {"no objects": ["8.jpg"]}
    # Of the images in front of the first of training, the validation split says so.
    validation = read_vg150(files, "validation", validation_images=1)
    assert [image.name for image in validation.images] == ["7.jpg"]
    assert validation.skipped == {"no objects": ["8.jpg"]}


def test_another_split_than_the_file_has_is_one_line(files: Vg150Files) -> None:
    changed(files, "split", [0, 0])
    with pytest.raises(UserError, match="no image of test can be used"):
        read_vg150(files, "test")


def test_an_empty_split_is_one_line(files: Vg150Files) -> None:
    with pytest.raises(UserError, match="no image of train can be used"):
        read_vg150(files, "train", validation_images=1)
    with pytest.raises(UserError, match="no split 'val'"):
        read_vg150(files, "val")
