"""The Python interface; its examples are tested by test_docstrings.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import dsg
from dsg.api import Grounding, Model
from dsg.datasets.shapes.pictures import make_picture
from dsg.errors import UserError
from dsg.pipeline.batches import inference_batch
from dsg.pipeline.images import read_image
from tests.shared import ROOT
from tests.small_trained import write_snapshot

QUERY = ("red metal cube", "left", "blue rubber sphere")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return dsg.load(write_snapshot(tmp_path_factory.mktemp("api") / "small.npz"))


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """R, G, B."""
    picture = make_picture("test", 0, {"seed": 5, "size": [192, 128], "objects": [3, 5]})[0]
    return picture[:, :, ::-1].copy()


NETWORK = {"http", "urllib.request", "urllib3", "requests", "pooch", "socket", "ssl"}


def loaded_by(statement: str) -> dict[str, str]:
    """The modules that a new process loads to execute a statement, and their files."""
    code = (
        f"import sys; before = set(sys.modules); {statement}\n"
        "new = {name: sys.modules[name] for name in set(sys.modules) - before}\n"
        "files = {name: getattr(module, '__file__', None) or '' for name, module in new.items()}\n"
        "import json; print(json.dumps(files))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "lib", capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_importing_the_package_loads_the_standard_library_alone() -> None:
    loaded = loaded_by("import dsg")
    assert {name for name in loaded if name.startswith("dsg")} == {"dsg", "dsg.version"}
    installed = [name for name, file in loaded.items() if "site-packages" in file]
    assert installed == [] and not NETWORK & set(loaded)


def test_importing_the_interface_is_quick() -> None:
    loaded = loaded_by("import dsg.api")
    assert "numpy" in loaded and not {"tensorflow", "keras", "matplotlib", *NETWORK} & set(loaded)


def test_answers_are_those_of_the_library(model: Model, image: np.ndarray, tmp_path: Path) -> None:
    ids = model.query(QUERY)
    found = model._trained.ask([image[:, :, ::-1]], [[ids]])[0]
    asked = model.ask(image, [QUERY, ids, ", ".join(QUERY)])
    assert asked[0] == asked[1] == asked[2]
    assert asked[0].query == QUERY
    np.testing.assert_allclose([one.box for one in asked[0].subjects], found.subject_boxes(0))
    np.testing.assert_allclose([one.box for one in asked[0].objects], found.object_boxes(0))
    assert asked[0].subject.score == pytest.approx(found.probabilities[0, :, 1].max())
    scores = [one.score for one in asked[0].objects]
    assert scores == sorted(scores, reverse=True) and 0 < scores[0] < 1

    cv2.imwrite(str(tmp_path / "a.png"), image[:, :, ::-1])
    assert model.ask(tmp_path / "a.png", [QUERY]) == model.ask(str(tmp_path / "a.png"), [QUERY]) == asked[:1]
    plain = json.loads(json.dumps(asked[0].to_json()))
    assert plain["subjects"][0]["box"] == list(asked[0].subject.box) and plain["query"] == list(QUERY)


def test_no_box_at_all() -> None:
    nothing = Grounding(QUERY, (), ())
    for role in ("subject", "object"):
        with pytest.raises(UserError, match="left, blue rubber sphere: no answer"):
            getattr(nothing, role)


def test_kinds_of_arrays(model: Model, image: np.ndarray) -> None:
    alpha = np.dstack([image, np.full(image.shape[:2], 7, np.uint8)])
    assert model.ask(alpha, [QUERY]) == model.ask(image, [QUERY])
    grey = image[:, :, 0]
    assert model.ask(grey, [QUERY]) == model.ask(np.dstack([grey] * 3), [QUERY])


def test_several_images(model: Model, image: np.ndarray) -> None:
    images = [image, image[:100, :150].copy(), image[:, ::-1].copy()]
    together = model.ask_many(images, [QUERY, (0, 0, 1)])
    assert [len(one) for one in together] == [2, 2, 2]
    for one, several in zip(images, together):
        alone = model.ask(one, [QUERY])[0]
        np.testing.assert_allclose(alone.subject.box, several[0].subject.box, atol=1e-3)
    assert model.ask(image, []) == []


def test_files_are_read_when_it_is_their_turn(
    model: Model, image: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), image)
    read = []
    together = model.config.test.ims_per_batch

    def reading(name: Path) -> np.ndarray:
        read.append(name)
        return read_image(name)

    def answering(pixels: list, asked: list, config: object) -> object:
        assert len(read) <= together
        read.clear()
        return inference_batch(pixels, asked, config)

    monkeypatch.setattr("dsg.models.dsg.trained.read_image", reading)
    monkeypatch.setattr("dsg.pipeline.batches.inference_batch", answering)
    assert len(model.ask_many([path] * (2 * together + 1), [QUERY])) == 2 * together + 1


def test_scene_graph(model: Model, image: np.ndarray, tmp_path: Path) -> None:
    graph = model.scene_graph(image)
    assert graph.nodes and graph.to_dot().startswith("digraph")
    without = dsg.load(write_snapshot(tmp_path / "plain.npz", "VARIANT", "no_dsg"))
    with pytest.raises(UserError, match=r"trained without a scene graph \(VARIANT no_dsg\)"):
        without.scene_graph(image)


def test_attention_of_the_boxes(model: Model, image: np.ndarray, tmp_path: Path) -> None:
    found = model.answers([image, image[:90]], [])
    for one in found:
        assert one.attention is not None and one.attention.shape == (len(one.boxes),) * 2
        np.testing.assert_allclose(one.attention.sum(axis=1), 1, rtol=1e-4)
        assert one.proposals.shape == one.boxes.shape
    for name, overrides in {"sum": ("GPI.AGGREGATION", "sum"), "none": ("VARIANT", "no_dsg")}.items():
        other = dsg.load(write_snapshot(tmp_path / f"{name}.npz", *overrides))
        assert other.answers([image], [])[0].attention is None


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        ([("red metal cube", "left")], "has a subject, a predicate and an object"),
        ([("red metl cube", "left", 3)], "unknown category 'red metl cube'; did you mean 'red metal cube'"),
        ([("red metal cube", "lefft", 3)], "unknown predicate 'lefft'; did you mean 'left'"),
        ([(0, 4, 1)], "no predicate 4; the numbers go from 0 to 3"),
        ([(0, 1, -1)], "no category -1; the numbers go from 0 to 47"),
        ([(0, 1.0, 1)], "1.0 is neither the name nor the number of a predicate"),
        ([(True, 1, 1)], "True is neither"),
        (("red metal cube", "left", "blue rubber sphere"), r"queries are given as a list: \[\('red"),
        ((1, 2, 3), r"as a list: \[\(1, 2, 3\)\], not"),
        ("red metal cube, left, blue rubber sphere", r"as a list: \['red"),
    ],
)
def test_mistaken_queries(model: Model, image: np.ndarray, queries: list, message: str) -> None:
    with pytest.raises(UserError, match=message):
        model.ask(image, queries)


def test_numbers_of_numpy_are_numbers(model: Model) -> None:
    assert model.query(np.array([1, 2, 3])) == (1, 2, 3)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4, 3), np.uint8), None],
)
def test_mistaken_images(model: Model, wrong: object) -> None:
    with pytest.raises(UserError, match=r"an image is a file or a uint8 array \[height, width, 3\]"):
        model.ask(wrong, [QUERY])  # type: ignore[arg-type]
