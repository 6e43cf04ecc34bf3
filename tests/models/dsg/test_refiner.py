"""The box refiner: what it reads, and the crops around boxes that it reads it from."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.models.dsg.refiner import BoxRefiner
from dsg.nets.backbones.resnet import ResnetTrunk
from dsg.nets.backbones.small import SmallTrunk
from dsg.nets.roi import surroundings
from tests.models.dsg.cases import close, noise

SIZE = tf.constant([[48.0, 64.0]])


def test_box_refiner_is_linear() -> None:
    refiner = BoxRefiner(3, "glorot_uniform")
    nodes = noise(1, 4, 3)
    close(refiner(2 * nodes) - refiner(nodes), refiner(nodes) - refiner(0 * nodes))
    assert BoxRefiner(3, "zeros")(tf.cast(nodes, tf.bfloat16)).dtype == tf.float32


@pytest.mark.parametrize("options", [{"channels": 2}, {"fine": 2}, {"channels": 2, "fine": 3}])
def test_each_box_takes_its_own_crops(options: dict[str, int]) -> None:
    refiner = BoxRefiner(3, "glorot_uniform", cin=5, size=4, fine_cin=6, **options)
    nodes, maps, around = noise(2, 3, 3), noise(4, 4, 4, 5), noise(4, 8, 8, 6)
    row = tf.constant([[0, 1, 0], [2, 3, 0]])
    found = refiner(nodes, maps, row, around)
    order = tf.constant([2, 0, 3, 1])
    turned = refiner(
        nodes, tf.gather(maps, order), tf.gather(tf.argsort(order), row), tf.gather(around, order)
    )
    close(found, turned)
    alone = refiner(nodes[:1, 1:2], maps[1:2], tf.constant([[0]]), around[1:2])
    close(found[0, 1], alone[0, 0])


@pytest.mark.parametrize(
    "trunk",
    [SmallTrunk("mini", 8), SmallTrunk("res18", 16), ResnetTrunk("res50")],
    ids=["mini", "res18", "res50"],
)
def test_the_finer_map_is_as_trunks_say(trunk: SmallTrunk | ResnetTrunk) -> None:
    fine = trunk(tf.zeros([1, 64, 96, 3])).block1
    assert fine.shape == (1, 64 // trunk.fine_stride, 96 // trunk.fine_stride, trunk.fine_channels)


def test_surroundings_reach_an_eighth_of_a_box_beyond_its_sides() -> None:
    """On a map whose values are positions, crops show where they were taken."""
    y, x = np.meshgrid(np.arange(12.0), np.arange(16.0), indexing="ij")
    features = tf.constant(np.stack([x, y], -1)[None] * 4, tf.float32)
    boxes = tf.constant([[[20.0, 12.0, 36.0, 28.0], [0.0, 0.0, 1.0, 1.0]]])
    found = surroundings(
        features, boxes, tf.constant([[True, False]]), 6, image_size=SIZE, stride=4, padded=False
    )
    assert found.shape == (1, 6, 6, 2)
    close(found[0, 0, :, 0], np.linspace(18, 38, 6), 1e-5)
    close(found[0, :, 0, 1], np.linspace(10, 30, 6), 1e-5)
