"""One example, step by step: the release's input and anchor targets, mirror images, unusable images."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dsg.config import load_config
from dsg.datasets import Dataset, ImageRecord, mirrored
from dsg.errors import UserError
from dsg.pipeline.examples import feature_size, load_example, preprocess, rpn_targets, to_batch
from tests.golden import golden
from tests.pipeline.test_images import with_orientation
from tests.small_dataset import config, make_record, png, small_dataset, spoil


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return small_dataset(tmp_path)


@pytest.mark.parametrize("name", ["forward_res101_generated", "forward_res50_generated"])
def test_input_is_the_releases(tmp_path: Path, name: str) -> None:
    case = golden(name)
    image = case["input/image_bgr_u8"]
    cv2.imwrite(str(tmp_path / "a.png"), image)
    boxes = case["input/boxes_orig"]
    record = ImageRecord(
        name="a.png",
        path=tmp_path / "a.png",
        width=image.shape[1],
        height=image.shape[0],
        boxes=boxes,
        entities=case["input/partial_entity_class"].argmax(-1).astype(np.int32),
        predicates=np.full((len(boxes), len(boxes)), -1, np.int32),
        queries=np.zeros((4, 3), np.int32),
        roles=case["input/gt_labels"][..., 0].astype(np.int32),
        subject_masks=np.zeros((4, len(boxes)), bool),
        object_masks=np.zeros((4, len(boxes)), bool),
        triples=np.zeros((0, 3), np.int32),
    )
    options = load_config(overrides=["TEST.SCALES", "[300]", "TEST.MAX_SIZE", "500"])
    batch = to_batch([preprocess(load_example(record), options)])
    steps = tuple(slice(None, None, int(step)) for step in case["blob.sub_steps"])
    np.testing.assert_allclose(batch["image"][steps], case["blob.sub"], rtol=0, atol=1e-4)
    np.testing.assert_array_equal([*batch["image_size"][0], batch["scale"][0]], case["input/im_info"])
    np.testing.assert_array_equal(batch["gt_boxes"][0], case["input/gt_boxes"])

    legacy: Any = np.random.RandomState(int(case["input/np_random_seed"]))
    targets = rpn_targets(batch["gt_boxes"][0], batch["image"].shape[1:3], options, legacy)
    labels = case["anchor_target/rpn_labels"].reshape(12, 19, 25).transpose(1, 2, 0)
    np.testing.assert_array_equal(targets.labels, labels)
    if "anchor_target/rpn_bbox_targets" in case:
        deltas = case["anchor_target/rpn_bbox_targets"].reshape(19, 25, 12, 4)
        np.testing.assert_allclose(targets.deltas, deltas, rtol=0, atol=1e-6)


def test_feature_size_halves_step_by_step() -> None:
    for stride, halvings in ((8, 3), (16, 4)):
        for side in range(1, 200):
            expected = side
            for _ in range(halvings):
                expected = (expected + 1) // 2
            assert feature_size(side, 1, stride) == (expected, 1)


def test_mirror_image(dataset: Dataset) -> None:
    record = dataset.records[1]
    plain = preprocess(load_example(record), config())
    flipped = preprocess(load_example(mirrored(record)), config())
    np.testing.assert_allclose(flipped["image"], plain["image"][:, ::-1], atol=1e-3)
    right = (record.width - 1) * plain["scale"]
    np.testing.assert_allclose(
        flipped["gt_boxes"],
        (right - plain["gt_boxes"][:, [2, 1, 0, 3]]) * [1, -1, 1, -1] + right * np.array([0, 1, 0, 1]),
        atol=1e-4,
    )
    back = dataclasses.replace(mirrored(mirrored(record)), flipped=False)
    again = preprocess(load_example(back), config())
    for key, value in plain.items():
        np.testing.assert_array_equal(again[key], value, err_msg=key)


def test_an_image_of_another_size_is_not_used(dataset: Dataset) -> None:
    spoil(dataset, 0, png(np.zeros((10, 10, 3), np.uint8)))
    with pytest.raises(UserError, match=r"000\.png: the image is 10 x 10 pixels, its metadata says 64 x 48"):
        load_example(dataset.records[0])


def test_a_record_without_query_is_not_used(dataset: Dataset) -> None:
    with pytest.raises(UserError, match=r"000\.png: no relationship"):
        load_example(dataclasses.replace(dataset.records[0], queries=np.zeros((0, 3), np.int32)))


def test_stored_pixels_where_the_metadata_says_so(tmp_path: Path) -> None:
    record = make_record(tmp_path, 0, (16, 32))
    image = cv2.resize(np.arange(12, dtype=np.uint8).reshape(2, 2, 3) * 20, (32, 16))
    record.path.write_bytes(with_orientation(cv2.imencode(".jpg", image)[1].tobytes(), 6))
    stored = load_example(record).image
    turned = load_example(dataclasses.replace(record, width=16, height=32)).image
    assert stored.shape == (16, 32, 3)
    np.testing.assert_array_equal(turned, np.rot90(stored, -1))
