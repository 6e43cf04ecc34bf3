"""The exported model answers like the library, in a process that has TensorFlow and nothing of ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dsg.apps.export.graph import SIGNATURE, answering, exportable
from dsg.apps.export.saved_model import export_saved_model
from dsg.datasets.shapes.pictures import make_picture
from dsg.engine.snapshots import load_snapshot
from dsg.errors import UserError
from dsg.models.dsg.predictions import Prediction
from dsg.models.dsg.trained import Trained, load_trained
from tests.shared import ROOT
from tests.small_trained import write_snapshot

MINI = ROOT / "data" / "demo" / "mini.npz"
QUERIES = np.array([[0, 1, 2], [3, 0, 3], [47, 3, 1]], np.int32)
SERVE = """
import gc, sys
gc.disable()
import numpy as np
import tensorflow as tf

model = tf.saved_model.load("model")
ask = model.signatures["serving_default"]
images = np.load("images.npz")
queries = np.load("queries.npy")
found = {}
for name in images.files:
    for key, value in ask(image=tf.constant(images[name]), queries=tf.constant(queries)).items():
        found[name + "/" + key] = value.numpy()
for key, value in ask(image=tf.constant(images[name]), queries=tf.constant(queries[:0])).items():
    found["nothing/" + key] = value.numpy()
np.savez("found.npz", **found)
words = model.signatures["vocabulary"]()
print([word.numpy()[0].decode() for word in (words["objects"], words["predicates"])])
try:
    ask(image=tf.constant(images[name]), queries=tf.constant([[0, 1, 48]]))
except tf.errors.InvalidArgumentError:
    print("refused")
print([name for name in sys.modules if name.split(".")[0] == "dsg"])
"""


def pictures() -> dict[str, np.ndarray]:
    """uint8 RGB images of several sizes by name."""
    sizes = {"twice": (192, 128), "odd": (97, 64), "long": (333, 1000), "upright": (64, 97)}
    found = {
        name: make_picture("test", number, {"seed": 5, "size": list(size), "objects": [3, 5]})[0][:, :, ::-1]
        for number, (name, size) in enumerate(sizes.items())
    }
    found["noise"] = np.random.default_rng(0).integers(0, 256, (301, 77, 3), dtype=np.uint8)
    return {name: np.ascontiguousarray(image) for name, image in found.items()}


@pytest.fixture(scope="module")
def trained() -> Trained:
    return load_trained(MINI)


@pytest.fixture(scope="module")
def expected(trained: Trained) -> dict[str, Prediction]:
    return {name: answer(trained, image) for name, image in pictures().items()}


def answer(trained: Trained, image: np.ndarray) -> Prediction:
    """What the library says of an RGB image."""
    return trained.ask([image[:, :, ::-1]], [QUERIES], traced=False)[0]


def check(found: dict[str, np.ndarray], name: str, expected: Prediction) -> None:
    """Outputs by `<name>/<output>` are what the library says."""
    one = {key.split("/")[1]: value for key, value in found.items() if key.startswith(f"{name}/")}
    np.testing.assert_allclose(one["boxes"], expected.boxes, atol=2e-3, err_msg=name)
    np.testing.assert_allclose(one["role_probabilities"], expected.probabilities, atol=1e-4, err_msg=name)
    np.testing.assert_array_equal(one["subjects"], expected.subjects)
    np.testing.assert_array_equal(one["objects"], expected.objects)
    for query in range(len(QUERIES)):
        np.testing.assert_allclose(one["subject_box"][query], expected.subject_boxes(query)[0], atol=2e-3)
        np.testing.assert_allclose(one["object_box"][query], expected.object_boxes(query)[0], atol=2e-3)
    np.testing.assert_allclose(one["subject_score"], expected.probabilities[:, :, 1].max(1), atol=1e-4)
    np.testing.assert_allclose(one["object_score"], expected.probabilities[:, :, 2].max(1), atol=1e-4)
    if expected.entities is None:
        assert "labels" not in one
        return
    np.testing.assert_array_equal(one["labels"], expected.entities.argmax(1))
    np.testing.assert_allclose(one["label_scores"], expected.entities.max(1), atol=1e-4)
    np.testing.assert_allclose(one["predicate_probabilities"], expected.predicates, atol=1e-4)
    if expected.node_weights is not None:
        np.testing.assert_allclose(one["node_weights"], expected.node_weights, atol=1e-4)


def check_without_queries(found: dict[str, np.ndarray], expected: Prediction) -> None:
    """Outputs for no query are empty where they have one row per query; the boxes are the same."""
    boxes = len(expected.boxes)
    np.testing.assert_allclose(found["boxes"], expected.boxes, atol=2e-3)
    assert found["role_probabilities"].shape == (0, boxes, 4)
    for role in ("subject", "object"):
        assert found[f"{role}s"].shape == (0, boxes)
        assert found[f"{role}_box"].shape == (0, 4) and found[f"{role}_score"].shape == (0,)


def test_served_by_tensorflow_alone(
    trained: Trained, exported: Path, expected: dict[str, Prediction], tmp_path: Path
) -> None:
    shutil.copytree(exported / "output" / "mini", tmp_path / "model")
    np.savez(tmp_path / "images.npz", **pictures())
    np.save(tmp_path / "queries.npy", QUERIES)
    done = subprocess.run(
        [sys.executable, "-I", "-c", SERVE],
        cwd=tmp_path,
        env={
            **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["['blue_metal_cube', 'behind']", "refused", "[]"]
    found = dict(np.load(tmp_path / "found.npz"))
    for name, one in expected.items():
        check(found, name, one)
    nothing = {key.split("/")[1]: value for key, value in found.items() if key.startswith("nothing/")}
    check_without_queries(nothing, one)
    words = json.loads((tmp_path / "model" / "vocabulary.json").read_text())
    assert words["objects"] == list(trained.vocabulary.objects) and len(words["predicates"]) == 4
    # The weights, which are not packed there, and the program; what only training reads is left out.
    weights = sum(4 * array.size for array in load_snapshot(MINI).variables.values())
    assert sum(path.stat().st_size for path in (tmp_path / "model").rglob("*")) < weights + 1.5e6


@pytest.mark.parametrize(
    "overrides",
    [
        ("VARIANT", "no_dsg"),
        ("GPI.AGGREGATION", "sum", "USE_E2E_TF", "False"),
        ("TEST.ALWAYS_INCLUDE_BEST", "False", "RELATION_POOLING_SIZE", "3"),
        ("NET", "res18"),
    ],
    ids=["no graph", "sum", "best only if empty", "res18"],
)
def test_other_networks(overrides: tuple[str, ...], tmp_path: Path) -> None:
    other = exportable(load_trained(write_snapshot(tmp_path / "small.npz", *overrides)))
    image = pictures()["twice"]
    expected = answer(other, image)
    graph = tf.function(answering(other, direct=True), input_signature=SIGNATURE, autograph=False)
    found = {f"a/{key}": value.numpy() for key, value in graph(image, QUERIES).items()}
    check(found, "a", expected)
    nothing = graph(image, QUERIES[:0])
    check_without_queries({key: value.numpy() for key, value in nothing.items()}, expected)


STRANGE = ["model.onnx", "variables/w.npz", "assets/notes.txt", "more/", "variables/old/"]


@pytest.mark.parametrize("strange", STRANGE)
def test_what_is_no_saved_model_stays(strange: str, trained: Trained, tmp_path: Path) -> None:
    """Beside an earlier SavedModel, too: all of the folder is replaced."""
    folder = tmp_path / "model"
    for name in ("saved_model.pb", "fingerprint.pb", "vocabulary.json", "variables/variables.index", strange):
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.mkdir() if name.endswith("/") else place.write_bytes(b"mine")
    with pytest.raises(
        UserError, match=f"model: contains {strange.strip('/')}, which is not part of a SavedModel"
    ):
        export_saved_model(trained, folder)
    assert (folder / strange).exists() and (folder / "saved_model.pb").read_bytes() == b"mine"


def test_an_earlier_export_is_replaced(exported: Path, tmp_path: Path) -> None:
    small = load_trained(write_snapshot(tmp_path / "small.npz", "VARIANT", "no_dsg"))
    before = (
        shutil.copytree(exported / "output" / "mini", tmp_path / "model") / "saved_model.pb"
    ).read_bytes()
    export_saved_model(small, tmp_path / "model")
    assert (tmp_path / "model" / "vocabulary.json").is_file()
    assert (tmp_path / "model" / "saved_model.pb").read_bytes() != before
    (tmp_path / "link").symlink_to(tmp_path / "model")
    with pytest.raises(UserError, match="link: is a link; give the folder itself"):
        export_saved_model(small, tmp_path / "link")


def test_folders(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"mine")
    with pytest.raises(UserError, match="photos: contains something other than a SavedModel"):
        export_saved_model(trained, tmp_path / "photos")
    with pytest.raises(UserError, match="is a file; give a folder"):
        export_saved_model(trained, tmp_path / "photos" / "a.png")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="give a folder inside it"):
        export_saved_model(trained, Path("."))
    assert (tmp_path / "photos" / "a.png").read_bytes() == b"mine"
