"""Features of boxes and pairs, against the release."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.models.grounding.boxes import BoxList, overlap_numbers, positions
from dsg.models.grounding.edge_masks import EdgeMasks
from dsg.models.grounding.features import Maps, MaskedRegions, Reducer, unions
from dsg.nets.layers import Dense
from dsg.nets.pyramid_roi import box_levels
from tests.models.grounding.goldens import Golden, fill, needs_goldens

SCALES = [1 / 4, 1 / 8, 1 / 16, 1 / 32]


@pytest.fixture(scope="module")
def golden() -> Golden:
    return Golden("roi_features")


@pytest.fixture(scope="module")
def boxes(golden: Golden) -> tuple[np.ndarray, np.ndarray]:
    parts = [golden["boxes/0"], golden["boxes/1"]]
    return np.concatenate(parts), np.repeat([0, 1], [len(part) for part in parts]).astype(np.int32)


@needs_goldens
def test_crops_are_the_release_s(golden: Golden, boxes) -> None:
    maps = Maps([golden.load(f"small/p{level}") for level in range(2, 6)], SCALES)
    np.testing.assert_array_equal(box_levels(boxes[0], SCALES) + 2, golden["level"])
    for size in (7, 14, 28):
        golden.assert_close(maps.crop(*boxes, size), f"pool/fpn_{size}", 1e-4)
        single = Maps([golden.load("small/p4")], [1 / 16])
        golden.assert_close(single.crop(*boxes, size), f"pool/single_{size}", 1e-4)


@needs_goldens
@pytest.mark.parametrize("net, channels, width", [("small", 16, 64), ("vgg", 256, 64)])
def test_features_are_the_release_s(golden: Golden, boxes, net: str, channels: int, width: int) -> None:
    if net == "small":
        maps = Maps([golden.load(f"small/p{level}") for level in range(2, 6)], SCALES)
    else:
        reducer = Reducer(512)
        fill(reducer, "reducer/conv/")
        reduced = reducer(golden.load("vgg/map"))
        golden.assert_close(reduced, "vgg/reduced", 1e-4)
        maps = Maps([reduced], [1 / 16])
    node = MaskedRegions(channels, 150, 80, width=width)
    fill(node, f"{net}/node/")
    channel_major(node.fc6, channels)
    crops, masks = maps.crop(*boxes, 28), golden.load("masks")
    golden.assert_close(crops, f"{net}/node/pooled", 1e-4)
    golden.assert_close(node.mask_conv(crops, masks), f"{net}/node/conv", 1e-4)
    golden.assert_close(node(crops, masks), f"{net}/node/out", 1e-4)
    golden.assert_close(node(crops, golden.load("masks_m"), of_masks=True), f"{net}/node_m/out", 1e-4)
    if net == "small":
        golden.assert_close(node(crops, tf.zeros_like(masks)), "small/node_zero_masks/out", 1e-4)
        scores = golden.load("scores")[:, None, None, :150]
        golden.assert_close(node(crops, masks * scores), "small/node_scaled_masks/out", 1e-4)
    edge, edge_masks = MaskedRegions(channels, 150, None, width=width), EdgeMasks(151)
    fill(edge, f"{net}/edge/")
    channel_major(edge.fc6, channels)
    fill(edge_masks, "edge/", {"shapes/": ""})
    pairs = np.concatenate([golden[f"{net}/edge/pairs/0"], golden[f"{net}/edge/pairs/1"] + 7])
    subject, object_ = pairs.T
    scores = golden.load("scores")
    pair_masks = edge_masks((masks[subject], masks[object_]), (scores[subject], scores[object_]))
    golden.assert_close(pair_masks, f"{net}/edge/mask", 1e-5)
    around = unions(boxes[0], pairs)
    np.testing.assert_array_equal(around[:6], golden[f"{net}/edge/union_boxes/0"])
    union_crops = maps.crop(around, tf.gather(boxes[1], subject), 28)
    golden.assert_close(union_crops, f"{net}/edge/pooled", 1e-4)
    golden.assert_close(edge(union_crops, pair_masks), f"{net}/edge/out", 1e-4)


def channel_major(layer: Dense, channels: int) -> None:
    """The release flattens (channel, y, x), we (y, x, channel)."""
    kernel = layer.kernel.numpy()
    side = int((len(kernel) / channels) ** 0.5)
    rows = kernel.reshape(channels, side, side, -1).transpose(1, 2, 0, 3)
    layer.kernel.assign(rows.reshape(kernel.shape))


@needs_goldens
def test_numbers_of_places_and_overlaps_are_the_release_s() -> None:
    golden = Golden("geometry")
    parts = [golden[f"boxes/{number}"] for number in range(3)]
    image = np.repeat(np.arange(3), [len(part) for part in parts]).astype(np.int32)
    size = tf.constant(golden["image_size_hw"], tf.float32)
    listed = BoxList(tf.constant(np.concatenate(parts)), tf.constant(image), size)
    golden.assert_close(positions(listed), "position", 1e-6)
    golden.assert_close(positions(listed, swapped=False), "derived/position_unswapped", 1e-6)
    golden.assert_close(overlap_numbers(listed), "overlap", 1e-6)
    np.testing.assert_array_equal(box_levels(golden["fpn/boxes"], SCALES) + 2, golden["fpn/level"])
    np.testing.assert_array_equal(unions(parts[2], golden["union/2_pairs"]), golden["union/2"])


def test_many_regions_are_convolved_in_parts_without_a_difference(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    layer = MaskedRegions(2, 3, None, side=4, width=5)
    crops, masks = (rng.random((7, 4, 4, channels)).astype(np.float32) for channels in (2, 3))
    at_once = layer(crops, masks)
    monkeypatch.setattr("dsg.models.grounding.features.MANY", 3)
    monkeypatch.setattr("dsg.models.grounding.features.CHUNK", 3)
    np.testing.assert_allclose(tf.function(layer.call)(crops, masks), at_once, rtol=1e-5)
