"""Figures of grounded scene graphs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from dsg.apps.figures.grounded import relation_page
from dsg.apps.main import main
from dsg.apps.scene_graphs.annotated import GroundedNetwork, network_of
from dsg.datasets.records import Vocabulary
from dsg.datasets.scene_graphs import GraphDataset, graphs_of, load_graphs
from dsg.errors import UserError
from dsg.models.grounding.trained import load_grounding
from tests.small_graph_data import make_graphs, words_of
from tests.small_grounding import write_grounding


class Place(NamedTuple):
    folder: Path
    words: Vocabulary


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("figures")
    words = words_of(make_graphs(folder / "data", test=4))
    refines = ("GROUNDING.REFINE", "True")
    write_grounding(folder / "mine_iter_0.npz", *refines, words=words)
    write_grounding(folder / "plain_iter_0.npz", "GROUNDING.EDGE_MASK", "average", words=words)
    return Place(folder, words)


def run(place: Place, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.chdir(place.folder)
    return main(["figure", *words, "--dataset", "data/shapes150"])


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize(
    ("kind", "setting"), [("graphs", "sgdet"), ("regions", "predcls"), ("refinement", "sgcls")]
)
def test_figures_of_images(place: Place, kind: str, setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--snapshot", "mine_iter_0.npz", "--to", kind, "--setting", setting, "--image", "200001.jpg"]
    assert run(place, monkeypatch, kind, *words) == 0
    assert [path.name for path in Path(kind).glob("*.png")] == [f"{kind}_200001.png"]
    found = json.loads(Path(kind, f"{kind}.json").read_text())
    assert found["setting"] == setting and found["images"][0]["nodes"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["regions", "--snapshot", "plain_iter_0.npz"], "it has no Gaussians"),
        (["refinement", "--snapshot", "plain_iter_0.npz"], "does not refine masks"),
        (["relations", "--snapshot", "plain_iter_0.npz"], "twice or more"),
        (["answers", "--snapshot", "plain_iter_0.npz"], "gives graphs and answers no queries"),
        (["graphs", "--net", "res101"], "res101 has no graphs with masks"),
        (["answers", "--net", "res101", "--setting", "sgcls"], "--setting is for graphs"),
        (["graphs", "--snapshot", "plain_iter_0.npz", "--image", "none.jpg"], "no image 'none.jpg'"),
    ],
)
@pytest.mark.usefixtures("untraced")
def test_mistakes_are_one_line(
    place: Place,
    words: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(place, monkeypatch, *words, "--to", "none") == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def knowing(place: Place, data: GraphDataset, triples: np.ndarray, label: str) -> GroundedNetwork:
    """A network whose frequencies name the predicate of these triples, whatever it sees."""
    trained = load_grounding(place.folder / "plain_iter_0.npz")
    variables = trained.model.named_variables()
    table = np.zeros(variables["graph/predicate/frequency/table"].shape, np.float32)
    labels = len(place.words.objects) + 1
    table[:, -1] = 5.0  # nothing, where nothing else is known
    table[triples[:, 0] * labels + triples[:, 1], triples[:, 2]] = 50.0
    variables["graph/predicate/frequency/table"].assign(table)
    return network_of(label, trained.model, trained.config, data.vocabulary, "predcls")


@pytest.mark.usefixtures("untraced")
def test_relations_that_one_network_finds(place: Place) -> None:
    data = load_graphs(place.folder / "data/shapes150", "test")
    record = graphs_of(data)[2]
    rows = record.relations
    triples = np.stack([record.labels[rows[:, 0]], record.labels[rows[:, 1]], rows[:, 2]], 1)
    networks = [knowing(place, data, triples, "ours"), knowing(place, data, triples[:0], "theirs")]
    [example] = [
        one
        for one in relation_page(networks, data, count=2, folder=place.folder)
        if one["image"] == record.name
    ]
    names, predicates = data.vocabulary.objects, data.vocabulary.predicates
    true = {f"{names[s]} {predicates[p]} {names[o]}".replace("_", " ") for s, o, p in triples.tolist()}
    assert example["true"] in true and example["predicted"]["ours"].startswith(example["true"])
    assert not example["predicted"]["theirs"].startswith(example["true"])
    seen = {tuple(triple) for triple in data.zero_shot.tolist()}
    assert example["zero_shot"] == any(
        tuple(triple) in seen
        for triple in triples.tolist()
        if f"{names[triple[0]]} {predicates[triple[2]]} {names[triple[1]]}".replace("_", " ")
        == example["true"]
    )
    assert cv2.imread(str(place.folder / "relations.png")).shape[1] > 800

    with pytest.raises(UserError, match="theirs finds no relation in these images that ours does not"):
        relation_page(networks[::-1], data, count=2, folder=place.folder)
