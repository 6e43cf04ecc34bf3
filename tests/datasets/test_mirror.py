"""Mirror images: boxes, and which predicates change places."""

from __future__ import annotations

import numpy as np

from dsg.datasets import load_dataset, mirror_map, mirrored
from tests.datasets.files import write_dataset


def test_left_and_right_change_places_whatever_their_names() -> None:
    assert mirror_map(("behind", "front", "left", "right")).tolist() == [0, 1, 3, 2]
    assert mirror_map(("on the right of", "on", "on the left of")).tolist() == [2, 1, 0]
    assert mirror_map(("Left_Of", "near", "right of")).tolist() == [2, 1, 0]
    assert mirror_map(("left of", "above")).tolist() == [0, 1]  # no counterpart: nothing to become


def test_mirroring_twice_gives_the_image_back(tmp_path) -> None:
    dataset = load_dataset(write_dataset(tmp_path / "own"), "test")
    swap = mirror_map(dataset.vocabulary.predicates)
    record = dataset.records[0]
    once = mirrored(record, swap)
    twice = mirrored(once, swap)
    assert once.flipped
    assert once.boxes.tolist() == [[49, 20, 89, 60], [9, 20, 39, 70]]
    assert once.queries.tolist() == [[0, 2, 1], [1, 1, 0]]
    assert once.predicates.tolist() == [[-1, 2], [1, -1]]
    assert once.triples[:, 1].tolist() == [2, 1]
    for name in ("boxes", "queries", "predicates", "triples", "roles"):
        np.testing.assert_array_equal(getattr(twice, name), getattr(record, name))


def test_flip_options_of_the_loader(tmp_path) -> None:
    folder = write_dataset(tmp_path / "own")
    plain = load_dataset(folder, "train")
    released = load_dataset(folder, "train", flip="released")
    swapped = load_dataset(folder, "train", flip="swap_lr")
    assert len(load_dataset(folder, "train", flip="none")) == len(plain) == 18
    assert len(released) == len(swapped) == 36
    assert [record.flipped for record in released.records] == [False] * 18 + [True] * 18
    assert released.records[18].queries.tolist() == plain.records[0].queries.tolist()
    assert swapped.records[18].queries[:, 1].tolist() == [2, 1]
    assert len(load_dataset(folder, "test", flip="released")) == 1
    assert len(load_dataset(folder, "validation", flip="released")) == 2


def test_exact_boxes_stay_on_what_they_enclose(tmp_path) -> None:
    folder = write_dataset(tmp_path / "own")
    record = load_dataset(folder, "train").records[0]
    drawn = np.zeros((record.height, record.width), bool)
    x1, y1, x2, y2 = record.boxes[0].astype(int)
    drawn[y1:y2, x1:x2] = True

    found = load_dataset(folder, "train", flip="swap_lr", exact_boxes=True).records[18]
    columns = np.flatnonzero(drawn[:, ::-1].any(0))
    assert found.flipped and found.boxes[0, [0, 2]].tolist() == [columns[0], columns[-1] + 1]
    np.testing.assert_array_equal(mirrored(mirrored(record, exact=True), exact=True).boxes, record.boxes)
    released = load_dataset(folder, "train", flip="swap_lr").records[18]
    np.testing.assert_array_equal(released.boxes, found.boxes - np.float32([1, 0, 1, 0]))
