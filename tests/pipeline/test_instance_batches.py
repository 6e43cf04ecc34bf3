"""From annotated images to a detector's batches: boxes and masks in the network's pixels, order, resume."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from dsg.boxes.transform_np import BoxCoderNp
from dsg.config import Config
from dsg.datasets import Vocabulary
from dsg.datasets.detection import InstanceDataset, load_instances
from dsg.datasets.formats.instances import Instances, mirrored_instances
from dsg.datasets.formats.segmentations import encode
from dsg.errors import UserError
from dsg.pipeline.bad_records import BadRecords, iterate
from dsg.pipeline.epochs import epoch_order, grouped_order
from dsg.pipeline.examples import feature_size
from dsg.pipeline.instance_batches import (
    evaluation_batches,
    inference_batch,
    instance_spec,
    training_examples,
)
from dsg.pipeline.instance_examples import (
    InstanceExample,
    load_instance_example,
    network_masks,
    preprocess_instances,
)
from tests.datasets.instance_files import detector_config
from tests.shared import needs_shared, shared_path
from tests.small_dataset import SIZES, Fields, assert_same, read

pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
SMALL = ["TRAIN.SCALES", "[48, 64]", "TEST.SCALES", "[64]", "TRAIN.MAX_SIZE", "120", "TEST.MAX_SIZE", "120"]
SMALL += ["ANCHOR_SCALES", "[1, 2]", "DATA.WORKERS", "2", "TRAIN.RPN_BATCHSIZE", "8"]


def config(*overrides: str, masks: bool = True, backbone: str = "res101", exact: bool = True) -> Config:
    choices = ["BACKBONE", backbone, "DETECTOR.MASKS", str(masks), "EXACT_BOXES", str(exact)]
    return detector_config(*SMALL, *choices, *overrides)


def make_record(folder: Path, number: int, size: tuple[int, int]) -> Instances:
    """A picture of noise with one to three ellipses, the second difficult, the third a crowd."""
    rng = np.random.default_rng(number)
    height, width = size
    path = folder / f"{number:03}.png"
    cv2.imwrite(str(path), rng.integers(0, 256, (height, width, 3), np.uint8))
    masks, boxes = [], []
    for _ in range(1 + number % 3):
        mask = np.zeros(size, np.uint8)
        centre = int(rng.integers(width // 4, 3 * width // 4)), int(rng.integers(height // 4, height // 2))
        cv2.ellipse(mask, centre, (width // 5, height // 6), 30.0, 0, 360, 1, -1)
        rows, columns = np.nonzero(mask)
        boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        masks.append(encode(mask > 0))
    count = len(boxes)
    return Instances(
        *(path.name, path, width, height),
        boxes=np.array(boxes, np.float32),
        classes=rng.integers(1, 4, count).astype(np.int32),
        difficult=np.arange(count) == 1,
        crowd=np.arange(count) == 2,
        segmentations=masks,
    )


@pytest.fixture
def dataset(tmp_path: Path) -> InstanceDataset:
    records = [make_record(tmp_path, number, size) for number, size in enumerate(SIZES)]
    records = [*records, *map(mirrored_instances, records)]
    return InstanceDataset("test", "train", tmp_path, Vocabulary(("cat", "dog", "owl"), ()), records)


def cut(batch: Fields, row: int) -> Fields:
    """One image of a batch without its padding, which holds what it should."""
    one = {key: value[row] for key, value in batch.items()}
    height, width = (int(side) for side in one["image_size"])
    objects = int(one["gt_valid"].sum()) if "gt_valid" in one else 0
    grid = feature_size(height, width, 16)
    kept = {
        "image": (height, width),
        **{key: (objects,) for key in ("gt_boxes", "gt_classes", "gt_valid")},
        "gt_masks": (objects, height, width),
        **{key: grid for key in ("rpn_labels", "rpn_deltas", "rpn_weights")},
    }
    for key in kept.keys() & one.keys():
        inside = tuple(map(slice, kept[key]))
        outside = np.ones(one[key].shape, bool)
        outside[inside] = False
        assert (one[key][outside] == (-1 if key == "rpn_labels" else 0)).all(), key
        one[key] = one[key][inside]
    return one


def singles(batches: Sequence[Fields]) -> dict[int, Fields]:
    return {
        int(index): cut(batch, row) for batch in batches for row, index in enumerate(batch["index"].tolist())
    }


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("backbone", ["res101", "res50_fpn"])
def test_keys_and_types(dataset: InstanceDataset, masks: bool, backbone: str) -> None:
    options = config("TRAIN.IMS_PER_BATCH", "3", masks=masks, backbone=backbone)
    spec = instance_spec(options)
    assert ("gt_masks" in spec, "rpn_labels" in spec) == (masks, backbone == "res101")
    for batches, keys in (
        (training_examples(dataset, options).batches(3, 0), set(spec)),
        (evaluation_batches(dataset, options, targets=True), set(spec)),
        (evaluation_batches(dataset, options), set(instance_spec(options, targets=False))),
    ):
        batch = next(iter(batches))
        assert set(batch) == keys
        assert all(spec[key].is_compatible_with(value) for key, value in batch.items())
        assert batch["image_size"].dtype == "float32"


def test_neither_difficult_objects_nor_crowds_are_learned(dataset: InstanceDataset) -> None:
    for index, one in singles(read(training_examples(dataset, config()).batches(4, 0))).items():
        record = dataset.records[index]
        assert one["gt_classes"].tolist() == record.classes[:1].tolist()


def test_a_box_ends_where_its_mask_ends(dataset: InstanceDataset) -> None:
    """In mirror images and at any scale; to the pixel whose centre decides."""
    for index, one in singles(read(training_examples(dataset, config()).batches(4, 0))).items():
        rows, columns = np.nonzero(one["gt_masks"][0])
        extent = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(one["gt_boxes"][0], extent, atol=0.51, err_msg=str(index))


def test_boxes_of_one_map_are_those_of_tf_faster_rcnn_and_decode_to_the_object(
    dataset: InstanceDataset,
) -> None:
    """A pixel of the original image shorter, which their decoding gives back."""
    options = config("TRAIN.SCALES", "[48]", masks=False, exact=False)
    record = dataset.records[0]  # 48 pixels high: at scale 1
    example = preprocess_instances(load_instance_example(record), options, np.random.default_rng(0))
    np.testing.assert_array_equal(example["gt_boxes"], record.boxes[:1] - np.float32([0, 0, 1, 1]))
    coder, anchor = BoxCoderNp(), np.float32([[3, 4, 20, 30]])
    decoded = coder.decode(anchor, coder.encode(anchor, example["gt_boxes"]))
    np.testing.assert_allclose(decoded, record.boxes[:1], atol=1e-4)
    for exact in (config(), config(backbone="res50_fpn", exact=False)):
        example = preprocess_instances(load_instance_example(record), exact, targets=True)
        np.testing.assert_allclose(example["gt_boxes"], record.boxes[:1] * 64 / 48, rtol=1e-6)


def test_a_box_thinner_than_a_pixel_keeps_its_order(tmp_path: Path) -> None:
    record = make_record(tmp_path, 0, (48, 64))
    record.boxes[0] = [5, 6, 5.25, 6.5]
    example = preprocess_instances(
        load_instance_example(record), config(masks=False, exact=False), targets=True
    )
    assert (example["gt_boxes"][0, 2:] >= example["gt_boxes"][0, :2]).all()
    assert np.isfinite(example["rpn_deltas"]).all()


def test_a_mirror_image_is_the_mirror_of_everything(dataset: InstanceDataset) -> None:
    """Of masks to the pixel where the resized image has a whole number of columns."""
    options, whole = config(), 0
    for record, mirrored in zip(dataset.records[:7], dataset.records[7:]):
        one, other = (
            preprocess_instances(load_instance_example(which), options, targets=True)
            for which in (record, mirrored)
        )
        width = record.width * float(one["scale"])
        if abs(width - round(width)) < 1e-4:
            np.testing.assert_array_equal(other["gt_masks"], one["gt_masks"][..., ::-1])
            whole += 1
        wanted = one["gt_boxes"] * np.float32([-1, 1, -1, 1]) + np.float32([width, 0, width, 0])
        np.testing.assert_allclose(other["gt_boxes"], wanted[:, [2, 1, 0, 3]], atol=1e-4)
        np.testing.assert_array_equal(
            load_instance_example(mirrored).image, load_instance_example(record).image[:, ::-1]
        )
    assert whole == 4  # 90, 48, 32 and 100 columns become 144, 64, 64 and 120


def test_twice_mirrored_is_the_same(dataset: InstanceDataset) -> None:
    for record in dataset.records:
        again = mirrored_instances(mirrored_instances(record))
        np.testing.assert_array_equal(again.boxes, record.boxes)
        assert again.flipped == record.flipped


def test_masks_at_scale_one_are_those_of_the_annotations(dataset: InstanceDataset) -> None:
    record = dataset.records[2]
    masks = network_masks(record, [0, 1, 2], 1.0, (record.height, record.width))
    assert masks.dtype == np.uint8
    assert [encode(mask > 0) for mask in masks] == list(record.segmentations)
    double = network_masks(record, [1], 2.0, (2 * record.height, 2 * record.width))
    np.testing.assert_array_equal(double[0, ::2, ::2], masks[1])
    np.testing.assert_array_equal(double[0, 1::2, 1::2], masks[1])


def test_company_changes_nothing(dataset: InstanceDataset) -> None:
    options = config()
    examples = training_examples(dataset, options)
    alone, together = (singles(read(examples.batches(size, 2))) for size in (1, 5))
    assert alone.keys() == together.keys() == set(range(14))
    assert_same([alone[index] for index in range(14)], [together[index] for index in range(14)])
    one_by_one, by_four = (
        singles(read(evaluation_batches(dataset, config("TEST.IMS_PER_BATCH", size), targets=True)))
        for size in ("1", "4")
    )
    assert_same(list(one_by_one.values()), list(by_four.values()))
    assert list(by_four) == list(range(14))


def test_a_resumed_epoch_is_the_rest_of_it(dataset: InstanceDataset) -> None:
    examples = training_examples(dataset, config("TRAIN.IMS_PER_BATCH", "2"))
    whole = read(examples.batches(2, 1))
    step = examples.next_step(whole[3], 2, 1)
    assert step == 4
    assert_same(read(examples.batches(2, 1, step)), whole[4:])
    assert [b["index"].tolist() for b in read(examples.batches(2, 2))] != [b["index"].tolist() for b in whole]


def test_wide_images_share_steps_and_tall_ones(dataset: InstanceDataset) -> None:
    """But for one step at most that takes what is left over."""
    records = [*dataset.records[:2], dataset.records[2], dataset.records[9], *dataset.records[3:5]] * 3
    tall = np.array([record.width < record.height for record in records])
    data = InstanceDataset("test", "train", dataset.folder, dataset.vocabulary, records)
    orders = [training_examples(data, config()).order(epoch, 4) for epoch in (0, 0, 1)]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert orders[0].tolist() != orders[2].tolist()
    for order in orders:
        assert sorted(order) == list(range(18))
        kinds = [tall[order[start : start + 4]].mean() for start in range(0, 18, 4)]
        assert sum(kind not in (0, 1) for kind in kinds) <= 1
    plain = training_examples(data, config("TRAIN.ASPECT_GROUPING", "False")).order(0, 4)
    np.testing.assert_array_equal(plain, epoch_order(18, config().rng_seed, 0))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 50])
def test_grouped_orders(size: int) -> None:
    rng = np.random.default_rng(size)
    groups, order = rng.integers(0, 3, 40), rng.permutation(40)
    grouped = grouped_order(order, groups, size)
    assert sorted(grouped) == list(range(40))
    steps = [set(groups[grouped[start : start + size]]) for start in range(0, 40, size)]
    assert sum(len(step) > 1 for step in steps) <= 3  # no more than the groups leave over


def test_an_image_that_cannot_be_used_is_counted_and_named(dataset: InstanceDataset) -> None:
    dataset.records[3].path.write_bytes(b"no image")
    cv2.imwrite(str(dataset.records[4].path), np.zeros((10, 10, 3), np.uint8))
    bad = BadRecords()
    batches = read(iterate(training_examples(dataset, config()).batches(2, 0, 0, bad), bad))
    assert sorted(singles(batches)) == [i for i in range(14) if i % 7 not in (3, 4)]
    assert sorted(bad.reasons) == ["003.png", "004.png"]
    assert "the image is 10 x 10 pixels, its metadata says 80 x 56" in bad.reasons["004.png"]


def test_an_image_without_objects_is_all_background(tmp_path: Path) -> None:
    record = make_record(tmp_path, 1, (48, 64))
    none = Instances(
        *(record.name, record.path, 64, 48),
        *(np.zeros((0, 4), np.float32), np.zeros(0, np.int32), np.zeros(0, bool), np.zeros(0, bool)),
    )
    example = InstanceExample(load_instance_example(record).image, none)
    arrays = preprocess_instances(example, config(), np.random.default_rng(0))
    assert arrays["gt_masks"].shape[0] == len(arrays["gt_boxes"]) == 0
    assert set(np.unique(arrays["rpn_labels"])) == {-1, 0}


def test_masks_that_are_not_there(dataset: InstanceDataset) -> None:
    records = [record.__class__(**{**vars(record), "segmentations": ()}) for record in dataset.records]
    boxes = InstanceDataset("test", "train", dataset.folder, dataset.vocabulary, records)
    with pytest.raises(UserError, match="14 of 14 objects have no mask to learn; .*DETECTOR.MASKS False"):
        training_examples(boxes, config())
    training_examples(boxes, config(masks=False))


def test_images_of_which_nothing_is_known(dataset: InstanceDataset) -> None:
    paths = [record.path for record in dataset.records[:2]]
    batch = {key: value.numpy() for key, value in inference_batch(paths, config()).items()}
    known = read(evaluation_batches(dataset, config("TEST.IMS_PER_BATCH", "2")))[0]
    assert_same([batch], [known])


@needs_shared("data", "coco")
def test_real_photographs() -> None:
    data = load_instances(shared_path("data", "coco"), "test")
    options = config("TEST.SCALES", "[160]", "TEST.MAX_SIZE", "240", "TEST.IMS_PER_BATCH", "4")
    count = 0
    for index, one in singles(read(evaluation_batches(data, options, targets=True))).items():
        assert len(one["gt_boxes"]) == (~data.records[index].crowd).sum()
        for box, mask in zip(one["gt_boxes"], one["gt_masks"]):
            rows, columns = np.nonzero(mask)
            count += 1
            if len(rows):  # objects smaller than a pixel are none
                extent = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
                np.testing.assert_allclose(box, extent, atol=3)
    assert count == 170
