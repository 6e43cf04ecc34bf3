"""What the anchors of a net reach in a data set, what is said about it, and what `auto` stands for."""

from __future__ import annotations

import dataclasses
import logging
import re
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from dsg.boxes.overlaps import overlaps
from dsg.config import automatic, dump_yaml, load_config
from dsg.datasets import Dataset, Vocabulary, load_dataset
from dsg.datasets.detection import InstanceDataset
from dsg.datasets.formats.instances import Instances
from dsg.errors import UserError
from dsg.pipeline import anchor_choice
from dsg.pipeline.anchor_choice import (
    SeenBoxes,
    advice,
    log_reach,
    matched_boxes,
    net_anchors,
    reach,
    seen_boxes,
    with_anchors,
)
from dsg.pipeline.anchor_targets import _inside
from dsg.pipeline.examples import _anchors, feature_size, load_example, preprocess
from dsg.pipeline.instance_examples import load_instance_example, preprocess_instances
from tests.shared import ROOT, needs_shared, shared_path
from tests.small_dataset import config as small_config
from tests.small_dataset import small_dataset

CFGS = ROOT / "experiments" / "cfgs"


def dataset_of(*sides: float, count: int = 30, size: tuple[int, int] = (320, 480)) -> Dataset:
    """Images with squares of these sides, at places that differ."""
    rng = np.random.default_rng(0)
    records = []
    for number in range(count):
        corner = rng.uniform(0, 1, (len(sides), 2)) * (np.array(size[::-1]) - np.array(sides)[:, None])
        boxes = np.concatenate([corner, corner + np.array(sides)[:, None] - 1], 1).astype(np.float32)
        records.append(SimpleNamespace(name=str(number), height=size[0], width=size[1], boxes=boxes))
    return Dataset("squares", "train", CFGS, Vocabulary(("square",), ()), records)  # type: ignore[arg-type]


def res18(*pairs: str):
    return load_config([CFGS / "res18.yml"], pairs)


def test_boxes_are_those_of_training(tmp_path) -> None:
    dataset, config = small_dataset(tmp_path), small_config()
    seen = seen_boxes(dataset, config)
    arrays = [
        preprocess(load_example(record), config, np.random.default_rng(0)) for record in dataset.records
    ]
    np.testing.assert_allclose(seen.boxes, np.concatenate([each["gt_boxes"] for each in arrays]), rtol=1e-6)
    sizes = [each["image_size"] for each in arrays for _ in each["gt_boxes"]]
    np.testing.assert_array_equal(seen.image_sizes, sizes)
    assert seen.note == ""


def test_reach_is_that_of_the_anchors_that_training_matches(tmp_path) -> None:
    dataset, config = (
        small_dataset(tmp_path),
        small_config("ANCHOR_SCALES", "[0.7, 1, 1.5, 2.1]", "ANCHOR_RATIOS", "[0.5, 1, 2.2]"),
    )
    best = []
    for record in dataset.records:
        arrays = preprocess(load_example(record), config)
        size = tuple(int(side) for side in arrays["image_size"])
        grid = feature_size(*size, config.feature_stride)
        anchors = _anchors(grid, config.feature_stride, config.anchor_scales, config.anchor_ratios)
        inside = anchors[_inside(anchors, size, 0)]
        best.append(overlaps(inside, arrays["gt_boxes"], np.float64).max(0, initial=0))
    expected = [float((np.concatenate(best) >= iou).mean()) for iou in (0.5, 0.7)]
    assert 0 < expected[1] < expected[0] < 1
    assert reach(seen_boxes(dataset, config), config) == tuple(expected)


def test_every_scale_of_training_counts() -> None:
    seen = seen_boxes(dataset_of(40, count=2), res18("TRAIN.SCALES", "[160, 320]"))
    assert (seen.boxes[:, 2] - seen.boxes[:, 0]).round(3).tolist() == [19.5, 39, 19.5, 39]
    assert seen.image_sizes.tolist() == 2 * [[160, 240], [320, 480]]


@pytest.mark.parametrize("net", ["detector_res50", "detector_mini", "detector_res50_fpn"])
def test_boxes_of_a_detector_are_those_of_its_training(tmp_path, net) -> None:
    config = load_config(
        [CFGS / "models" / f"{net}.yml"], ["DETECTOR.MASKS", "False", "TRAIN.SCALES", "[48]"]
    )
    image = np.zeros((60, 90, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    boxes = np.array([[3, 4, 40, 50], [5, 6, 30, 30], [7, 8, 20, 20]], np.float32)
    difficult, crowd = np.array([False, True, False]), np.array([False, False, True])
    record = Instances("a", tmp_path / "a.png", 90, 60, boxes, np.array([1, 1, 2]), difficult, crowd)
    dataset = InstanceDataset("a", "train", tmp_path, Vocabulary(("x", "y"), ()), [record])
    seen = seen_boxes(dataset, config)
    arrays = preprocess_instances(load_instance_example(record), config, np.random.default_rng(0))
    assert len(seen.boxes) == 1
    np.testing.assert_allclose(seen.boxes, arrays["gt_boxes"], rtol=1e-6)
    np.testing.assert_array_equal(seen.image_sizes, [arrays["image_size"]])


def test_exact_boxes_of_a_detector_are_reached_as_training_matches_them() -> None:
    net = CFGS / "models" / "detector_mini.yml"
    config = load_config([net], ["ANCHOR_SCALES", "[2]", "ANCHOR_RATIOS", "[1]", "DETECTOR.MASKS", "False"])
    stride = config.feature_stride
    (cell,) = net_anchors(config).grids[0].cell + 2 * stride
    box = np.array([[*cell[:2], *(cell[:2] + 2 * stride)]], np.float32)  # the anchor's pixels by their edges
    seen = SeenBoxes(box, np.array([[160, 160]], np.float32), "")
    assert reach(seen, config).high == 1
    _, _, x2, y2 = matched_boxes(seen, config)[0]
    assert (x2, y2) == (cell[2], cell[3])
    released = dataclasses.replace(config, exact_boxes=False)
    np.testing.assert_array_equal(matched_boxes(seen, released), box)


def test_some_images_of_many_speak_for_all(monkeypatch) -> None:
    monkeypatch.setattr(anchor_choice, "IMAGES", 10)
    dataset = dataset_of(40, count=1000)
    seen = seen_boxes(dataset, res18())
    assert seen.note == " (in 10 of 1,000 images)" and len(seen.boxes) == 10
    for row, position in ((0, 0), (-1, -1)):
        np.testing.assert_array_equal(seen.boxes[row], dataset.records[position].boxes[0])


def test_a_line_where_anchors_fit(caplog) -> None:
    with caplog.at_level(logging.INFO, "dsg"):
        log_reach(res18(), dataset_of(30, 64, 92))
    (record,) = caplog.records
    assert record.levelname == "INFO"
    assert record.getMessage().startswith("anchors reach 100.0% of the training boxes at IoU 0.5, ")


def test_a_warning_that_names_the_remedy(caplog) -> None:
    dataset = dataset_of(16, 40, 100, 180, 200)
    with caplog.at_level(logging.INFO, "dsg"):
        log_reach(res18(), dataset)
    (record,) = caplog.records
    message = record.getMessage()
    assert record.levelname == "WARNING" and "\n" not in message
    assert message.startswith("anchors reach only 40.0% of the training boxes at IoU 0.5, ")
    assert re.search(r"ANCHOR_SCALES auto ANCHOR_RATIOS auto would reach (9\d|100)\.\d%$", message)
    caplog.clear()
    config = with_anchors(res18("ANCHOR_SCALES", "auto", "ANCHOR_RATIOS", "auto"), dataset)
    with caplog.at_level(logging.INFO, "dsg"):
        log_reach(config, dataset)
    assert caplog.records[0].levelname == "INFO"


def test_where_anchors_cannot_help_the_size_of_images_may() -> None:
    config = load_config([CFGS / "res50.yml"], ["TRAIN.SCALES", "[320]"])  # a cell is larger than the boxes
    seen = seen_boxes(dataset_of(4, 5), config)
    assert "larger images (TRAIN.SCALES" in advice(seen, config, reach(seen, config))


def test_a_pyramid() -> None:
    net = CFGS / "models" / "detector_res50_fpn.yml"
    config = load_config([net], ["TRAIN.SCALES", "[320]"])
    dataset = dataset_of(8, 9, 10, 150)
    assert [grid.stride for grid in net_anchors(config).grids] == [4, 8, 16, 32, 64]
    reached = reach(seen_boxes(dataset, config), config)
    assert reached.low == 0.25
    said = advice(seen_boxes(dataset, config), config, reached)
    assert said.startswith("the anchors of res50_fpn are fixed") and "ANCHOR_SCALES" not in said
    with pytest.raises(UserError, match="the anchors of detector_res50_fpn are fixed"):
        load_config([net], ["ANCHOR_RATIOS", "auto"])


def test_auto_becomes_numbers_of_the_configuration() -> None:
    config = res18("ANCHOR_SCALES", "auto:2", "TRAIN.SCALES", "[160]")
    chosen = with_anchors(config, dataset_of(60, 120))
    assert automatic(config) == {"ANCHOR_SCALES": "auto:2"} and automatic(chosen) == {}
    np.testing.assert_allclose(chosen.anchor_scales, [60 / 2 / 8, 120 / 2 / 8], rtol=0.05)
    assert chosen == dataclasses.replace(config, anchor_scales=chosen.anchor_scales)
    assert f"ANCHOR_SCALES: {list(chosen.anchor_scales)}" in dump_yaml(chosen)


def test_a_run_keeps_what_it_chose() -> None:
    dataset = dataset_of(60, 120)
    config = res18("ANCHOR_SCALES", "auto:2")
    before = {"ANCHOR_SCALES": [1.5, 2.5]}
    assert with_anchors(config, dataset, before).anchor_scales == (1.5, 2.5)
    both = res18("ANCHOR_SCALES", "auto:2", "ANCHOR_RATIOS", "auto")
    chosen = with_anchors(both, dataset, before)  # the ratios were not chosen then
    assert chosen == with_anchors(both, dataset) and chosen.anchor_scales != (1.5, 2.5)


def test_where_there_is_nothing_to_choose() -> None:
    empty = dataset_of(count=2)
    with pytest.raises(
        UserError, match="ANCHOR_SCALES auto:4 ANCHOR_RATIOS auto:3: squares train has no box"
    ):
        with_anchors(res18("ANCHOR_SCALES", "auto", "ANCHOR_RATIOS", "auto"), empty)
    config = res18()
    assert with_anchors(config, empty) is config
    assert advice(seen_boxes(empty, config), config, reach(seen_boxes(empty, config), config)) == ""
    baseline = load_config([CFGS / "models" / "ss.yml"], ["ANCHOR_SCALES", "auto"])
    assert with_anchors(baseline, empty) is baseline


@needs_shared("data", "coco_spatial")
def test_photographs() -> None:
    """The configuration for photographs beside the one for CLEVR, whose anchors reach few of their boxes."""
    dataset = load_dataset(shared_path("data", "coco_spatial"), "train", cache=False)
    shares = {}
    for name in ("res18_best", "res18_photos"):
        config = load_config([CFGS / f"{name}.yml"])
        shares[name] = reach(seen_boxes(dataset, config), config)
    assert shares["res18_best"].low < 0.7 and shares["res18_photos"].low > 0.9
    assert shares["res18_photos"].high > shares["res18_best"].high
    config = load_config([CFGS / "res18_best.yml"], ["ANCHOR_SCALES", "auto", "ANCHOR_RATIOS", "auto"])
    assert reach(seen_boxes(dataset, config), with_anchors(config, dataset)).low > 0.8
