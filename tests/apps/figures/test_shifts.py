"""Figures of what ss and ssas do with attention."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from dsg.apps.figures.command import shift_figures
from dsg.apps.figures.shifts import Chain, find_chain, shifted_spots, spot
from dsg.apps.figures.variants import Network
from dsg.config import flatten
from dsg.datasets import load_dataset
from dsg.engine.snapshots import Meta, save_snapshot
from dsg.errors import UserError
from dsg.models.baselines.model import build_baseline
from tests.apps.figures.test_command import program
from tests.models.baselines import small
from tests.small_dataset import SIZES, make_record
from tests.tiny import make_tiny_shapes


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shifts")
    make_tiny_shapes(folder / "data", train=2, test=8)
    data = load_dataset(folder / "data/shapes", "test")
    for net in ("ssas", "co"):
        config = small.config(net)
        objects, predicates = data.vocabulary.objects, data.vocabulary.predicates
        model = build_baseline(config, len(objects), len(predicates))
        meta = Meta(
            net=net,
            epoch=1,
            step=1,
            history=[],
            config=flatten(config),
            dataset="shapes",
            objects=list(objects),
            predicates=list(predicates),
        )
        save_snapshot(folder / f"{net}_iter_0.npz", model.named_variables(), {}, meta)
    return folder


def test_a_shift_moves_the_spot_where_its_filter_says():
    head = small.head("ss", "BASELINE.SHIFT_SIZE", "7")
    filters = np.zeros((3, 7, 7), np.float32)
    filters[0, 3, 5] = 1.0  # two cells to the right
    filters[1, 0, 3] = 1.0  # three up
    filters[2, 3, 3] = 1.0
    head.forward.filters.assign(filters)
    head.inverse.filters.assign(filters[::-1])
    forward, inverse = shifted_spots(head, 3)
    expected = np.tanh(spot())
    np.testing.assert_allclose(forward[0][:, 2:], expected[:, :-2], atol=1e-6)
    np.testing.assert_allclose(forward[1][:-3], expected[3:], atol=1e-6)
    np.testing.assert_allclose(forward[2], expected, atol=1e-6)
    np.testing.assert_array_equal(inverse, forward[::-1])


def test_a_chain_is_annotated(tmp_path):
    for number, size in enumerate(SIZES):
        record = make_record(tmp_path, number, size)
        chain = find_chain(record)
        if chain is None:
            assert len(record.boxes) < 3
            continue
        known = {tuple(map(int, triple)) for triple in record.triples}
        a, b, c = chain.entities
        assert len({a, b, c}) == 3
        assert {(a, chain.predicates[0], b), (b, chain.predicates[1], c)} <= known


def test_a_chain_of_different_categories_is_preferred(tmp_path):
    record = make_record(tmp_path, 2, (48, 64))
    triples = np.array([[0, 0, 1], [1, 1, 2], [1, 2, 3], [0, 0, 0]], np.int32)
    alike = replace(record, triples=triples, entities=np.array([0, 1, 0, 2], np.int32))
    assert find_chain(alike) == Chain((0, 1, 3), (0, 2))
    assert find_chain(replace(alike, triples=triples[:2])) == Chain((0, 1, 2), (0, 1))
    assert find_chain(replace(alike, triples=triples[[0, 3]])) is None


@pytest.mark.parametrize("kind", ["shifts", "iterations", "saccades"])
def test_figures(place, kind, caplog):
    data = load_dataset(place / "data/shapes", "test")
    data.records[0].path.unlink(missing_ok=True)  # a warning, no more
    config = small.config("ssas")
    model = build_baseline(config, len(data.vocabulary.objects), len(data.vocabulary.predicates))
    folder = place / kind
    folder.mkdir()
    shift_figures(kind, Network("mine", model, config), data, folder, count=9)
    pictures = list(folder.glob("*.png"))
    contents = json.loads((folder / f"{kind}.json").read_text())
    assert len(pictures) == (1 if kind == "shifts" else len(contents["images"]))
    assert pictures and all(cv2.imread(str(path)).shape[1] > 300 for path in pictures)
    if kind == "shifts":
        assert set(contents["largest"]) == set(data.vocabulary.predicates)
    else:
        assert not any(data.records[0].name[:-4] in path.name for path in pictures)
        assert data.records[0].name in caplog.text or kind == "saccades"


def test_no_image_has_a_chain(place, tmp_path):
    data = load_dataset(place / "data/shapes", "test")
    none = replace(data, records=[replace(one, triples=one.triples[:0]) for one in data.records])
    config = small.config("ssas")
    model = build_baseline(config, len(data.vocabulary.objects), len(data.vocabulary.predicates))
    with pytest.raises(UserError, match="no readable image suits the figure saccades"):
        shift_figures("saccades", Network("mine", model, config), none, tmp_path, count=1)


def test_the_program(place):
    done = program(place, "shifts", "--model", "ssas_iter_0.npz", "--to", "out")
    assert done.returncode == 0, done.stderr
    assert cv2.imread(str(place / "out/shifts.png")) is not None
    for words, message in (
        (["shifts", "--model", "co_iter_0.npz"], "co does not shift attention"),
        (["boxes", "--model", "ssas_iter_0.npz"], "ssas answers with maps"),
    ):
        done = program(place, *words, "--to", "none")
        assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1
