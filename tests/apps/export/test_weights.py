"""Files of weights: what they leave out, what they keep, and that they answer like the snapshot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dsg
from dsg.apps.export.weights import PRECISIONS, rounded, share_weights
from dsg.config import from_values, stored_values
from dsg.datasets.shapes.pictures import make_picture
from dsg.engine.snapshots import load_meta, load_snapshot, save_snapshot
from dsg.errors import UserError
from tests.shared import ROOT
from tests.small_trained import write_snapshot

TOLERANCE = {"float32": 0.0, "rounded": 1 / 8192, "float16": 1 / 1024}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_snapshot(tmp_path_factory.mktemp("run") / "run_iter_3.npz", "DATA.DIR", "/home/someone/data")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_weights_only(source: Path, tmp_path: Path, precision: str) -> None:
    target = tmp_path / "shared.npz"
    size = share_weights(source, target, precision)
    before, after = load_snapshot(source), load_snapshot(target)
    assert size == target.stat().st_size < source.stat().st_size
    assert before.slots and not after.slots
    assert after.meta.history == [] and after.meta.config["DATA.DIR"] == "data"
    assert after.meta.objects == before.meta.objects and after.meta.epoch == 3
    for name, array in before.variables.items():
        small = precision == "float16" and array.ndim > 1
        assert after.variables[name].dtype == (np.float16 if small else np.float32)
        # Below its normal range float16 has an absolute error.
        np.testing.assert_allclose(
            after.variables[name].astype(np.float32),
            array,
            rtol=TOLERANCE[precision],
            atol=4e-8 if small else 0,
        )
    assert b"someone" not in target.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["shared.npz"]


def test_a_snapshot_of_a_version_that_called_the_backbone_net(tmp_path: Path) -> None:
    bundled, target = ROOT / "data" / "demo" / "mini.npz", tmp_path / "again.npz"
    before = load_meta(bundled)
    assert "BACKBONE" not in before.config and before.config["NET"] == before.net == "mini"
    share_weights(bundled, target)
    after = load_meta(target)
    assert "NET" not in after.config and after.net == "mini"
    configs = [from_values(stored_values(meta.config)) for meta in (before, after)]
    assert configs[0] == configs[1] and (configs[0].model, configs[0].backbone) == ("dsg", "mini")
    assert dsg.load(target).config == configs[0]


def test_sizes(source: Path, tmp_path: Path) -> None:
    sizes = {name: share_weights(source, tmp_path / f"{name}.npz", name) for name in PRECISIONS}
    assert sizes["float16"] < 0.6 * sizes["float32"] and sizes["rounded"] < 0.9 * sizes["float32"]
    assert share_weights(source, tmp_path / "again.npz") == sizes["float32"]
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "float32.npz").read_bytes()


def test_a_file_of_weights_answers_like_the_snapshot(source: Path, tmp_path: Path, untraced: None) -> None:
    image = make_picture("test", 0, {"seed": 5, "size": [96, 64], "objects": [3, 5]})[0]
    expected = dsg.load(source).answers([image], [(0, 1, 2)])[0]
    for precision in PRECISIONS:
        share_weights(source, tmp_path / "shared.npz", precision)
        model = dsg.load(tmp_path / "shared.npz")
        assert {variable.dtype.name for variable in model._trained.model.named_variables().values()} == {
            "float32"
        }
        found = model.answers([image], [(0, 1, 2)])[0]
        assert found.boxes.shape == expected.boxes.shape
        np.testing.assert_allclose(found.boxes, expected.boxes, atol=1000 * TOLERANCE[precision] + 1e-5)
        np.testing.assert_allclose(
            found.probabilities, expected.probabilities, atol=10 * TOLERANCE[precision] + 1e-7
        )


def test_what_16_bits_cannot_hold_keeps_32(source: Path, tmp_path: Path) -> None:
    snapshot = load_snapshot(source)
    name = next(name for name, value in snapshot.variables.items() if value.ndim > 1)
    large = {**snapshot.variables, name: snapshot.variables[name] * 0 + 1e5}
    save_snapshot(tmp_path / "large.npz", large, {}, snapshot.meta)
    share_weights(tmp_path / "large.npz", tmp_path / "shared.npz", "float16")
    np.testing.assert_array_equal(load_snapshot(tmp_path / "shared.npz").variables[name], large[name])


def test_mistakes(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        share_weights(tmp_path / "absent.npz", tmp_path / "a.npz")
    with pytest.raises(UserError, match="bytes packed; at most 1,000 are shipped"):
        share_weights(source, tmp_path / "a.npz", largest=1000)
    with pytest.raises(UserError, match="cannot save"):
        share_weights(source, tmp_path / "absent" / "a.npz")
    with pytest.raises(ValueError, match="precision is one of"):
        share_weights(source, tmp_path / "a.npz", "int8")
    assert not list(tmp_path.iterdir())


def test_rounding_of_weights() -> None:
    values = np.float32([0.0, -0.0, 1.0, 1.2, -3.3, 1e-30, 3e38, np.nextafter(np.float32(2), np.float32(0))])
    np.testing.assert_allclose(rounded(values), values, rtol=1 / 8192)
    np.testing.assert_array_equal(rounded(values, 2)[:5], np.float32([0.0, -0.0, 1.0, 1.25, -3.5]))
    assert rounded(values)[-1] == 2 and rounded(np.ones((2, 3), np.float32)).shape == (2, 3)
