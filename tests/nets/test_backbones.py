"""The table of backbones: the names that the configuration knows, and what each entry promises."""

from __future__ import annotations

import pytest
import tensorflow as tf

from dsg.config import load_config
from dsg.config.names import DSG_BACKBONES, PYRAMIDS, STRIDES
from dsg.nets.backbones import BACKBONES
from tests.shared import ROOT


def test_the_configuration_knows_these_backbones_and_their_strides() -> None:
    assert {name: backbone.strides for name, backbone in BACKBONES.items()} == STRIDES


@pytest.mark.parametrize("name", BACKBONES)
def test_the_files_subtract_the_means_of_the_weights(name: str) -> None:
    cfgs = ROOT / "experiments" / "cfgs"
    files = [cfgs / f"{name}.yml"] * (name in DSG_BACKBONES) + [cfgs / "models" / f"detector_{name}.yml"]
    for path in files:
        assert load_config([path]).pixel_means == BACKBONES[name].means


def test_which_backbones_dsg_can_use() -> None:
    with_head = {name for name, backbone in BACKBONES.items() if backbone.head}
    assert {*with_head, *PYRAMIDS} == set(DSG_BACKBONES)
    assert {name for name, backbone in BACKBONES.items() if backbone.levels > 1} == set(PYRAMIDS)


@pytest.mark.parametrize(
    ("name", "stride"), [("mini", 8), ("mini", 16), ("res18", 8), ("res18", 16), ("res50", 16)]
)
def test_a_trunk_has_the_stride_that_it_is_asked_for(name: str, stride: int) -> None:
    backbone = BACKBONES[name]
    trunk = backbone.trunk(stride, 1)
    size = tf.constant([[64.0, 96.0]])
    features = trunk(tf.zeros([1, 64, 96, 3]), size).features
    assert features.shape == (1, 64 // stride, 96 // stride, trunk.channels) and backbone.levels == 1
    head = backbone.head(trunk.channels, 8, 12, 3)
    maps, vectors = head(tf.zeros([2, 3, 3, trunk.channels]))
    assert maps.shape == (2, 3, 3, head.width) and vectors.shape == (2, 12)
