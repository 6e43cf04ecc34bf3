"""The shapes generator: pictures, boxes and relations fit each other, and the same settings give the same
bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dsg.datasets import ambiguous, load_dataset
from dsg.datasets.shapes.generator import generate_shapes
from dsg.datasets.shapes.pictures import make_picture
from dsg.datasets.shapes.render import draw, look, visible_boxes
from dsg.datasets.shapes.scene import (
    COLOURS,
    OBJECTS,
    PREDICATES,
    Camera,
    Scene,
    Solid,
    relations,
    sample_scene,
)
from dsg.errors import UserError
from tests.shared import ROOT, needs_shared, shared_path

SETTINGS: dict[str, Any] = {"seed": 0, "size": [192, 128], "objects": [3, 7]}
SMALL: dict[str, Any] = {"size": (96, 64), "workers": 1, "progress": False}


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> Path:
    return generate_shapes(
        tmp_path_factory.mktemp("data") / "shapes", train=40, test=10, workers=1, progress=False
    )


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.md5(path.read_bytes()).hexdigest() for path in files}


def level_camera(width: int = 192, height: int = 128) -> Camera:
    """At (0, -8, 3), looking level along y."""
    axes = np.eye(3)
    return Camera(np.array([0.0, -8.0, 3.0]), axes[0], axes[2], axes[1], 150.0, width, height)


def scene_of(*solids: Solid) -> Scene:
    lamps = np.array([[4.0, -4.0, 7.0], [-6.0, -3.0, 5.0], [-2.0, 5.0, 6.0]])
    return Scene(solids, level_camera(), lamps, 1.0)


def test_layout_is_that_of_clevr(generated: Path) -> None:
    files = contents(generated)
    assert len([name for name in files if name.startswith("CLEVR_v1.0/images/train/")]) == 40
    assert len([name for name in files if name.startswith("CLEVR_v1.0/images/val/")]) == 10
    for split, number in (("train", 40), ("test", 10)):
        annotations = json.loads((generated / f"annotations_{split}.json").read_text())
        sizes = json.loads((generated / f"{split}_image_metadata.json").read_text())
        assert list(annotations) == list(sizes) and len(sizes) == number
        assert set(map(str, sizes.values())) == {"{'width': 192, 'height': 128}"}
        relationship = next(iter(annotations.values()))[0]
        assert list(relationship) == ["predicate", "subject", "object"]
        assert list(relationship["subject"]) == ["category", "bbox"]


def test_vocabulary() -> None:
    assert len(OBJECTS) == 48 and list(OBJECTS) == sorted(OBJECTS)
    assert OBJECTS[0] == "blue_metal_cube" and OBJECTS[-1] == "yellow_rubber_sphere"
    assert PREDICATES == ("behind", "front", "left", "right")


@needs_shared("data", "clevr")
def test_vocabulary_is_that_of_clevr() -> None:
    folder = shared_path("data", "clevr")
    assert json.loads((folder / "objects.json").read_text()) == list(OBJECTS)
    assert json.loads((folder / "predicates.json").read_text()) == list(PREDICATES)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_it_loads_and_no_record_is_left_out(generated: Path, split: str) -> None:
    dataset = load_dataset("shapes", split, data_dir=generated.parent)
    assert not dataset.skipped
    assert len(dataset) == {"train": 36, "validation": 4, "test": 10}[split]
    for record in dataset.records:
        picture = cv2.imread(str(record.path))
        assert picture.shape == (128, 192, 3)
        assert 3 <= len(record.entities) <= 7
        assert (record.boxes[:, :2] >= 0).all() and (record.boxes[:, 2:] <= [192, 128]).all()


def test_most_queries_need_the_relation(generated: Path) -> None:
    records = [
        r
        for split in ("trainval", "test")
        for r in load_dataset("shapes", split, data_dir=generated.parent).records
    ]
    assert np.concatenate([ambiguous(record) for record in records]).mean() >= 0.4
    assert np.mean([len(record.queries) for record in records]) < 40


def test_relations_are_complete_and_consistent(generated: Path) -> None:
    for record in load_dataset("shapes", "test", data_dir=generated.parent).records:
        number = len(record.entities)
        related = np.zeros((4, number, number), bool)
        related[record.triples[:, 1], record.triples[:, 0], record.triples[:, 2]] = True
        behind, front, left, right = related
        others = ~np.eye(number, dtype=bool)
        np.testing.assert_array_equal(behind ^ front, others)
        np.testing.assert_array_equal(left ^ right, others)
        np.testing.assert_array_equal(left, right.T)
        np.testing.assert_array_equal(behind, front.T)


def test_relations_are_decided_on_the_plane() -> None:
    near_left = Solid("red", "rubber", "cube", 0.5, -2.0, -1.0, 0.0)
    far_right = Solid("blue", "rubber", "cube", 0.5, 1.0, 2.0, 0.0)
    found = relations(scene_of(near_left, far_right))
    named = {(subject, PREDICATES[predicate], obj) for subject, predicate, obj in found}
    assert named == {(0, "front", 1), (1, "behind", 0), (0, "left", 1), (1, "right", 0)}
    assert [predicate for _, predicate, _ in found] == sorted(predicate for _, predicate, _ in found)


@pytest.mark.parametrize("shape", ["sphere", "cube", "cylinder"])
def test_box_is_the_visible_extent(shape: str) -> None:
    """Seen level from distance d, a solid of radius r spans focal * r / d to both sides, nearly."""
    solid = Solid("red", "rubber", shape, 0.7, 1.0, 0.0, 0.0)
    ((x1, y1, x2, y2),) = visible_boxes(look(scene_of(solid)))
    half, high = solid.half_extent
    depth = 8 - half  # the front of cube and cylinder
    assert abs((x1 + x2) / 2 - (96 + 150 * 1.0 / 8)) <= 2.5
    assert abs((x2 - x1) - 2 * 150 * half / (8 if shape != "cube" else depth)) <= 2.5
    top = 64 + 150 * (3 - 2 * high) / (8 + (half if shape != "sphere" else 0))
    bottom = 64 + 150 * 3 / (depth if shape != "sphere" else 8)
    assert abs(y1 - top) <= 2.5 and abs(y2 - bottom) <= 4


def test_what_stands_in_front_hides() -> None:
    front = Solid("red", "rubber", "cube", 0.8, 0.0, -2.0, 0.0)
    half_hidden = Solid("blue", "rubber", "cube", 0.8, 0.0, 1.0, 0.0)
    alone = visible_boxes(look(scene_of(half_hidden)))[0]
    view = look(scene_of(front, half_hidden))
    boxes = visible_boxes(view)
    assert view.shown[0] == 1.0 and 0.2 < view.shown[1] < 0.9
    assert boxes[1][3] < alone[3] and boxes[1][1] == alone[1]
    hidden = Solid("blue", "rubber", "cube", 0.3, 0.0, -1.0, 0.0)
    view = look(scene_of(front, hidden))
    assert view.shown[1] == 0 and visible_boxes(view)[1].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("colour", COLOURS)
def test_colours_are_seen(colour: str) -> None:
    """The middle of a rubber cube's face has the hue of its colour."""
    view = look(scene_of(Solid(colour, "rubber", "cube", 0.9, 0.0, 0.0, 0.0)))
    x1, y1, x2, y2 = visible_boxes(view)[0]
    pixel = draw(view)[(y1 + 2 * y2) // 3, (x1 + x2) // 2, ::-1].astype(float)
    wanted = np.array(COLOURS[colour], float)
    assert np.dot(pixel, wanted) / np.linalg.norm(pixel) / np.linalg.norm(wanted) > 0.97


def test_shadows_and_materials() -> None:
    rubber = Solid("gray", "rubber", "sphere", 0.8, 0.0, 0.0, 0.0)
    metal = Solid("gray", "metal", "sphere", 0.8, 0.0, 0.0, 0.0)
    empty = Solid("gray", "rubber", "sphere", 0.2, 3.5, 0.0, 0.0)
    pictures = [draw(look(scene_of(solid))).astype(int) for solid in (rubber, metal, empty)]
    x1, y1, x2, y2 = visible_boxes(look(scene_of(rubber)))[0]
    below = slice(y2, y2 + 2), slice(x1, x2)
    assert pictures[0][below].mean() < pictures[2][below].mean() - 25
    inside = slice(y1 + 5, y2 - 5), slice(x1 + 5, x2 - 5)
    assert np.median(pictures[1][inside]) < np.median(pictures[0][inside]) - 10
    assert pictures[1][inside].max() > pictures[0][inside].max() + 20


def test_a_picture_depends_on_its_number_only() -> None:
    first, same, other, test = (
        make_picture(*which, SETTINGS) for which in (("train", 5), ("train", 5), ("train", 6), ("test", 5))
    )
    np.testing.assert_array_equal(first[0], same[0])
    assert first[1] == same[1]
    assert first[1] != other[1] and first[1] != test[1]
    assert make_picture("train", 5, {**SETTINGS, "seed": 1})[1] != first[1]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # forked while libraries hold threads
def test_same_bytes_whatever_the_number_of_pictures_and_workers(tmp_path) -> None:
    one = contents(generate_shapes(tmp_path / "one", train=20, test=2, **SMALL))
    again = contents(generate_shapes(tmp_path / "again", train=20, test=2, **{**SMALL, "workers": 3}))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    fewer = contents(generate_shapes(tmp_path / "fewer", train=3, test=2, **SMALL))
    assert one == again
    images = {name: digest for name, digest in fewer.items() if name.endswith(".png")}
    assert len(images) == 5 and images.items() <= one.items()


def test_what_is_there_is_used_again(tmp_path) -> None:
    folder = generate_shapes(tmp_path / "shapes", train=3, test=2, **SMALL)
    (folder / "mark").write_text("still here")
    generate_shapes(folder, train=3, test=2, **SMALL)
    with pytest.raises(UserError, match=r"other settings \(train 3 instead of 4\).*--force"):
        generate_shapes(folder, train=4, test=2, **SMALL)
    assert (folder / "mark").exists()
    generate_shapes(folder, train=4, test=2, force=True, **SMALL)
    assert not (folder / "mark").exists()
    assert len(json.loads((folder / "annotations_train.json").read_text())) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["shapes"]


@pytest.mark.parametrize("force", [False, True])
def test_what_is_not_ours_is_not_touched(tmp_path, force: bool) -> None:
    folder = tmp_path / "shapes"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="not empty, and not generated shapes"):
        generate_shapes(folder, train=3, test=2, force=force, **SMALL)
    assert (folder / "thesis.txt").read_text() == "precious"
    with pytest.raises(UserError, match="a file, not a folder"):
        generate_shapes(folder / "thesis.txt", train=3, test=2, force=force, **SMALL)


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cv2, "imencode", interrupt)
    with pytest.raises(KeyboardInterrupt):
        generate_shapes(tmp_path / "shapes", train=3, test=2, **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_signal_ends_the_workers_and_leaves_nothing(tmp_path) -> None:
    """What train.sh makes of Ctrl-C, when the workers have begun."""
    words = ["--train", "4000", "--size", "512", "512", "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tools" / "generate_shapes.py"), str(tmp_path / "shapes"), *words],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        seen = b""
        while not re.search(rb"[1-9]\d*/4400 ", seen):
            seen += (more := os.read(process.stderr.fileno(), 4096))
            assert more, seen
        process.terminate()
        _, message = process.communicate(timeout=60)  # until nobody has the other end, workers included
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 143
    assert message.splitlines()[-2].endswith(b"shapes: nothing was changed")
    assert message.splitlines()[-1] == b"interrupted by SIGTERM"
    assert b"Traceback" not in message
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        generate_shapes(tmp_path / "file" / "shapes", train=3, test=2, **SMALL)


@pytest.mark.parametrize(
    "wrong",
    [
        {"train": 0},
        {"test": -1},
        {"size": (20, 128)},
        {"size": (192, 5000)},
        {"objects": (1, 3)},
        {"objects": (5, 4)},
        {"objects": (3, 11)},
        {"seed": -1},
    ],
)
def test_settings_that_make_no_sense(tmp_path, wrong: dict) -> None:
    with pytest.raises(UserError, match="shapes: "):
        generate_shapes(tmp_path / "shapes", **wrong)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [(128, 128), (64, 160), (300, 100)])
def test_other_sizes(size: tuple[int, int]) -> None:
    picture, relationships = make_picture("train", 0, {**SETTINGS, "size": list(size), "objects": [2, 4]})
    assert picture.shape == (size[1], size[0], 3) and relationships
    assert sample_scene(np.random.default_rng(0), size, (2, 2)).camera.width == size[0]


def run_tool(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "generate_shapes.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=os.fspath(ROOT), check=False)


def test_tool(tmp_path) -> None:
    small = ("--train", 2, "--test", 1, "--size", 96, 64, "--workers", 1)
    done = run_tool(tmp_path / "shapes", *small)
    assert done.returncode == 0, done.stderr
    assert "2 train and 1 test images" in done.stdout and "3/3" in done.stderr
    assert len(load_dataset("shapes", "trainval", data_dir=tmp_path)) == 2
    refused = run_tool(tmp_path / "shapes", *small, "--seed", 7)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1 and "seed 0 instead of 7" in refused.stderr
