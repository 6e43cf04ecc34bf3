"""Records that are made when asked for: those of `build_record`, in a sequence that behaves as lists do."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.annotations import RELEASES, write_release
from dsg.datasets import ImageRecord, load_dataset, mirror_map, mirrored
from dsg.datasets.records import Vocabulary
from dsg.datasets.roidb import build_record
from dsg.datasets.table.counting import count_draws, count_queries
from tests.datasets.files import PREDICATES, write_dataset, write_json
from tests.datasets.test_cache import assert_same
from tests.properties import given, st


def built_one_by_one(folder: Path, flip: bool) -> list[ImageRecord]:
    """Every record with a query, made in turn from the file as a whole."""
    annotations = json.loads((folder / "annotations_train.json").read_text())
    sizes = json.loads((folder / "train_image_metadata.json").read_text())
    names = [tuple(json.loads((folder / f"{kind}.json").read_text())) for kind in ("objects", "predicates")]
    rng = np.random.RandomState(3)
    records = [
        build_record(
            name,
            folder / "images" / name,
            (sizes[name]["width"], sizes[name]["height"]),
            annotations[name],
            Vocabulary(*names),
            rng,
            pytest.fail,
        )
        for name in sizes
    ]
    records = [record for record in records if len(record.queries)]
    return records + [mirrored(record, mirror_map(names[1])) for record in records] if flip else records


@pytest.mark.parametrize("name", RELEASES)
@pytest.mark.parametrize("flip", [False, True])
def test_records_are_those_made_one_by_one(tmp_path: Path, name: str, flip: bool) -> None:
    write_release(tmp_path, RELEASES[name].of_images(60))
    write_json(tmp_path / "predicates.json", [*PREDICATES, *map(str, range(RELEASES[name].predicates - 3))])
    dataset = load_dataset(tmp_path, "trainval", flip="swap_lr" if flip else "none")
    expected = built_one_by_one(tmp_path, flip)
    assert len(dataset) == len(expected)
    for position in np.random.default_rng(0).permutation(len(expected)).tolist():  # in whatever order
        assert_same(dataset.records[position], expected[position])
    assert dataset.records.query_counts.tolist() == [len(record.queries) for record in expected]  # type: ignore[attr-defined]


def test_it_behaves_as_a_list(tmp_path: Path) -> None:
    records = load_dataset(write_dataset(tmp_path / "own"), "train", flip="released").records
    assert len(records) == 36
    assert records[-1].name == "17.jpg" and records[-1].flipped
    assert [record.name for record in records[2:6:2]] == ["02.jpg", "04.jpg"]
    assert [record.name for record in [*records][:18]] == [record.name for record in records[:18]]
    assert records[np.int64(1)].name == "01.jpg"  # type: ignore[call-overload]
    for beyond in (36, -37):
        with pytest.raises(IndexError):
            records[beyond]


def test_a_record_is_a_dataclass_as_any_other(tmp_path: Path) -> None:
    record = load_dataset(write_dataset(tmp_path / "own"), "test").records[0]
    assert isinstance(record, ImageRecord)
    changed = dataclasses.replace(record, queries=record.queries[:1])
    assert len(changed.queries) == 1 and changed.boxes is record.boxes
    assert_same(copy.deepcopy(record), record)
    with pytest.raises(AttributeError, match="colour"):
        record.colour  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.name = "other"  # type: ignore[misc]


def test_what_one_user_writes_into_a_record_stays_out_of_the_others(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "own")
    dataset = load_dataset(folder, "train", flip="released")
    first = dataset.records[0]
    first.boxes[:] = 0
    assert dataset.records[18].boxes.any() and dataset.records[1].boxes.any()
    assert load_dataset(folder, "train").records[0].boxes.any()


ROWS, ENTITIES = 6, 4
relations_of_rows = st.tuples(
    *(st.integers(0, limit - 1) for limit in (ROWS, ENTITIES, 3, ENTITIES))  # row, subject, predicate, object
)


@given(
    related=st.sets(relations_of_rows, max_size=60),
    categories=st.lists(st.integers(0, 2), min_size=ROWS * ENTITIES, max_size=ROWS * ENTITIES),
    spread=st.sampled_from([1, 1 << 17]),  # a number for a row may take all 63 bits
)
def test_counts_against_loops(related: set[tuple[int, ...]], categories: list[int], spread: int) -> None:
    table = np.array(sorted(related), np.int64).reshape(-1, 4) * [1, 1, spread, 1]
    rows, relations = table[:, 0], table[:, 1:]
    kinds, start = np.array(categories, np.int64) * spread, np.arange(ROWS) * ENTITIES
    queries, draws = count_queries(relations, rows, kinds, start), count_draws(relations, rows, ROWS)
    for row in range(ROWS):
        own = relations[rows == row].tolist()
        asked = [(s == o, kinds[start[row] + s], p, kinds[start[row] + o]) for s, p, o in own]
        assert queries[row].tolist() == [
            len({one[1:] for one in asked if not one[0]}),
            len({one[1:] for one in asked}),
        ]
        pairs = [(s, o) for s, _, o in own]
        assert draws[row] == sum(pairs.count(pair) > 1 for pair in set(pairs))
