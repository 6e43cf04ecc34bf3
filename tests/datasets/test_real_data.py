"""The counts of the real VRD annotations, and the other real data sets."""

from __future__ import annotations

import time

import numpy as np
import pytest

from dsg.datasets import ImageRecord, ambiguous, load_dataset
from dsg.datasets.formats.referring import annotation_file, read_json
from dsg.datasets.table.stored import StoredRecords
from tests.shared import needs_shared, shared_path

DATA = shared_path("data")


def answers_with_self_relations(record: ImageRecord) -> dict[tuple[int, int, int], tuple[set, set]]:
    """Subject and object boxes of each (s, r, o), as the referring-relationships release counts samples."""
    answers: dict[tuple[int, int, int], tuple[set, set]] = {}
    for subject, predicate, obj in record.triples.tolist():
        query = int(record.entities[subject]), predicate, int(record.entities[obj])
        subjects, objects = answers.setdefault(query, (set(), set()))
        subjects.add(subject)
        objects.add(obj)
    return answers


@needs_shared("data", "VRD")
@pytest.mark.parametrize(
    ("split", "images", "empty", "triples", "samples", "queries", "several", "both", "multiple", "boxes"),
    [
        ("trainval", 4000, 220, 29861, 27233, 27164, 2215, 333, 2424, (21, 6.6)),
        ("test", 999, 45, 7472, 6863, 6847, 524, 67, 576, (20, 6.7)),
    ],
)
def test_vrd_counts(split, images, empty, triples, samples, queries, several, both, multiple, boxes) -> None:
    started = time.perf_counter()
    dataset = load_dataset("vrd", split, data_dir=DATA, on_bad_record="keep")
    assert time.perf_counter() - started < 10  # about half a second when nothing else runs
    records = dataset.records
    skipped = {reason: len(cases) for reason, cases in dataset.skipped.items()}
    assert skipped.pop("image without relationships") == empty
    alone = skipped.pop("image without a query", 0)  # images whose only relationship is a self-relation
    assert len(records) + empty + alone == images
    if split == "test":
        assert skipped == {"image without a size": 1, "size without annotations": 1}
    else:
        assert skipped == {}
    assert sum(len(record.queries) for record in records) == queries
    shared = sum(int((record.subject_masks & record.object_masks).any(axis=1).sum()) for record in records)
    assert shared == both
    pairs = sum(
        int((np.unique(record.triples[:, [0, 2]], axis=0, return_counts=True)[1] > 1).sum())
        for record in records
    )
    assert pairs == multiple
    assert sum(len(record.triples) for record in records) + alone == triples  # repeated ones counted once
    asked = [answers_with_self_relations(record) for record in records]
    assert sum(map(len, asked)) + alone == samples
    assert sum(max(map(len, answer)) > 1 for answers in asked for answer in answers.values()) == several
    keeping = load_dataset("vrd", split, data_dir=DATA, on_bad_record="keep", keep_self=True)
    assert sum(len(record.queries) for record in keeping.records) == samples
    assert len(keeping.records) == len(records) + alone
    sizes = [len(record.boxes) for record in records]
    assert (max(sizes), round((sum(sizes) + alone) / images, 1)) == boxes


@needs_shared("data", "VRD")
@pytest.mark.parametrize(
    ("split", "file", "annotated", "loaded"),
    [
        ("trainval", "train", 30355, 30355),
        ("test", "test", 7638, 7632),  # one image of the annotations has no size
    ],
)
def test_vrd_relationships_as_they_stand_in_the_files(split, file, annotated, loaded) -> None:
    """Repeated ones, self-relations and faulty ones included."""
    dataset = load_dataset("vrd", split, data_dir=DATA)
    records = dataset.records
    assert isinstance(records, StoredRecords)
    table = records.table
    assert int(table.relationships.sum()) == loaded
    every = read_json(annotation_file(dataset.folder, file))
    assert sum(map(len, every.values())) == annotated
    assert sum(len(every[name]) for name in table.unsized) == annotated - loaded


@needs_shared("data", "VRD")
def test_vrd_leaves_out_the_box_outside_its_image() -> None:
    dataset = load_dataset("vrd", "trainval", data_dir=DATA)
    ((image, detail),) = dataset.skipped["box outside the image"]
    assert image == "9210906893_4102aa74c8_b.jpg" and "500 x 374" in detail
    assert sum(len(record.queries) for record in dataset.records) == 27163


@needs_shared("data", "VRD")
def test_vrd_split_of_the_release_keeps_81_percent() -> None:
    train = load_dataset("vrd", "train", data_dir=DATA, split_rule="dsg", flip="released")
    validation = load_dataset("vrd", "validation", data_dir=DATA, split_rule="dsg", flip="released")
    assert round(len(train) / (2 * 3778), 2) == 0.81
    assert not {record.name for record in train.records} & {record.name for record in validation.records}


@needs_shared("data", "clevr")
@pytest.mark.parametrize("place", [DATA, DATA / "clevr"])
def test_clevr(place) -> None:
    train, test = (
        load_dataset("clevr", split, data_dir=place, flip="swap_lr") for split in ("train", "test")
    )
    assert (len(train), len(test)) == (360, 55)
    assert train.records[0].path.is_file() and test.records[0].path.is_file()
    assert not train.skipped and not test.skipped
    queries = [ambiguous(record) for record in test.records]
    assert round(float(np.concatenate(queries).mean()), 3) == 0.072
    assert (train.records[0].predicates >= 0).sum() == len(train.records[0].entities) * (
        len(train.records[0].entities) - 1
    )


@needs_shared("data", "coco_spatial")
def test_a_folder_of_the_same_layout() -> None:
    dataset = load_dataset("coco_spatial", "test", data_dir=DATA)
    assert len(dataset) == 15 and len(dataset.skipped["image without relationships"]) == 3
    assert dataset.vocabulary.predicates[:2] == ("left of", "right of")
    assert all(record.path.is_file() for record in dataset.records)
