"""A data set of a few small pictures, made where a test asks for it, and what tests do with its batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf

from dsg.config import Config, load_config
from dsg.datasets import Dataset, ImageRecord, Vocabulary, mirrored
from dsg.datasets.roidb import build_record

VOCABULARY = Vocabulary(("cat", "dog", "owl"), ("left", "right", "near"))
SIZES = [(48, 64), (40, 90), (64, 48), (32, 32), (56, 80), (48, 64), (30, 100)]  # height, width
Fields = dict[str, np.ndarray]


def config(*overrides: str) -> Config:
    small = ["TRAIN.SCALES", "[64]", "TEST.SCALES", "[64]", "TRAIN.MAX_SIZE", "120", "TEST.MAX_SIZE", "120"]
    return load_config(overrides=[*small, "ANCHOR_SCALES", "[1, 2]", "DATA.WORKERS", "2", *overrides])


def make_record(folder: Path, number: int, size: tuple[int, int]) -> ImageRecord:
    """A record with 2 to 4 entities, all related to each other, and a picture of noise for it."""
    rng = np.random.default_rng(number)
    height, width = size
    path = folder / f"{number:03}.png"
    cv2.imwrite(str(path), rng.integers(0, 256, (height, width, 3), np.uint8))
    entities = []
    for category in rng.integers(0, 3, 2 + number % 3):
        x, y = rng.uniform(0, width * 0.6), rng.uniform(0, height * 0.6)
        box = [y, y + rng.uniform(0.1, 0.4) * height, x, x + rng.uniform(0.1, 0.4) * width]
        entities.append({"category": int(category), "bbox": [round(side) for side in box]})
    relationships = [
        {"predicate": int(predicate), "subject": subject, "object": other}
        for subject in entities
        for other in entities
        if subject is not other
        for predicate in (0, 1, 2)[: 1 + number % 3]
    ]
    legacy = np.random.RandomState(0)
    return build_record(
        path.name,
        path,
        (width, height),
        relationships,
        VOCABULARY,
        legacy,
        lambda *_: pytest.fail("odd record"),
    )


def make_dataset(folder: Path, records: Sequence[ImageRecord]) -> Dataset:
    return Dataset("test", "train", folder, VOCABULARY, list(records))


def small_dataset(folder: Path) -> Dataset:
    """Seven images of different sizes and their mirror images."""
    records = [make_record(folder, number, size) for number, size in enumerate(SIZES)]
    return make_dataset(folder, [*records, *map(mirrored, records)])


def read(batches: tf.data.Dataset) -> list[Fields]:
    return [{key: value.numpy() for key, value in batch.items()} for batch in batches]


def assert_same(first: Sequence[Fields], second: Sequence[Fields]) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second):
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], err_msg=key)


def spoil(dataset: Dataset, index: int, content: bytes | None) -> None:
    path = dataset.records[index].path
    path.unlink()
    if content is not None:
        path.write_bytes(content)


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()
