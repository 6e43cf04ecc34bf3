"""`dsg.load` of a detector: its objects in Python, and the program of docs/api.md."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import dsg
from dsg.api import Model
from dsg.datasets.shapes.pictures import make_picture
from dsg.errors import UserError
from tests.shared import ROOT
from tests.small_detector import CLASSES, write_detector

DEMO = ROOT / "data" / "demo"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return dsg.load(write_detector(tmp_path_factory.mktemp("api") / "small.npz"))


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """R, G, B."""
    picture = make_picture("test", 0, {"seed": 5, "size": [192, 128], "objects": [3, 5]})[0]
    return picture[:, :, ::-1].copy()


def test_objects_of_an_image(model: Model, image: np.ndarray, tmp_path: Path) -> None:
    assert repr(model) == "<dsg model detector_mini: 3 classes>" and model.is_detector
    every = model.detect(image, threshold=0)
    assert (every.width, every.height) == (192, 128) and 1 < len(every) <= 20
    assert (np.diff(every.scores) <= 0).all() and every.boxes.dtype == np.float32
    assert (every.boxes >= 0).all() and (every.boxes <= [192, 128, 192, 128]).all()
    for thing, number in zip(every, every.classes):
        assert thing.name == CLASSES[number - 1] and thing.mask.shape == (128, 192)
    certain = model.detect(image)
    assert len(certain) == (every.scores >= 0.5).sum() < len(every)
    assert len(model.detect(image, limit=1)) == 1

    cv2.imwrite(str(tmp_path / "a.png"), image[:, :, ::-1])
    np.testing.assert_array_equal(model.detect(tmp_path / "a.png").boxes, certain.boxes)


def test_several_images(model: Model, image: np.ndarray) -> None:
    images = [image, image[:100, :150].copy(), image[:, ::-1].copy()]
    together = model.detect_many(images, threshold=0.2)
    assert len(together) == 3
    for alone, objects in zip((model.detect(one, threshold=0.2) for one in images), together):
        assert alone.names == objects.names
        np.testing.assert_allclose(alone.boxes, objects.boxes, atol=1e-2)
        np.testing.assert_allclose(alone.cells, objects.cells, atol=1e-3)


def test_without_masks(image: np.ndarray, tmp_path: Path) -> None:
    plain = ("DETECTOR.MASKS", "False", "EXACT_BOXES", "False", "DETECTOR.ROI_MODE", "crop")
    objects = dsg.load(write_detector(tmp_path / "plain.npz", *plain)).detect(image, threshold=0.3)
    assert len(objects) and objects.masks is None and objects[0].mask is None


@pytest.mark.parametrize(
    "call",
    [
        lambda model, image: model.ask(image, ["dog, on, cat"]),
        lambda model, image: model.scene_graph(image),
        lambda model, image: model.answers([image], []),
        lambda model, image: model.query("dog, on, cat"),
    ],
)
def test_a_detector_answers_no_queries(model: Model, image: np.ndarray, call) -> None:
    with pytest.raises(
        UserError, match=r"3 classes> is a detector and answers no queries: use detect\(image"
    ):
        call(model, image)


def test_a_model_for_queries_detects_nothing(image: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"4 predicates> answers queries and detects nothing: use ask\(image"):
        dsg.load(DEMO / "mini.npz").detect(image)


def test_a_single_image_is_no_list(model: Model, image: np.ndarray) -> None:
    for single in (image, "a.png"):
        with pytest.raises(UserError, match="several images are given as a list"):
            model.detect_many(single)


def test_the_program_of_the_document(
    image: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chapter = (ROOT / "docs" / "api.md").read_text(encoding="utf-8").partition("\n## Detectors\n")[2]
    found = re.search(r"(?:^ {4}.*\n|^\n(?= {4}))+", chapter, re.MULTILINE)
    assert found is not None
    write_detector(tmp_path / "detector.npz")
    cv2.imwrite(str(tmp_path / "photo.jpg"), image[:, :, ::-1])
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(textwrap.dedent(found[0]), "docs/api.md", "exec"), names)
    objects = names["objects"]
    assert len(objects) and (objects.scores >= 0.7).all()
    assert len(capsys.readouterr().out.splitlines()) == len(objects)
