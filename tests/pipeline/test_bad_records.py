"""Images that cannot be used are skipped, counted and named, and the run goes on; without images it stops."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf

from dsg.datasets import Dataset, load_dataset
from dsg.errors import UserError
from dsg.pipeline.bad_records import BadRecords, check_images, iterate
from dsg.pipeline.batches import evaluation_batches, training_batches, training_examples
from tests.datasets.files import GOOD, write_dataset
from tests.shared import needs_shared, shared_path
from tests.small_dataset import (
    assert_same,
    config,
    make_dataset,
    make_record,
    png,
    read,
    small_dataset,
    spoil,
)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return small_dataset(tmp_path)


def test_bad_images_are_skipped_and_named(dataset: Dataset, caplog: pytest.LogCaptureFixture) -> None:
    dataset = make_dataset(dataset.folder, dataset.records[:7] * 2)
    spoil(dataset, 0, None)
    spoil(dataset, 2, b"no image")
    spoil(dataset, 5, dataset.records[5].path.read_bytes()[:900])
    bad = BadRecords()
    options = config("TRAIN.IMS_PER_BATCH", "2")
    with caplog.at_level(logging.WARNING):
        batches = read(training_batches(dataset, options, epoch=0, bad=bad))
        read(training_batches(dataset, options, epoch=1, bad=bad))
    seen = np.concatenate([batch["index"] for batch in batches])
    assert sorted(index % 7 for index in seen) == [1, 1, 3, 3, 4, 4, 6, 6]
    assert all(len(batch["index"]) for batch in batches)
    reasons = {name: reason.split(": ", 1)[1] for name, reason in bad.reasons.items()}
    assert reasons == {
        "000.png": "no such image",
        "002.png": "not an image",
        "005.png": "the image file is truncated; fetch it again",
    }
    assert len([line for line in caplog.messages if line.startswith("skipped: ")]) == 3  # once each
    assert bad.summary().startswith("images skipped: 3, the first: ")


def test_names_that_no_file_can_have_are_skipped(tmp_path: Path) -> None:
    long = "a" * 300
    content = {name: GOOD for name in ("t.jpg", f"{long}.jpg", f"{long}/b.jpg", "c.jpg", "d.jpg")}
    folder = write_dataset(tmp_path / "own", test=content)
    (folder / "images").mkdir()
    for name in ("t.jpg", "c.jpg", "d.jpg"):
        cv2.imwrite(str(folder / "images" / name), np.full((80, 100, 3), 90, np.uint8))
    dataset = load_dataset(folder, "test")
    assert check_images(dataset) == 2
    bad = BadRecords()
    batches = read(evaluation_batches(dataset, config(), bad=bad))
    assert [batch["name"].tolist() for batch in batches] == [[b"t.jpg"], [b"c.jpg"], [b"d.jpg"]]
    assert set(bad.reasons) == {f"{long}.jpg", f"{long}/b.jpg"}
    for name in ("t.jpg", "c.jpg", "d.jpg"):
        (folder / "images" / name).unlink()
    with pytest.raises(UserError, match="5 of 5 images of own test are missing"):
        check_images(dataset)


def test_the_log_names_a_few_only(caplog: pytest.LogCaptureFixture) -> None:
    bad = BadRecords(shown=2)
    with caplog.at_level(logging.WARNING):
        for number in range(5):
            bad.add(str(number), UserError(f"{number}: broken"), lambda: 30)
    assert caplog.messages == [
        "skipped: 0: broken",
        "skipped: 1: broken",
        "from here on, skipped images are only counted",
    ]
    assert len(bad) == 5


def test_an_account_goes_on_without_stopping_for_what_may_be_there_by_now() -> None:
    bad = BadRecords(reasons={"a": "a: earlier", "b": "b: earlier"})
    bad.add("a", UserError("a: broken"), lambda: 3)
    assert bad.reasons == {"a": "a: broken", "b": "b: earlier"} and bad.fatal is None
    bad.add("b", UserError("b: broken"), lambda: 3)
    assert str(bad.fatal) == "2 of 3 images cannot be used, the run stops; b: broken"


def test_resume_after_a_batch_that_disappeared(dataset: Dataset) -> None:
    dataset = make_dataset(dataset.folder, dataset.records[:7])
    order = [int(batch["index"][0]) for batch in training_batches(dataset, config(), epoch=0)]
    spoil(dataset, order[1], None)
    batches = read(training_batches(dataset, config(), epoch=0))
    assert [int(batch["index"][0]) for batch in batches] == [order[0], *order[2:]]
    step = training_examples(dataset, config()).next_step(batches[2], 1, 0)
    assert step == 4
    assert_same(read(training_batches(dataset, config(), epoch=0, start_step=step)), batches[3:])


def test_the_rest_of_an_epoch_may_be_one_bad_image(dataset: Dataset) -> None:
    dataset = make_dataset(dataset.folder, dataset.records[:7])
    order = [int(batch["index"][0]) for batch in training_batches(dataset, config(), epoch=0)]
    spoil(dataset, order[-1], None)
    bad = BadRecords()
    rest = training_batches(dataset, config(), epoch=0, start_step=len(order) - 1, bad=bad)
    assert list(iterate(rest, bad, whole=False)) == [] and len(bad) == 1
    with pytest.raises(UserError, match="no image could be used"):
        list(iterate([], bad))


def test_mostly_bad_images_stop_the_run(dataset: Dataset) -> None:
    for index in range(5):
        spoil(dataset, index, b"")
    bad = BadRecords()
    with pytest.raises(UserError, match=r"4 of 7 images cannot be used, the run stops; .*empty"):
        list(iterate(training_batches(dataset, config(), epoch=0, bad=bad), bad))
    assert bad.fatal is not None


@pytest.mark.parametrize("spoilt", [20, 21])
def test_the_share_of_all_images_counts_wherever_bad_ones_lie(tmp_path: Path, spoilt: int) -> None:
    """A test in the order of the data set ends as a training in any order, and as the rest of one."""
    dataset = make_dataset(tmp_path, [make_record(tmp_path, number, (32, 40)) for number in range(40)])
    for index in range(spoilt):
        spoil(dataset, index, b"no image")
    assert check_images(dataset) == 0
    passes = [
        lambda bad: evaluation_batches(dataset, config(), bad=bad),
        lambda bad: training_batches(dataset, config(), epoch=0, bad=bad),
    ]
    for batches in passes:
        bad = BadRecords()
        if spoilt == 20:
            assert len(list(iterate(batches(bad), bad))) == 20 == len(bad)
        else:
            with pytest.raises(
                UserError, match=r"^21 of 40 images cannot be used, the run stops; .*not an image"
            ):
                list(iterate(batches(bad), bad))
    bad = BadRecords()
    rest = training_batches(dataset, config(), epoch=0, start_step=15, bad=bad)
    assert 0 < len(list(iterate(rest, bad, whole=False))) < 25


def test_a_bug_is_no_bad_record(dataset: Dataset) -> None:
    records = [dataclasses.replace(dataset.records[0], boxes=np.zeros((1, 7), np.float32))]
    bad = BadRecords()
    with pytest.raises(tf.errors.OpError, match="Traceback|boxes"):
        list(
            iterate(training_batches(make_dataset(dataset.folder, records), config(), epoch=0, bad=bad), bad)
        )
    assert len(bad) == 0


def test_check_images(dataset: Dataset) -> None:
    assert check_images(dataset) == 0
    for index in range(3):
        spoil(dataset, index, None)
    assert check_images(dataset) == 3
    for index in range(3, 7):
        spoil(dataset, index, None)
    with pytest.raises(UserError, match=r"/.*: 7 of 7 images of test train are missing, such as 000\.png"):
        check_images(dataset)
    for index in range(7):
        dataset.records[index].path.write_bytes(b"<html>sign in</html>")
    with pytest.raises(UserError, match=r"none of 7 images of test train can be used; .*\.png: not an image"):
        check_images(dataset)
    dataset.records[3].path.write_bytes(png(np.zeros((32, 32, 3), np.uint8)))
    assert check_images(dataset) == 0
    with pytest.raises(UserError, match="no image with a relationship"):
        check_images(make_dataset(dataset.folder, []))


@needs_shared("data", "VRD")
def test_vrd_without_its_images_is_refused() -> None:
    vrd = load_dataset("vrd", "test", data_dir=shared_path("data"))
    with pytest.raises(UserError, match=r"sg_test_images: \d+ of \d+ images of vrd test are missing"):
        check_images(vrd)
