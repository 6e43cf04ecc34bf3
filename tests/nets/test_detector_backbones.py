"""VGG-16, MobileNet, ResNet in torchvision's layout, and the feature pyramid."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.nets.backbones import vgg
from dsg.nets.backbones.fpn import Pyramid, upsample
from dsg.nets.backbones.mobilenet import MobileTrunk
from dsg.nets.backbones.resnet import TORCHVISION, ResnetTrunk
from dsg.nets.backbones.resnet_body import ResnetBody, grouped_convolve
from dsg.nets.backbones.vgg import VggHead, VggTrunk
from dsg.nets.layers import FrozenNormConv
from tests.golden import golden
from tests.golden.compare import error

UNITS = golden("torchvision_units")


@pytest.mark.parametrize("case", range(4))
def test_upsampling_and_the_pool_are_torchvisions(case: int) -> None:
    x, y = (UNITS[f"upsample/{case}/{key}"].transpose(0, 2, 3, 1) for key in ("x", "y"))
    assert np.array_equal(upsample(tf.constant(x), tf.constant(y.shape[1:3])), y)
    assert np.array_equal(x[:, ::2, ::2], UNITS[f"upsample/{case}/pool"].transpose(0, 2, 3, 1))


@pytest.mark.parametrize("epsilon", [0.0, 1e-5, 1e-3])
def test_the_epsilon_of_the_normalisation_counts(epsilon: float) -> None:
    conv = FrozenNormConv(6, 6, relu=False, epsilon=epsilon)
    conv.kernel.assign(np.eye(6, dtype=np.float32)[None, None])
    for ours, theirs in (
        *(("gamma", "weight"), ("beta", "bias")),
        *(("moving_mean", "running_mean"), ("moving_variance", "running_var")),
    ):
        getattr(conv, ours).assign(UNITS[f"frozen_bn/{theirs}"])
    x = tf.constant(UNITS["frozen_bn/x"].transpose(0, 2, 3, 1))
    key = f"frozen_bn/eps_{epsilon:g}".replace("eps_1e-05", "eps_1e-05")
    assert error(conv(x), UNITS[key].transpose(0, 2, 3, 1)) < 1e-5


@pytest.mark.parametrize("stride", [1, 2])
def test_grouped_convolution_and_its_gradient(stride: int) -> None:
    rng = np.random.default_rng(stride)
    x = tf.constant(rng.standard_normal((2, 7, 9, 12)), tf.float32)
    kernel = tf.constant(rng.standard_normal((3, 3, 4, 12)), tf.float32)

    def split(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        pairs = zip(tf.split(x, 3, -1), tf.split(kernel, 3, -1))
        return tf.concat([tf.nn.conv2d(own, k, stride, "VALID") for own, k in pairs], -1)

    results = []
    for function in (split, lambda x, kernel: grouped_convolve(x, kernel, stride, 3)):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = function(x, kernel)
            loss = tf.reduce_sum(y * tf.cos(tf.cast(tf.range(tf.size(y)), tf.float32)[:1]))
        results.append([y, *tape.gradient(loss, [x, kernel])])
    for ours, wanted in zip(results[1], results[0]):
        assert error(ours, wanted) < 1e-5


def check_padding(trunk: VggTrunk | MobileTrunk | ResnetTrunk) -> None:
    """An image of a padded batch has the features it has alone."""
    rng = np.random.default_rng(0)
    image = rng.standard_normal((1, 45, 61, 3)).astype(np.float32)
    alone = trunk(tf.constant(image)).features.numpy()
    padded = np.full((1, 80, 96, 3), 0.0, np.float32)
    padded[:, :45, :61] = image
    together = trunk(tf.constant(padded), tf.constant([[45.0, 61.0]])).features.numpy()
    assert alone.shape[1:3] == (3, 4)
    assert error(together[:, :3, :4], alone) < 1e-5
    assert not together[:, 3:].any() and not together[:, :, 4:].any()


def test_a_trunk_of_one_map_in_torchvision_s_layout() -> None:
    """It is the body up to c4, also in the padding of a batch."""
    trunk, body, rng = ResnetTrunk("res50", layout=TORCHVISION), ResnetBody("res50"), np.random.default_rng(0)
    variables = body.named_variables()
    for name, variable in trunk.named_variables().items():
        noise = 0.1 * rng.standard_normal(variable.shape)
        value = variable + noise if name.endswith("kernel") else abs(variable + noise)
        variable.assign(value)
        variables[name].assign(value)
    images = tf.constant(rng.standard_normal((2, 80, 96, 3)), tf.float32)
    size = tf.constant([[80.0, 61.0], [45.0, 96.0]])
    for ours, wanted in zip(trunk(images, size)[1:], body(images, size)):
        stride = 80 // ours.shape[1]
        for number, (height, width) in enumerate(-(-size.numpy() // stride).astype(int)):
            assert error(ours[number, :height, :width], wanted[number, :height, :width]) < 1e-5
    check_padding(trunk)
    assert (trunk.fine_stride, ResnetTrunk("res50").fine_stride) == (4, 8)


def test_vgg_and_its_padding() -> None:
    trunk = VggTrunk()
    check_padding(trunk)
    names = trunk.trainable_names()
    assert not any(name.startswith(("conv1", "conv2")) for name in names) and "conv3/0/kernel" in names


def test_mobilenet_and_its_padding() -> None:
    trunk = MobileTrunk()
    check_padding(trunk)
    names = trunk.trainable_names()
    assert "blocks/4/depthwise/kernel" in names and "blocks/3/pointwise/kernel" not in names
    assert not [name for name in trunk.regularised_names() if "depthwise" in name]
    assert "conv0/kernel" in trunk.regularised_names()


def test_maps_of_a_body_and_of_its_pyramid() -> None:
    body = ResnetBody("res50")
    maps = body(tf.zeros([1, 64, 96, 3]))
    assert [tuple(level.shape) for level in maps] == [
        *((1, 16, 24, 256), (1, 8, 12, 512), (1, 4, 6, 1024), (1, 2, 3, 2048)),
    ]
    levels = Pyramid([256, 512, 1024, 2048])(maps)
    assert [level.shape[1:3] for level in levels] == [(16, 24), (8, 12), (4, 6), (2, 3), (1, 2)]
    assert all(level.shape[3] == 256 for level in levels)
    trained = body.trainable_names()
    assert (
        not any(name.startswith(("conv1", "block1")) for name in trained)
        and "block2/0/conv1/kernel" in trained
    )


def test_dropout_acts_in_training_and_follows_from_what_it_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vgg, "HIDDEN", 64)
    head = VggHead()
    crops = tf.random.stateless_normal([3, 7, 7, 512], [1, 2])
    first, again = (head.layers_of(crops, training=True)[0].numpy() for _ in range(2))
    other = head.layers_of(crops * 1.001, training=True)[0].numpy()
    kept = head.layers_of(crops)[0].numpy()
    assert np.array_equal(first, again) and ((first == 0) != (other == 0)).any()
    assert np.allclose(first[first != 0], 2 * kept[first != 0], rtol=1e-5)
    assert 0.3 < (first[kept > 0] == 0).mean() < 0.7
