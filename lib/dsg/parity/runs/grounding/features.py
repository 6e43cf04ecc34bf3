"""Crops, and features of boxes and pairs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from dsg.models.grounding.edge_masks import EdgeMasks
from dsg.models.grounding.features import Maps, MaskedRegions, Reducer, unions
from dsg.nets.initial import unfilled
from dsg.nets.pyramid_roi import box_levels
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.golden import Golden
from dsg.parity.runs.grounding.geometry import FINEST, SCALES
from dsg.parity.runs.grounding.reading import each, each_boxes, images_of, joined_pairs, numbers
from dsg.parity.runs.grounding.weights import channel_major, fill, renamed

CLOSE, MASKS = Tolerance("relative", 1e-4), Tolerance("relative", 1e-5)
CATEGORIES, MASK_CATEGORIES, SIDE = 150, 80, 28
STRIDE = 16  # of the one map
NETS = {"small": (16, 64), "wide": (256, 96), "vgg": (256, 64)}  # channels, width


class Boxes(NamedTuple):
    """The boxes of both images, and what is known of them."""

    parts: list[np.ndarray]
    boxes: np.ndarray  # float32 [N, 4]
    image: np.ndarray  # int32 [N]
    masks: np.ndarray  # float32 [N, 28, 28, 150]
    scores: np.ndarray  # float32 [N, 151]


def compare(checks: Checks) -> None:
    """All of `roi_features.npz`."""
    golden = checks.golden
    checks.given(r".*\.recipe", r"boxes/\d+", r".*/pairs/\d+", "image_size_hw")
    checks.skip("pool/single_roipool_7", "the largest value of each bin, which no model here reads")
    parts = each_boxes(golden, "boxes")
    boxes = Boxes(
        *(parts, np.concatenate(parts), images_of(parts)), numbers(golden, "masks"), numbers(golden, "scores")
    )
    checks.compare("level", box_levels(boxes.boxes, SCALES) + FINEST, EXACT)
    single = Maps([numbers(golden, "small/p4")], [1 / STRIDE])
    for net, (channels, width) in NETS.items():
        maps = _maps(checks, net)
        if net == "small":
            for size in (7, 14, 28):
                checks.compare(f"pool/fpn_{size}", maps.crop(boxes.boxes, boxes.image, size), CLOSE)
                checks.compare(f"pool/single_{size}", single.crop(boxes.boxes, boxes.image, size), CLOSE)
        _compare_nodes(checks, net, maps, boxes, channels, width)
        _compare_edges(checks, net, maps, boxes, channels, width)


def pyramid(golden: Golden, there: str) -> Maps:
    """The generated maps `there/p2` to `there/p5`."""
    return Maps([numbers(golden, f"{there}/p{FINEST + level}") for level in range(4)], SCALES)


def _maps(checks: Checks, net: str) -> Maps:
    if net != "vgg":
        return pyramid(checks.golden, net)
    reducer = Reducer(512)
    fill(reducer, renamed("reducer/conv/"))
    reduced = reducer(tf.constant(numbers(checks.golden, "vgg/map")))
    checks.compare("vgg/reduced", reduced, CLOSE)
    return Maps([reduced], [1 / STRIDE])


def _regions(name: str, channels: int, width: int, mask_labels: int | None) -> MaskedRegions:
    with unfilled():
        regions = MaskedRegions(channels, CATEGORIES, mask_labels, width=width)
    fill(regions, renamed(f"{name}/"))
    channel_major(regions.fc6, channels)
    return regions


def _compare_nodes(checks: Checks, net: str, maps: Maps, boxes: Boxes, channels: int, width: int) -> None:
    node = _regions(f"{net}/node", channels, width, MASK_CATEGORIES)
    crops, masks = maps.crop(boxes.boxes, boxes.image, SIDE), boxes.masks
    checks.compare(f"{net}/node/pooled", crops, CLOSE)
    _compare_layers(checks, f"{net}/node", node, crops, masks)
    _compare_layers(checks, f"{net}/node_m", node, crops, numbers(checks.golden, "masks_m"), of_masks=True)
    if net == "small":
        checks.compare(f"{net}/node_zero_masks/out", node(crops, tf.zeros_like(masks)), CLOSE)
        scaled = masks * boxes.scores[:, None, None, :CATEGORIES]
        checks.compare(f"{net}/node_scaled_masks/out", node(crops, scaled), CLOSE)


def _compare_layers(
    checks: Checks,
    there: str,
    regions: MaskedRegions,
    crops: tf.Tensor,
    masks: tf.Tensor,
    of_masks: bool = False,
) -> None:
    conv = (regions.mask_conv_m if of_masks else regions.mask_conv)(crops, masks)
    checks.compare(f"{there}/conv", conv, CLOSE)
    flat = tf.reshape(conv, [-1, regions.fc6.kernel.shape[0]])
    checks.compare(f"{there}/fc6", tf.nn.relu(regions.fc6(flat)), CLOSE)
    checks.compare(f"{there}/out", regions(crops, masks, of_masks=of_masks), CLOSE)


def _compare_edges(checks: Checks, net: str, maps: Maps, boxes: Boxes, channels: int, width: int) -> None:
    edge, edge_masks = _regions(f"{net}/edge", channels, width, None), EdgeMasks(CATEGORIES + 1)
    fill(edge_masks, renamed("edge/", {"shapes/": ""}))
    own_pairs = each(checks.golden, f"{net}/edge/pairs")
    for number, (part, own) in enumerate(zip(boxes.parts, own_pairs)):
        checks.compare(f"{net}/edge/union_boxes/{number}", unions(part, own), EXACT)
    pairs = joined_pairs(own_pairs, boxes.parts)
    subject, object_ = pairs.T
    masks, scores = boxes.masks, boxes.scores
    shown = edge_masks((masks[subject], masks[object_]), (scores[subject], scores[object_]))
    checks.compare(f"{net}/edge/mask", shown, MASKS)
    crops = maps.crop(unions(boxes.boxes, pairs), tf.gather(boxes.image, subject), SIDE)
    checks.compare(f"{net}/edge/pooled", crops, CLOSE)
    _compare_layers(checks, f"{net}/edge", edge, crops, shown)
