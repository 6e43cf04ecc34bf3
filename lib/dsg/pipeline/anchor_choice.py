"""The anchors of a net beside the boxes that it is to learn: how many they reach, and anchors that reach more
(ANCHOR_SCALES and ANCHOR_RATIOS `auto`).

A box counts as reached at an IoU if some anchor of the net overlaps it that much, at the size at which
training sees its image. Of a large split some images speak for all, always the same ones.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from dsg.boxes.anchor_fit import fit_anchors
from dsg.boxes.anchor_reach import AnchorGrid, Anchors, best_overlaps
from dsg.boxes.anchors import PYRAMID_RATIOS, PYRAMID_SIZES, PYRAMID_STRIDES, anchor_grid, cell_anchors
from dsg.config import BASELINES, Config, automatic, flatten, from_values
from dsg.config.names import DETECTOR
from dsg.datasets import Dataset, ImageRecord
from dsg.datasets.detection import can_teach
from dsg.datasets.formats.instances import Instances
from dsg.errors import UserError
from dsg.pipeline.images import network_scale
from dsg.pipeline.instance_examples import is_pyramid, network_boxes

LOG = logging.getLogger("dsg")

IMAGES = 2000  # of a split that are looked at, spread evenly
ENOUGH = 0.8  # share of the boxes to be reached at the first of `IOUS`
IOUS = (0.5, 0.7)
SCALES, RATIOS = "ANCHOR_SCALES", "ANCHOR_RATIOS"
OFFERS = (("auto", "auto"), ("auto:6", "auto"))  # of scales and ratios, where the net's own are not enough
LARGER = "small boxes need larger images (TRAIN.SCALES, TRAIN.MAX_SIZE)"


class SeenBoxes(NamedTuple):
    """Boxes as training sees them."""

    boxes: np.ndarray  # float32 [N, 4]: x1 y1 x2 y2 in pixels of the network's input
    image_sizes: np.ndarray  # float32 [N, 2]: height and width of the network's input that each is in
    note: str  # which images they are of, if not of all


class Reach(NamedTuple):
    """Shares of the boxes that anchors reach, at the two of `IOUS`; nan of no boxes."""

    low: float
    high: float

    def text(self, kind: str, *, only: bool = False) -> str:
        """The line that says so; `kind` says which boxes."""
        reached = "reach only" if only else "reach"
        return (
            f"anchors {reached} {self.low:.1%} of the {kind} boxes at IoU {IOUS[0]}, {self.high:.1%} at "
            f"{IOUS[1]}"
        )


def seen_boxes(dataset: Dataset, config: Config) -> SeenBoxes:
    """The boxes of a split at each of TRAIN.SCALES; without difficult objects and crowds, from which no
    detector learns.

    Args:
        dataset: of either kind of records.
        config: TRAIN.SCALES and TRAIN.MAX_SIZE.
    """
    count = len(dataset)
    chosen = np.unique(np.linspace(0, max(count - 1, 0), min(count, IMAGES)).round().astype(np.int64))
    boxes, sizes = [np.zeros((0, 4), np.float32)], [np.zeros((0, 2), np.float32)]
    for record in (dataset.records[int(position)] for position in chosen):
        for target in config.train.scales:
            scale = network_scale(record.height, record.width, target, config.train.max_size)
            size = [max(round(side * scale), 1) for side in (record.height, record.width)]
            boxes.append(_learnt_boxes(record, scale, config))
            sizes.append(np.tile(np.array(size, np.float32), (len(boxes[-1]), 1)))
    note = f" (in {len(chosen):,} of {count:,} images)" if len(chosen) < count else ""
    return SeenBoxes(np.concatenate(boxes), np.concatenate(sizes), note)


def _learnt_boxes(record: ImageRecord | Instances, scale: float, config: Config) -> np.ndarray:
    """The boxes [G, 4] of a record that are learned from, in pixels of the network's input."""
    if isinstance(record, Instances):
        return network_boxes(record.boxes[can_teach(record)], scale, config)
    return record.boxes * np.float32(scale)


def has_anchors(config: Config) -> bool:
    """Whether the net proposes boxes."""
    return config.model not in BASELINES


def net_anchors(config: Config) -> Anchors:
    """All anchors of the net that `config` describes."""
    if is_pyramid(config):
        levels = zip(PYRAMID_SIZES, PYRAMID_STRIDES)
        grids = [AnchorGrid(cell_anchors(sizes, PYRAMID_RATIOS), stride) for sizes, stride in levels]
        return Anchors(grids, inclusive=False, inside=False)
    cell = anchor_grid(1, 1, config.feature_stride, config.anchor_scales, config.anchor_ratios)
    return Anchors([AnchorGrid(cell, config.feature_stride)])


def reach(seen: SeenBoxes, config: Config) -> Reach:
    """The shares of boxes that the net's anchors reach."""
    if not len(seen.boxes):
        return Reach(np.nan, np.nan)
    best = best_overlaps(matched_boxes(seen, config), seen.image_sizes, net_anchors(config))
    return Reach(*(float((best >= iou).mean()) for iou in IOUS))


def matched_boxes(seen: SeenBoxes, config: Config) -> np.ndarray:
    """The boxes float32 [N, 4] that training compares with anchors, whose widths count both edges on one map:
    those of a detector with EXACT_BOXES by their last pixels.
    """
    exact = config.model == DETECTOR and config.exact_boxes and not is_pyramid(config)
    return seen.boxes - np.array([0, 0, exact, exact], np.float32)


def advice(seen: SeenBoxes, config: Config, reached: Reach) -> str:
    """What makes anchors reach more; empty where they reach enough."""
    if not reached.low < ENOUGH:
        return ""
    if is_pyramid(config):
        return f"the anchors of {config.backbone} are fixed; {LARGER}"
    best, words = reached.low, ""
    for scales, ratios in OFFERS:
        offer = from_values({**flatten(config), SCALES: scales, RATIOS: ratios})
        share = reach(seen, _fitted(offer, seen)).low
        if share > best:
            best, words = share, f"{SCALES} {scales} {RATIOS} {ratios} would reach {share:.1%}"
        if best >= ENOUGH:
            return words
    return f"{words}, and {LARGER}" if words else LARGER


def log_reach(config: Config, training: Dataset) -> None:
    """One line before training: how many of the boxes the anchors reach, as a warning with the remedy where
    these are few.
    """
    seen = seen_boxes(training, config)
    reached = reach(seen, config)
    remedy = advice(seen, config, reached)
    if remedy:
        line = reached.text("training", only=True) + seen.note
        LOG.warning("%s, and boxes that no anchor reaches are hard to find: %s", line, remedy)
    else:
        LOG.info("%s%s", reached.text("training"), seen.note)


def with_anchors(
    config: Config, training: Dataset, before: Mapping[str, Any] = MappingProxyType({})
) -> Config:
    """The configuration with numbers where ANCHOR_SCALES or ANCHOR_RATIOS are `auto`.

    Args:
        config: of the run; that of a baseline, which has no anchors, comes back as it is.
        training: the split that it trains on.
        before: numbers that the run has chosen already, by option; used if all that are needed are there.

    Raises:
        UserError: there are no boxes to choose from.
    """
    requested = automatic(config)
    if not requested or not has_anchors(config):
        return config
    if set(requested) <= set(before):
        return from_values({**flatten(config), **before})
    words = " ".join(f"{name} {word}" for name, word in requested.items())
    seen = seen_boxes(training, config)
    if not len(seen.boxes):
        raise UserError(
            f"{words}: {training.name} {training.split} has no boxes to choose from; give numbers"
        )
    chosen = _fitted(config, seen)
    values = flatten(chosen)
    LOG.info("%s", ", ".join(f"{name} {word}: {list(values[name])}" for name, word in requested.items()))
    return chosen


def _fitted(config: Config, seen: SeenBoxes) -> Config:
    requested = automatic(config)
    values_or_counts = [
        len(values) if name in requested else values
        for name, values in ((SCALES, config.anchor_scales), (RATIOS, config.anchor_ratios))
    ]
    fit = fit_anchors(matched_boxes(seen, config), seen.image_sizes, config.feature_stride, *values_or_counts)
    return from_values({**flatten(config), SCALES: fit.scales, RATIOS: fit.ratios})
