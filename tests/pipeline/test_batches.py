"""From records to batches: keys and types, order, exact resume; workers and company change nothing."""

from __future__ import annotations

import dataclasses
import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.config import load_config
from dsg.datasets import Dataset, load_dataset
from dsg.pipeline.bad_records import BadRecords, check_images
from dsg.pipeline.batches import (
    batch_spec,
    evaluation_batches,
    example_to_batch,
    inference_batch,
    training_batches,
    training_examples,
)
from dsg.pipeline.epochs import ordered_batches
from dsg.pipeline.examples import feature_size, load_example
from tests.shared import ROOT, needs_shared, shared_path
from tests.small_dataset import (
    Fields,
    assert_same,
    config,
    make_dataset,
    make_record,
    png,
    read,
    small_dataset,
)

RANDOM = ["TRAIN.MAX_QUERIES", "2", "DATA.MULTI_PREDICATE", "sample_each_epoch", "TRAIN.SCALES", "[48, 64]"]
RANDOM += ["TRAIN.RPN_BATCHSIZE", "8"]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return small_dataset(tmp_path)


def one_by_one(batches: Sequence[Fields]) -> list[Fields]:
    """The images of batches, each with its padding cut off, in order."""
    images = []
    for batch in batches:
        for row in range(len(batch["index"])):
            one = {key: value[row] for key, value in batch.items()}
            height, width = one["image_size"].astype(int)
            rows, columns = feature_size(height, width, 16)
            queries, boxes = int(one["query_valid"].sum()), int(one.get("gt_valid", np.ones(1)).sum())
            kept = {
                "image": (height, width),
                "queries": (queries,),
                "query_valid": (queries,),
                "gt_boxes": (boxes,),
                "gt_valid": (boxes,),
                "gt_entities": (boxes,),
                "gt_predicates": (boxes, boxes),
                "gt_roles": (queries, boxes),
                "rpn_labels": (rows, columns),
                "rpn_deltas": (rows, columns),
                "rpn_weights": (rows, columns),
            }
            images.append(
                {
                    key: value[tuple(map(slice, kept[key]))] if key in kept else value
                    for key, value in one.items()
                }
            )
            for key, sides in kept.items():
                if key in one:
                    outside = np.ones(one[key].shape, bool)
                    outside[tuple(map(slice, sides))] = False
                    fill = -1 if key in ("gt_entities", "gt_predicates", "rpn_labels") else 0
                    assert (one[key][outside] == fill).all(), key
    return images


def test_keys_and_types(dataset: Dataset) -> None:
    for ground_truth, targets, batches in (
        (True, True, training_batches(dataset, config(), epoch=0)),
        (True, False, evaluation_batches(dataset, config())),
        (True, True, evaluation_batches(dataset, config(), targets=True)),
    ):
        spec = batch_spec(config(), ground_truth=ground_truth, targets=targets)
        assert {key: (one.shape.as_list(), one.dtype) for key, one in batches.element_spec.items()} == {
            key: (one.shape.as_list(), one.dtype) for key, one in spec.items()
        }
        batch = next(iter(batches))
        assert all(spec[key].is_compatible_with(value) for key, value in batch.items())


@pytest.mark.parametrize("stride", ["8", "16"])
def test_targets_lie_on_the_feature_map(dataset: Dataset, stride: str) -> None:
    options = config("FEATURE_STRIDE", stride, "NET", "mini", "TRAIN.IMS_PER_BATCH", "3")
    for batch in read(training_batches(dataset, options, epoch=0)):
        height, width = batch["image"].shape[1:3]
        assert batch["rpn_labels"].shape[1:3] == feature_size(height, width, int(stride))
        assert (batch["rpn_labels"] == 1).any((1, 2, 3)).all()


def test_steps_on_one_example(dataset: Dataset) -> None:
    batch: Any = example_to_batch(dataset.records[2], config(), index=2)
    assert_same(
        [{key: value.numpy() for key, value in batch.items()}],
        read(evaluation_batches(dataset, config()))[2:3],
    )


def test_every_record_once_and_the_last_batch_is_kept(dataset: Dataset) -> None:
    options = config("TRAIN.IMS_PER_BATCH", "4", "TEST.IMS_PER_BATCH", "4")
    for batches in (training_batches(dataset, options, epoch=1), evaluation_batches(dataset, options)):
        indices = [batch["index"] for batch in read(batches)]
        assert [len(part) for part in indices] == [4, 4, 4, 2]
        assert sorted(np.concatenate(indices)) == list(range(14))
    assert list(np.concatenate(indices)) == list(range(14))
    assert training_examples(dataset, options).steps(4) == 4


def test_epochs_differ_and_repeat(dataset: Dataset) -> None:
    def order(epoch: int, *overrides: str) -> list[int]:
        return [
            int(batch["index"][0]) for batch in training_batches(dataset, config(*overrides), epoch=epoch)
        ]

    assert order(0) == order(0) != order(1)
    assert order(0) != order(0, "RNG_SEED", "4")
    assert sorted(order(0, "RNG_SEED", "4294967295")) == list(range(14))


def test_a_resumed_epoch_is_the_rest_of_it_and_skipped_images_are_not_read(dataset: Dataset) -> None:
    options = config("TRAIN.IMS_PER_BATCH", "2", *RANDOM)
    whole = read(training_batches(dataset, options, epoch=3))
    names = {name for batch in whole[5:] for name in batch["name"]}
    for record in dataset.records:
        if record.name.encode() not in names:
            record.path.unlink(missing_ok=True)
    assert len({record.name for record in dataset.records}) > len(names)
    bad = BadRecords()
    assert_same(read(training_batches(dataset, options, epoch=3, start_step=5, bad=bad)), whole[5:])
    assert len(bad) == 0


def test_workers_do_not_change_batches(dataset: Dataset) -> None:
    one, five = (
        read(training_batches(dataset, config("DATA.WORKERS", count, *RANDOM), epoch=0))
        for count in ("1", "5")
    )
    assert_same(one, five)


def test_a_batch_gives_each_image_what_it_gets_alone(dataset: Dataset) -> None:
    alone, together = (
        one_by_one(read(training_batches(dataset, config("TRAIN.IMS_PER_BATCH", size, *RANDOM), epoch=0)))
        for size in ("1", "5")
    )
    assert_same(alone, together)


def test_random_choices_change_with_the_epoch(dataset: Dataset) -> None:
    def by_index(epoch: int) -> dict[int, Fields]:
        return {
            int(batch["index"][0]): batch
            for batch in read(training_batches(dataset, config(*RANDOM), epoch=epoch))
        }

    first, second = by_index(0), by_index(1)
    for key in ("queries", "image_size", "gt_predicates", "rpn_labels"):
        assert any(not np.array_equal(first[index][key], second[index][key]) for index in first), key
    for index, batch in first.items():
        record = dataset.records[index]
        assert batch["queries"].shape[1] == min(2, len(record.queries))
        place = [record.queries.tolist().index(query) for query in batch["queries"][0].tolist()]
        np.testing.assert_array_equal(batch["gt_roles"][0], record.roles[place])
        drawn = {(i, p, j) for (i, j), p in np.ndenumerate(batch["gt_predicates"][0]) if p >= 0}
        assert drawn <= set(map(tuple, record.triples.tolist()))
        assert {(i, j) for i, _, j in drawn} == {(i, j) for i, _, j in record.triples.tolist()}


def test_a_function_is_traced_once(dataset: Dataset) -> None:
    traces = []

    @tf.function(input_signature=[batch_spec(config())])
    def step(batch: dict[str, tf.Tensor]) -> tf.Tensor:
        traces.append(1)
        return tf.reduce_sum(batch["image"])

    for batch in training_batches(dataset, config("TRAIN.IMS_PER_BATCH", "3"), epoch=0):
        step(batch)
    for batch in training_batches(dataset, config(), epoch=1):
        step(batch)
    assert len(traces) == 1


def test_inference_needs_pixels_and_queries_only(dataset: Dataset) -> None:
    record, image = dataset.records[1], load_example(dataset.records[0]).image
    batch = inference_batch([record.path, image], [record.queries, []], config(), None)
    spec = batch_spec(config(), ground_truth=False, targets=False)
    assert batch.keys() == spec.keys()
    assert all(spec[key].is_compatible_with(batch[key]) for key in spec)  # type: ignore[literal-required]
    assert batch["name"].numpy().tolist() == [b"001.png", b""]
    assert batch["query_valid"].numpy().sum(axis=1).tolist() == [len(record.queries), 0]
    alone = inference_batch([image], [[]], config())
    assert alone["queries"].shape == (1, 1, 3)
    height, width = alone["image"].shape[1:3]
    np.testing.assert_array_equal(batch["image"][1, :height, :width], alone["image"][0])


@pytest.mark.parametrize("shape", [(48, 1, 3), (1, 64, 3), (1, 1, 3), (1, 4000, 3), (48, 64), (48, 64, 4)])
def test_odd_images_are_used(tmp_path: Path, shape: tuple[int, ...]) -> None:
    record = make_record(tmp_path, 0, (48, 64))
    (tmp_path / "000.png").write_bytes(png(np.full(shape, 7, np.uint8)))
    height, width = shape[:2]
    limit = np.array([width, height, width, height], np.float32)
    record = dataclasses.replace(record, width=width, height=height, boxes=np.minimum(record.boxes, limit))
    (batch,) = read(training_batches(make_dataset(tmp_path, [record]), config(), epoch=0))
    rows, columns = batch["image"].shape[1:3]
    assert min(rows, columns) >= 1 and max(rows, columns) <= 120
    assert batch["rpn_labels"].shape[1:3] == feature_size(rows, columns, 16)
    assert all(np.isfinite(batch[key]).all() for key in ("image", "gt_boxes", "rpn_deltas", "rpn_weights"))


@needs_shared("data", "clevr")
def test_real_images() -> None:
    clevr = load_dataset("clevr", "train", data_dir=shared_path("data"), flip="swap_lr", max_images=4)
    assert check_images(clevr) == 0
    options = load_config(overrides=["TRAIN.IMS_PER_BATCH", "2", "DATA.WORKERS", "2"])
    batch = read(training_batches(clevr, options, epoch=0))[0]
    assert batch["image"].shape == (2, 600, 900, 3)
    assert (batch["rpn_labels"] == 1).sum(axis=(1, 2, 3)).min() > 0
    assert (batch["gt_boxes"][..., 2:] <= 900).all() and batch["gt_valid"].any(axis=1).all()


class Numbers:
    """Examples that are but their index; the list stands for all that a data set keeps in memory."""

    def __init__(self, count: int) -> None:
        self.order = np.arange(count)

    def make(self, index: int) -> Fields:
        return {"index": np.array(index, np.int32)}

    def batches(self, start_step: int = 0) -> tf.data.Dataset:
        spec = {"index": tf.TensorSpec([None], tf.int32, "index")}
        return ordered_batches(self.order, 4, self.make, str, spec, 2, start_step)


@pytest.mark.parametrize("steps", [0, 2, 100])
def test_what_batches_are_made_of_goes_with_them(steps: int) -> None:
    """TensorFlow keeps what it calls for the life of the process, an epoch's order should not be among it."""
    numbers = Numbers(40)
    order, batches = weakref.ref(numbers.order), numbers.batches()
    for step, batch in enumerate(batches, 1):
        assert len(batch["index"])
        if step >= steps:
            break
    assert order() is not None
    del numbers, batches, batch
    gc.collect()
    assert order() is None


def test_an_iterator_goes_on_without_the_name_of_its_batches() -> None:
    plain, derived = iter(Numbers(4000).batches()), iter(Numbers(4000).batches().map(lambda one: one).skip(3))
    gc.collect()
    assert sum(len(batch["index"]) for batch in plain) == 4000
    assert sum(len(batch["index"]) for batch in derived) == 4000 - 12


DETERMINISTIC_WORKERS = """
import threading

import numpy as np
import tensorflow as tf

tf.keras.utils.set_random_seed(1)
tf.config.experimental.enable_op_determinism()
from dsg.pipeline.epochs import ordered_batches

both = threading.Barrier(2, timeout=60)


def make(index):
    both.wait()  # breaks where no other example is made at the same time
    return {"index": np.array(index, np.int32)}


spec = {"index": tf.TensorSpec([None], tf.int32, "index")}
batches = ordered_batches(np.arange(8), 1, make, str, spec, 2)
print([int(batch["index"][0]) for batch in batches])
"""


def test_workers_work_at_once_where_runs_are_to_be_repeatable():
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "lib")}
    command = [sys.executable, "-c", DETERMINISTIC_WORKERS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split("\n")[-2] == str(list(range(8)))
