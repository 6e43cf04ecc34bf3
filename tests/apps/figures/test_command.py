"""Figures of a network that knows little, and of two of them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from dsg.apps.figures.attention import attention_page
from dsg.apps.figures.boxes import box_panels, boxes_panel
from dsg.apps.figures.variants import Network, _choose, variant_page
from dsg.errors import UserError
from dsg.models.dsg.evaluate import Examined
from dsg.models.dsg.predictions import Prediction
from dsg.visualize.canvas import BLUE, LegendItem
from tests.programs import run_program
from tests.small_dataset import VOCABULARY, make_dataset, make_record
from tests.small_trained import write_snapshot
from tests.tiny import make_tiny_shapes


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    make_tiny_shapes(folder / "data", train=2, test=3)
    write_snapshot(folder / "mine_iter_0.npz")
    write_snapshot(folder / "plain_iter_0.npz", "VARIANT", "no_dsg")
    return folder


def program(place: Path, *words: str) -> subprocess.CompletedProcess:
    return run_program("figures", *words, "--imdb", "data/shapes", cwd=place)


def test_answers(place, untraced):
    done = program(place, "answers", "--model", "mine_iter_0.npz", "--to", "answers")
    assert done.returncode == 0, done.stderr
    found = json.loads((place / "answers/answers.json").read_text())
    assert 1 <= len(found["failures"]) <= 3  # one an image
    assert len({one["image"] for one in found["failures"]}) == len(found["failures"])
    assert all(one["failure"]["iou"] < 0.5 for one in found["failures"])
    assert cv2.imread(str(place / "answers/failures.png")) is not None
    if not found["successes"]:
        assert "no successes to show" in done.stdout


@pytest.mark.parametrize("kind", ["boxes", "attention"])
def test_figures_of_images(place, kind, untraced):
    done = program(
        place, kind, "--model", "mine_iter_0.npz", "--to", kind, "--image", "shapes_test_000001.png"
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (place / kind).glob("*.png")] == [f"{kind}_shapes_test_000001.png"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["attention", "--model", "plain_iter_0.npz"], "has no attention"),
        (["variants", "--model", "mine_iter_0.npz"], "twice or more"),
        (["variants", "--model", "mine_iter_0.npz", "--model", "mine_iter_0.npz"], "with --snapshot LABEL="),
        (["boxes", "--model", "mine_iter_0.npz", "--image", "none.png"], "no image 'none.png'"),
        (["boxes", "--model", "mine_iter_0.npz", "--model", "plain_iter_0.npz"], "give --snapshot once"),
        (["pies", "--model", "mine_iter_0.npz"], "pies"),
    ],
)
def test_mistakes_are_one_line(place, words, message):
    done = program(place, *words, "--to", "none")
    assert done.returncode == 2 and message in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1


def perfect(record, shift: float) -> Examined:
    boxes = record.boxes + np.float32(shift)
    chosen = np.ones((len(record.queries), len(boxes)), bool)
    blob = np.zeros((record.height, record.width, 3), np.float32)
    roles = np.eye(4, dtype=np.float32)[record.roles]
    labels = np.eye(3, dtype=np.float32)[record.entities]
    relations = np.full((len(boxes), len(boxes), 3), 1 / 3, np.float32)
    weights = np.full(len(boxes), 1 / len(boxes), np.float32)
    size = np.array([record.width, record.height] * 2, np.float32)
    answers = Prediction(
        size, record.queries, boxes, boxes, chosen, chosen, roles, labels, relations, weights, None
    )
    return Examined(0, record, blob, record.boxes, answers)


def test_panels_show_every_box(tmp_path):
    record = make_record(tmp_path, 2, (48, 64))
    answer = perfect(record, 1.0)
    means = (0.0, 0.0, 0.0)
    assert box_panels(answer, VOCABULARY, 0, (1.0, 0.5), means).ndim == 3
    assert attention_page(answer, VOCABULARY, means).shape[1] > 600
    layer = (np.array([[5.0, 5, 30, 30]]), LegendItem("box", BLUE))
    one = boxes_panel(np.zeros((40, 40, 3), np.uint8), "boxes", [layer])
    assert (one == BLUE).all(axis=2).any()


def test_the_query_that_tells_two_networks_apart_is_chosen(tmp_path):
    records = [make_record(tmp_path, number, (48, 64)) for number in (1, 2, 4)]
    data = make_dataset(tmp_path, records)
    counts = [len(record.queries) for record in records]
    good = {place: np.ones((2, count)) for place, count in enumerate(counts)}
    bad = {place: np.ones((2, count)) for place, count in enumerate(counts)}
    assert _choose(good, bad, data, 3, set()) is None
    bad[1][1, 0] = 0.1
    assert _choose(good, bad, data, 3, set()) == (1, 0)
    bad[2][0, 1] = 0.0
    assert _choose(good, bad, data, 3, {1}) == (2, 1)
    assert _choose(good, bad, data, 3, {2})[0] == 1
    good[2][:] = 0.3
    assert _choose(good, bad, data, 3, {1}) == (1, 0)


def test_variants_that_do_not_differ_are_refused(place, untraced):
    from dsg.datasets import load_dataset
    from dsg.models.dsg.trained import load_trained

    trained = load_trained(place / "mine_iter_0.npz")
    data = load_dataset(place / "data/shapes", "test")
    networks = [Network(label, trained.model, trained.config) for label in ("one", "other")]
    with pytest.raises(UserError, match="one answers no query well"):
        variant_page(networks, data)
