"""The page of a detector: what it shows, over HTTP, and its examples."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import dsg
from dsg.apps.serve.command import find_examples, free_port, opened
from dsg.apps.serve.detection_figure import detection_figure, object_list
from dsg.apps.serve.detection_service import LOWEST, DetectionService
from dsg.apps.serve.page import import_gradio
from dsg.apps.serve.upload import Limits
from dsg.errors import UserError
from dsg.models.detector.objects import DetectedObjects
from tests.apps.serve.running import DEMO, HERE, LIMITS, needs_gradio
from tests.apps.serve.test_service import of_class, parsed
from tests.small_detector import write_detector

IMAGE = DEMO / "images" / "demo_0.png"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> DetectionService:
    snapshot = write_detector(tmp_path_factory.mktemp("detections") / "small.npz")
    return DetectionService(dsg.load(snapshot), Limits())


def test_objects_are_shown(service: DetectionService) -> None:
    shown = service.detect(IMAGE, 0.5)
    expected = service.model.detect(IMAGE, threshold=0.5)
    assert shown.data["objects"] == expected.to_json(masks=False)["objects"]
    assert (shown.data["width"], shown.data["height"]) == (384, 256)
    tree = parsed(shown.figure)
    (boxes,), (masks,), (labels,) = (of_class(tree, name) for name in ("boxes", "masks", "labels"))
    titles = [element.text for element in boxes.iter() if element.tag.endswith("title")]
    captions = [f"{name} {score:.2f}" for name, score in zip(expected.names, expected.scores)]
    assert sorted(titles) == sorted(captions)
    assert 0 < sum(element.tag.endswith("path") for element in masks.iter()) <= len(expected)
    texts = [element.text for element in labels.iter() if element.tag.endswith("text")]
    assert texts and texts[0] == captions[0]  # the best is always labelled
    rows = [element for element in parsed(shown.listed).iter() if element.tag == "tr"]
    assert len(rows) == len(expected) + 1
    assert list(shown.data["seconds"]) == ["reading", "network", "drawing", "together"]


def test_an_image_is_looked_at_once(service: DetectionService, monkeypatch: pytest.MonkeyPatch) -> None:
    every = service.detect(IMAGE, LOWEST)
    monkeypatch.setattr(service.model, "detect", None)  # the network is not needed any more
    less = service.detect(IMAGE, 0.9)
    assert len(less.data["objects"]) < len(every.data["objects"])
    assert less.data["objects"] == every.data["objects"][: len(less.data["objects"])]
    assert "Nothing reaches this score" in service.detect(IMAGE, 1.0).listed


@pytest.mark.parametrize(
    ("path", "threshold", "message"),
    [
        (None, 0.5, "Choose an image first"),
        (Path(__file__), 0.5, "is not an image"),
        (IMAGE, 1.5, "a number from 0 to 1"),
        (IMAGE, "high", "a number from 0 to 1"),
        (IMAGE, float("nan"), "a number from 0 to 1"),
        (IMAGE, None, "a number from 0 to 1"),
    ],
)
def test_refusals(service: DetectionService, path: Path, threshold: float, message: str) -> None:
    with pytest.raises(UserError, match=message):
        service.detect(path, threshold)


def test_words_cannot_write_html() -> None:
    evil = '<script>alert("1")</script>'
    objects = DetectedObjects(
        width=60,
        height=40,
        boxes=np.array([[1, 2, 30, 20]], np.float32),
        names=(evil,),
        classes=np.array([1], np.int32),
        scores=np.array([0.9], np.float32),
        cells=np.ones((1, 28, 28), np.float32),
    )
    for page in (detection_figure(np.zeros((40, 60, 3), np.uint8), objects), object_list(objects)):
        parsed(page)
        assert "<script" not in page and "&lt;script&gt;" in page
    nothing = objects[:0]
    parsed(detection_figure(np.zeros((40, 60, 3), np.uint8), nothing))
    parsed(object_list(nothing))


def test_examples(service: DetectionService, tmp_path: Path) -> None:
    examples = find_examples(service.model, DEMO)  # of another vocabulary, which matters only for queries
    assert len(examples) == 6 and all(one.path.is_file() and not any(one.words) for one in examples)
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((40, 60, 3), np.uint8))
    assert [one.path.name for one in find_examples(service.model, tmp_path)] == ["a.png"]


@needs_gradio
def test_over_http(service: DetectionService, tmp_path: Path) -> None:
    from gradio_client import Client, handle_file

    limited = DetectionService(service.model, LIMITS)
    examples = find_examples(service.model, DEMO)
    with opened(import_gradio(), limited, examples, HERE, free_port(HERE, 0)) as url:
        client = Client(url, verbose=False)
        figure, listed, timings, data = client.predict(handle_file(IMAGE), 0.5, api_name="/detect")
        assert data["objects"] == limited.model.detect(IMAGE).to_json(masks=False)["objects"]
        assert "<svg" in figure and "<table" in listed and "network" in timings
        (tmp_path / "notes.png").write_text("no picture")
        answered = client.predict(handle_file(tmp_path / "notes.png"), 0.5, api_name="/detect")
        assert "notes.png is not an image" in answered[3]["error"]
        assert "<svg" in client.predict(handle_file(IMAGE), api_name="/preview")[0]
