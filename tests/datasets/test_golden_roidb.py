"""The records of the release's own test annotations, mirror images included, to the last bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dsg.datasets.mirror import mirrored
from dsg.datasets.records import ImageRecord, Vocabulary
from dsg.datasets.roidb import build_record
from tests.golden import FOLDER, golden

ENTITIES, PREDICATES = 100, 70


@pytest.fixture(scope="module")
def records() -> list[ImageRecord]:
    content = json.loads((FOLDER / "roidb_input.json").read_text())
    vocabulary = Vocabulary(tuple(map(str, range(ENTITIES))), tuple(map(str, range(PREDICATES))))
    rng = np.random.RandomState(int(golden("roidb")["np_random_seed"]))
    skipped: list[tuple] = []
    found = []
    for name, size in content["image_metadata"].items():
        if name in content["annotations"]:
            wide_high = (size["width"], size["height"])
            annotated = content["annotations"][name]
            found.append(
                build_record(
                    name, Path(name), wide_high, annotated, vocabulary, rng, lambda *a: skipped.append(a)
                )
            )
    assert not skipped
    return found + [mirrored(record) for record in found]


def one_hot(indices: np.ndarray, count: int) -> np.ndarray:
    return np.eye(count, dtype=np.float32)[indices]


def test_images_and_their_order(records: list[ImageRecord]) -> None:
    stored = golden("roidb")
    assert [record.name for record in records] == list(stored["image_index"]) * 2
    for number, record in enumerate(records):
        assert bool(stored[f"{number:02d}/flipped"]) == record.flipped
        assert (record.width, record.height) == tuple(stored[f"{number:02d}/width_height"])


@pytest.mark.parametrize("number", range(18))
def test_record(records: list[ImageRecord], number: int) -> None:
    record, stored = records[number], golden("roidb")

    def expected(key: str) -> np.ndarray:
        return stored[f"{number:02d}/{key}"]

    assert record.boxes.dtype == np.float32
    np.testing.assert_array_equal(record.boxes, expected("boxes"))
    np.testing.assert_array_equal(one_hot(record.entities, ENTITIES), expected("partial_entity_class"))
    np.testing.assert_array_equal(record.roles, expected("gt_classes")[..., 0])
    query = np.concatenate(
        [
            one_hot(record.queries[:, 0], ENTITIES),
            one_hot(record.queries[:, 1], PREDICATES),
            one_hot(record.queries[:, 2], ENTITIES),
        ],
        axis=1,
    )
    np.testing.assert_array_equal(query, expected("query"))
    relations = one_hot(record.predicates, PREDICATES) * (record.predicates >= 0)[..., None]
    np.testing.assert_array_equal(relations, expected("partial_relation_class"))


@pytest.mark.parametrize("number", range(18))
def test_overlaps_hold_both_roles(records: list[ImageRecord], number: int) -> None:
    record, overlaps = records[number], golden("roidb")[f"{number:02d}/gt_overlaps"]
    np.testing.assert_array_equal(record.subject_masks, overlaps[..., 1] == 1)
    np.testing.assert_array_equal(record.object_masks, overlaps[..., 2] == 1)
