"""Crops, their normalisation, and the encoder that packs boxes and pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.boxes.transform import union_boxes
from dsg.config import load_config
from dsg.models.dsg.parts import make_parts
from dsg.models.dsg.regions import BoxSet, RegionEncoder
from dsg.nets.backbones.resnet import ResnetHead
from dsg.nets.backbones.small import SmallHead
from dsg.nets.layers import Conv
from dsg.nets.roi import crop, normalise
from tests.golden import golden
from tests.models.dsg.cases import close

STRIDE = 16


def sized(features: Any) -> tf.Tensor:
    """Size [1, 2] of an image whose feature map this is."""
    return tf.constant([[features.shape[1] * STRIDE, features.shape[2] * STRIDE]], tf.float32)


@pytest.mark.parametrize("max_pool", [False, True])
@pytest.mark.parametrize("kind", ["crops", "pair_crops"])
def test_crop_golden(max_pool: bool, kind: str) -> None:
    layers = golden("layers")
    features, boxes = layers["crop/feature_map"], layers["crop/rois"][:, 1:]
    if kind == "pair_crops":
        boxes = tf.reshape(union_boxes(boxes), [-1, 4])
    expected = layers[f"crop/max_pool_{int(max_pool)}/{kind}"]
    image = tf.zeros([len(expected)], tf.int32)
    options = {"image_size": sized(features), "stride": STRIDE, "max_pool": max_pool}
    found = crop(features, boxes, image, expected.shape[1], **options)
    close(found, expected, 1e-6)
    close(crop(features, boxes, image, expected.shape[1], padded=True, **options), expected, 1e-6)


def test_normalise_golden() -> None:
    layers = golden("layers")
    boxes, size = tf.constant(layers["crop/rois"][None, :, 1:]), sized(layers["crop/feature_map"])
    close(normalise(boxes, size, STRIDE)[0], layers["crop/norm_boxes"], 1e-6)
    pairs = normalise(union_boxes(boxes), size, STRIDE)
    close(tf.reshape(pairs, [-1, 4]), layers["crop/union_boxes_norm"], 1e-6)


def test_crop_samples_bilinearly_and_is_zero_beyond_the_last_cell() -> None:
    rows, columns = np.mgrid[:4, :6]
    features = tf.constant((10 * rows + columns)[None, ..., None], tf.float32)
    boxes = tf.constant([[16.0, 8.0, 48.0, 40.0], [64.0, 0.0, 112.0, 16.0]])
    found = crop(features, boxes, tf.zeros([2], tf.int32), 3, image_size=sized(features), stride=STRIDE)
    close(found[0, ..., 0], [[6.0, 7.0, 8.0], [16.0, 17.0, 18.0], [26.0, 27.0, 28.0]], 1e-5)
    # columns 4, 5.5 and 7 of a map whose last is 5
    close(found[1, ..., 0], [[4, 0, 0], [9, 0, 0], [14, 0, 0]], 1e-5)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("max_pool", [False, True])
@pytest.mark.parametrize("cells", [(4, 5), (1, 5), (4, 1), (1, 1)])
def test_padded_crops_end_where_they_would_end_alone(
    cells: tuple[int, int], samples: int, max_pool: bool
) -> None:
    rng = np.random.default_rng(3)
    small = tf.constant(rng.standard_normal((1, *cells, 2)), tf.float32)
    large = tf.constant(rng.standard_normal((1, 7, 9, 2)), tf.float32)
    both = tf.concat([tf.pad(small, [[0, 0], [0, 7 - cells[0]], [0, 9 - cells[1]], [0, 0]]), large], 0)
    sizes = tf.constant([[16.0 * cells[0] - 4, 16.0 * cells[1] - 5], [112.0, 144.0]])
    low = rng.uniform(-8, 50, (12, 2))
    boxes = tf.constant(np.concatenate([low, low + rng.uniform(0, 70, (12, 2))], 1), tf.float32)
    options: dict[str, Any] = {"stride": STRIDE, "max_pool": max_pool}
    for number, features in enumerate((small, large)):
        image = tf.fill([12], number)
        expected = crop(
            features, boxes, tf.zeros([12], tf.int32), samples, image_size=sizes[number:][:1], **options
        )
        found = crop(both, boxes, image, samples, image_size=sizes, padded=True, **options)
        close(found, expected, 1e-5)


def test_an_image_of_one_cell() -> None:
    features, size = tf.ones([1, 1, 1, 2]), tf.constant([[9.0, 12.0]])
    boxes = tf.constant([[0.0, 0.0, 11.0, 8.0]])
    assert np.isfinite(crop(features, boxes, [0], 3, image_size=size, stride=STRIDE)).all()
    assert np.isfinite(normalise(boxes[None], size, STRIDE)).all()


def test_the_mean_of_projections_is_the_projection_of_the_mean() -> None:
    head = ResnetHead(6)
    head.project.bias.assign(np.arange(6.0))
    crops = tf.random.stateless_normal([3, 4, 4, 1024], [1, 2]) * 0.1
    maps, vectors = head(crops)
    close(vectors, tf.reduce_mean(head.project(maps), [1, 2]))


@pytest.mark.parametrize("size", [1, 3])
def test_small_heads(size: int) -> None:
    head = SmallHead(5, 8, 6, size)
    maps, vectors = head(tf.ones([3, size, size, 5]))
    assert (maps.shape, vectors.shape) == ((3, size, size, 8), (3, 6))
    assert {conv.kernel.shape[0] for conv in head.convs} == {1 if size == 1 else 3}


class Identity:
    """A head whose features are the crops' mean."""

    def __call__(self, crops: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return crops, tf.reduce_mean(crops, [1, 2])


def make_encoder(**options: Any) -> RegionEncoder:
    settings = {"stride": STRIDE, "size": 2, "relation_size": 1, "max_pool": False, **options}
    return RegionEncoder(Identity(), Identity(), **settings)


def test_each_pair_is_encoded_once_and_found_from_both_sides() -> None:
    rng = np.random.default_rng(0)
    features = tf.constant(rng.standard_normal((2, 6, 6, 3)), tf.float32)
    low = rng.uniform(0, 50, (2, 4, 2))
    boxes = tf.constant(np.concatenate([low, low + 30], -1), tf.float32)
    valid = tf.constant([[True, True, True, True], [True, True, False, False]])
    size = tf.fill([2, 2], 96.0)
    [found] = make_encoder().encode(features, [BoxSet(boxes, valid)], size, padded=False)
    assert found.crops.shape[0] == 6  # 4 and 2 boxes
    assert found.pairs.shape == (10 + 3, 3 + 4)
    index = found.pair_index.numpy()
    np.testing.assert_array_equal(index, index.transpose(0, 2, 1))
    unions, places = union_boxes(boxes), normalise(union_boxes(boxes), size, STRIDE)
    options: dict[str, Any] = {"image_size": size, "stride": STRIDE}
    for image, count in ((0, 4), (1, 2)):
        for i in range(count):
            box = crop(features, boxes[image, i][None], [image], 2, **options)
            close(found.nodes[image, i, :3], tf.reduce_mean(box, [1, 2])[0])
            for j in range(count):
                pair = crop(features, unions[image, i, j][None], [image], 1, **options)
                close(found.pairs[index[image, i, j], :3], pair[0, 0, 0])
                close(found.pairs[index[image, i, j], 3:], places[image, i, j])
    assert len(np.unique(index[0])) == 10 and len(np.unique(index[1, :2, :2])) == 3
    assert np.isfinite(found.nodes).all() and index.min() >= 0 and index.max() < 13


def test_without_coordinates_and_without_pairs() -> None:
    features, boxes = tf.ones([1, 4, 4, 3]), tf.constant([[[0.0, 0.0, 20.0, 20.0]]])
    inputs = (
        features,
        [BoxSet(boxes, tf.constant([[True]]), coordinates=False)],
        tf.constant([[64.0, 64.0]]),
    )
    assert make_encoder().encode(*inputs, padded=False)[0].nodes.shape[-1] == 3
    alone = RegionEncoder(Identity(), None, stride=STRIDE, size=2, relation_size=1, max_pool=False)
    [found] = alone.encode(*inputs, padded=False)
    assert found.pairs is None and found.pair_index is None and found.nodes.shape == (1, 1, 3)


def test_sets_of_boxes_are_encoded_together_as_they_are_alone() -> None:
    rng = np.random.default_rng(1)
    features, size = tf.constant(rng.standard_normal((2, 6, 6, 3)), tf.float32), tf.fill([2, 2], 96.0)
    low = rng.uniform(0, 50, (2, 7, 2))
    boxes = tf.constant(np.concatenate([low, low + 30], -1), tf.float32)
    some = tf.constant([[True, True, True, True], [True, True, False, False]])
    others = tf.constant([[False, False, False], [True, True, False]])
    sets = [BoxSet(boxes[:, :4], some), BoxSet(boxes[:, 4:], others, coordinates=False)]
    encoder = make_encoder(relation_size=2)
    for one, found in zip(sets, encoder.encode(features, sets, size, padded=False)):
        [alone] = encoder.encode(features, [one], size, padded=False)
        for name, part in found._asdict().items():
            close(part, getattr(alone, name))
    unpaired = encoder.encode(features, [sets[0], sets[1]._replace(pairs=False)], size, padded=False)
    assert unpaired[1].pairs is None and unpaired[0].pairs.shape[0] == 10 + 3


def test_relation_crops_of_several_cells() -> None:
    features = tf.random.stateless_normal([1, 6, 6, 3], [1, 2])
    boxes = tf.constant([[[0.0, 0.0, 30.0, 40.0], [20.0, 10.0, 70.0, 60.0]]])
    inputs = (features, [BoxSet(boxes, tf.constant([[True, True]]))], tf.constant([[96.0, 96.0]]))
    [found] = make_encoder(relation_size=3, max_pool=True).encode(*inputs, padded=False)
    assert found.pair_crops.shape == (3, 3, 3, 3)
    union = union_boxes(boxes)[0, 0, 1][None]
    options: dict[str, Any] = {"image_size": inputs[2], "stride": STRIDE, "max_pool": True}
    close(found.pair_crops[found.pair_index[0, 0, 1]], crop(features, union, [0], 3, **options)[0])


@pytest.mark.parametrize(("asked", "cells"), [(1, 4), (2, 2)])
def test_max_pooled_relation_crops_are_as_large_as_the_entities_unless_asked(asked: int, cells: int) -> None:
    pairs = ["RESNET.MAX_POOL", "True", "POOLING_SIZE", "4", "RELATION_POOLING_SIZE", str(asked)]
    regions = make_parts(load_config(overrides=["NET", "mini", *pairs]), 3, 2)["regions"]
    boxes = tf.constant([[[0.0, 0.0, 30.0, 40.0]]])
    features = tf.ones([1, 6, 6, regions.entity.convs[0].kernel.shape[2]])
    sets = [BoxSet(boxes, tf.constant([[True]]))]
    [found] = regions.encode(features, sets, tf.constant([[96.0, 96.0]]), padded=False)
    assert found.crops.shape[1] == 4 and found.pair_crops.shape[1:3] == (cells, cells)


def test_crops_keep_the_type_of_the_features() -> None:
    features = tf.cast(tf.ones([1, 4, 4, 3]), tf.bfloat16)
    found = crop(
        features, tf.constant([[0.0, 0.0, 9.0, 9.0]]), [0], 2, image_size=sized(features), stride=STRIDE
    )
    assert found.dtype == tf.bfloat16 and isinstance(Conv(3, 2)(found), tf.Tensor)
