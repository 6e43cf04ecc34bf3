"""TensorFlow 1 checkpoints, written as TensorFlow 1 wrote them, loaded by the road a user takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.checkpoints.tf1 import LoadReport, load_release_checkpoint, open_checkpoint, read_checkpoint
from dsg.checkpoints.tf1_names import release_name
from dsg.errors import UserError
from dsg.models.dsg.build import build_model
from dsg.nets.backbones.resnet import Bottleneck
from dsg.nets.layers import Block
from dsg.parity.recipe import recipe_value
from tests.golden import FOLDER
from tests.models.dsg.cases import TINY, tiny_config
from tests.shared import needs_shared, shared_path


class SmallRelease(Block):
    """Stands in for a whole network where only names and shapes matter: a stem, a bottleneck, a head."""

    def __init__(self, *overrides: str, entities: int = 7) -> None:
        super().__init__()
        self.config = tiny_config(*overrides, net="res50", tiny=())
        model = build_model(tiny_config(net="mini", tiny=TINY), entities, 5)
        self._parts = {name: model.parts[name] for name in ("rpn", "role_classifier", "gpi")}
        self._trunk = {
            "trunk/block2/3": Bottleneck(8, 16),
            "regions/entity/block4/units/0": Bottleneck(8, 16),
        }

    def named_variables(self, prefix: str = "") -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, part in {**self._trunk, **self._parts}.items():
            found.update(part.named_variables(f"{name}/"))
        return found


def values_of(model: Any) -> dict[str, np.ndarray]:
    """The recipe's values of a model's variables under their TensorFlow 1 names."""
    names = {
        release_name(name, model.config.net): value.shape for name, value in model.named_variables().items()
    }
    return {name: recipe_value(name, shape) for name, shape in names.items() if name is not None}


def save(prefix: Path, values: dict[str, np.ndarray], *, old: bool = False) -> Path:
    """Writes a checkpoint: sharded, or the single file of TensorFlow before 1.0."""
    names, tensors = list(values), [tf.constant(value) for value in values.values()]
    if old:
        tf.raw_ops.Save(filename=str(prefix), tensor_names=names, data=tensors)
    else:
        tf.raw_ops.SaveV2(
            prefix=str(prefix), tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors
        )
    return prefix


def assert_filled(model: Any) -> None:
    expected = values_of(model)
    for name, variable in model.named_variables().items():
        np.testing.assert_array_equal(variable, expected[release_name(name, "res50")], err_msg=name)


@pytest.mark.parametrize("old", [False, True])
def test_both_formats(tmp_path: Path, old: bool) -> None:
    model = SmallRelease()
    values = values_of(model)
    values["Variable"] = np.float32(0.001)
    values["resnet_v1_50/rpn_conv/3x3/weights/Momentum"] = np.ones(3, np.float32)
    values["someone/elses"] = np.ones(2, np.float32)
    report = load_release_checkpoint(model, save(tmp_path / "dsg_pretrained.ckpt", values, old=old))
    assert_filled(model)
    assert len(report.matched) == len(model.named_variables()) and not report.missing
    assert (report.unused, report.bookkeeping) == (["someone/elses"], 2)
    text = str(report)
    assert f"{len(report.matched)} variables matched, 0 missing, 1 unused, 2 of the optimiser" in text
    assert "unused: someone/elses" in text


def test_a_missing_variable_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = SmallRelease()
    before = {name: value.numpy() for name, value in model.named_variables().items()}
    values = values_of(model)
    values.pop("gpi/nn_phi/1/weights")
    prefix = save(tmp_path / "cut.ckpt", values)
    with pytest.raises(
        UserError, match="lacks 1 of the model's variables, such as gpi/neighbour_mlp/1/kernel"
    ):
        load_release_checkpoint(model, prefix)
    for name, value in model.named_variables().items():
        np.testing.assert_array_equal(value, before[name])


def test_another_vocabulary(tmp_path: Path) -> None:
    prefix = save(tmp_path / "other.ckpt", values_of(SmallRelease(entities=9)))
    with pytest.raises(UserError, match=r"cls_score__new/weights has shape .* another network or vocabulary"):
        load_release_checkpoint(SmallRelease(), prefix)


def test_another_network(tmp_path: Path) -> None:
    values = {name.replace("_50", "_101"): value for name, value in values_of(SmallRelease()).items()}
    prefix = save(tmp_path / "res101.ckpt", values)
    with pytest.raises(UserError, match="it is not a checkpoint of res50 as configured"):
        load_release_checkpoint(SmallRelease(), prefix)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such checkpoint \(neither none.ckpt nor none.ckpt.index"):
        open_checkpoint(tmp_path / "none.ckpt")


def test_an_index_without_data(tmp_path: Path) -> None:
    prefix = save(tmp_path / "half.ckpt", {"a": np.ones(3, np.float32)})
    Path(f"{prefix}.data-00000-of-00001").unlink()
    with pytest.raises(UserError, match=r"half.ckpt.data-00000-of-00001 is missing beside half.ckpt.index"):
        open_checkpoint(prefix)


@pytest.mark.parametrize("part", [".index", ".data-00000-of-00001", ""])
def test_a_git_lfs_pointer(tmp_path: Path, part: str) -> None:
    prefix = tmp_path / "dsg_pretrained.ckpt"
    if part:
        save(prefix, {"a": np.ones(3, np.float32)})
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 610500788\n"
    Path(f"{prefix}{part}").write_bytes(pointer)
    with pytest.raises(UserError, match="is a Git LFS pointer, not the file; run `git lfs pull`"):
        open_checkpoint(prefix)


@pytest.mark.parametrize("old", [False, True])
def test_data_cut_short(tmp_path: Path, old: bool) -> None:
    model = SmallRelease()
    before = {name: value.numpy() for name, value in model.named_variables().items()}
    prefix = save(tmp_path / "short.ckpt", values_of(model), old=old)
    data = prefix if old else Path(f"{prefix}.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    with pytest.raises(UserError, match=r"truncated|not a readable TensorFlow checkpoint"):
        load_release_checkpoint(model, prefix)
    for name, value in model.named_variables().items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize("content", [b"", b"hello", bytes(range(256)) * 40])
def test_no_checkpoint_at_all(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "letter.ckpt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"letter\.ckpt: not a readable TensorFlow checkpoint"):
        open_checkpoint(path)


def test_a_damaged_index(tmp_path: Path) -> None:
    prefix = save(tmp_path / "bad.ckpt", {"a": np.ones(3, np.float32)})
    index = Path(f"{prefix}.index")
    index.write_bytes(b"\0" * index.stat().st_size)
    with pytest.raises(UserError, match="not a readable TensorFlow checkpoint"):
        open_checkpoint(prefix)


def test_a_flipped_bit(tmp_path: Path) -> None:
    model = SmallRelease()
    prefix = save(tmp_path / "bit.ckpt", values_of(model))
    data = Path(f"{prefix}.data-00000-of-00001")
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 16
    data.write_bytes(content)
    with pytest.raises(UserError, match="cannot be read; the file is damaged or truncated"):
        load_release_checkpoint(model, prefix)


def test_values_of_another_type(tmp_path: Path) -> None:
    model = SmallRelease()
    double = {name: value.astype(np.float64) for name, value in values_of(model).items()}
    load_release_checkpoint(model, save(tmp_path / "double.ckpt", double))
    assert_filled(model)
    whole = {name: np.zeros(value.shape, np.int32) for name, value in double.items()}
    with pytest.raises(UserError, match="holds int32, not floating point numbers"):
        load_release_checkpoint(model, save(tmp_path / "whole.ckpt", whole))


def test_variables_by_our_names(tmp_path: Path) -> None:
    """What nobody asks for is counted, what training left there apart."""
    there = {
        "a": np.ones(2, np.float32),
        "rest": np.zeros(1, np.float32),
        "a/RMSProp": np.ones(2, np.float32),
    }
    path = save(tmp_path / "x.ckpt", {**there, "global_step": np.int64(3), "logits/biases": np.ones(2)})
    values, report = read_checkpoint(path, {"ours": "a", "lacking": "b"})
    assert list(values) == report.matched == ["ours"] and values["ours"].tolist() == [1, 1]
    assert (report.missing, report.unused, report.bookkeeping) == (["lacking"], ["rest"], 3)


def test_reports_are_short() -> None:
    report = LoadReport("x", missing=[f"variable{number}" for number in range(9)])
    assert "missing: variable0, variable1, variable2, variable3, variable4 and 4 more" in str(report)


@needs_shared("reference", "dsg_pretrained.ckpt.index")
def test_the_real_index(tmp_path: Path) -> None:
    """All 802 names and shapes stand in the released index; without its data no value can be read."""
    index = shared_path("reference", "dsg_pretrained.ckpt.index").read_bytes()
    (tmp_path / "dsg_pretrained.ckpt.index").write_bytes(index)
    (tmp_path / "dsg_pretrained.ckpt.data-00000-of-00001").write_bytes(b"")
    reader = open_checkpoint(tmp_path / "dsg_pretrained.ckpt")
    listed = json.loads((FOLDER / "dsg_pretrained_variables.json").read_text())
    assert {name: list(shape) for name, shape in reader.get_variable_to_shape_map().items()} == listed


def test_a_layer_that_the_release_lacks_is_missing(tmp_path: Path) -> None:
    """It would keep its random start unnoticed, whatever else the file holds."""
    model = SmallRelease()
    prefix = save(tmp_path / "dsg_pretrained.ckpt", values_of(model))
    model._parts["box_refiner/cells"] = Bottleneck(8, 16)
    with pytest.raises(UserError, match=r"lacks \d+ of the model's variables, such as box_refiner/cells"):
        load_release_checkpoint(model, prefix)
