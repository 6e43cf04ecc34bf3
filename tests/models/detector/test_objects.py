"""The objects that programs get."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dsg.boxes.paste import paste_masks
from dsg.datasets.formats.segmentations import encode
from dsg.models.detector.objects import VERSION, DetectedObjects

HEIGHT, WIDTH = 40, 60


def objects(masks: bool = True) -> DetectedObjects:
    rng = np.random.default_rng(0)
    corners = np.sort(rng.uniform(0, [WIDTH, HEIGHT], (4, 2, 2)), axis=1)
    return DetectedObjects(
        width=WIDTH,
        height=HEIGHT,
        boxes=corners.reshape(4, 4).astype(np.float32),
        names=("dog", "cat", "dog", "traffic light"),
        classes=np.array([2, 1, 2, 3], np.int32),
        scores=np.array([0.9, 0.8, 0.5, 0.1], np.float32),
        cells=rng.random((4, 28, 28), np.float32) if masks else None,
    )


def test_a_sequence_of_objects() -> None:
    found = objects()
    assert len(found) == 4 and [one.name for one in found] == list(found.names)
    last, second = found[-1], found[1]
    assert (last.name, second.name) == ("traffic light", "cat") and second.score == pytest.approx(0.8)
    np.testing.assert_allclose(last.box, found.boxes[3])
    with pytest.raises(IndexError):
        found[4]
    assert [one.name for one in found[1:3]] == ["cat", "dog"] and found[1:3].classes.tolist() == [1, 2]


def test_masks_are_those_of_pasting() -> None:
    found = objects()
    expected = paste_masks(found.cells, found.boxes, HEIGHT, WIDTH) > 0.5
    assert found.masks is not None and found.masks.dtype == bool
    np.testing.assert_array_equal(found.masks, expected)
    for one, mask in zip(found, expected):
        np.testing.assert_array_equal(one.mask, mask)
    assert objects(masks=False).masks is None and objects(masks=False)[0].mask is None


@pytest.mark.parametrize(
    ("threshold", "limit", "left"), [(0.5, 100, 3), (0.51, 100, 2), (0, 2, 2), (0.95, 9, 0), (0, 0, 0)]
)
def test_chosen(threshold: float, limit: int, left: int) -> None:
    found = objects().chosen(threshold, limit)
    assert len(found) == len(found.names) == len(found.classes) == left
    np.testing.assert_array_equal(found.boxes, objects().boxes[:left])
    assert found.masks is not None and found.masks.shape == (left, HEIGHT, WIDTH)


def test_plain_data() -> None:
    found = objects()
    plain = json.loads(json.dumps(found.to_json()))
    assert (plain["version"], plain["width"], plain["height"]) == (VERSION, WIDTH, HEIGHT)
    assert [one["class"] for one in plain["objects"]] == list(found.names)
    np.testing.assert_allclose([one["box"] for one in plain["objects"]], found.boxes, atol=0.006)
    assert found.masks is not None
    assert [one["mask"] for one in plain["objects"]] == [encode(mask) for mask in found.masks]
    for without in (objects(masks=False).to_json(), found.to_json(masks=False)):
        assert all(set(one) == {"class", "score", "box"} for one in without["objects"])


def test_drawn() -> None:
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    drawn = objects().draw(image)
    assert drawn.shape[0] >= HEIGHT and (image == 90).all()
    assert not np.array_equal(drawn, objects().draw(image, by_object=True))
