"""One example of a detector, step by step: its image, the network's input, boxes and masks in its pixels.

As `examples`, whose `to_batch` joins several; the keys are those of `dsg.pipeline.instance_batch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dsg.config import Config
from dsg.config.names import PYRAMIDS
from dsg.datasets.detection import can_teach
from dsg.datasets.formats.instances import Instances
from dsg.datasets.formats.segmentations import decode
from dsg.pipeline.examples import Arrays, load_image, network_input, rpn_targets
from dsg.pipeline.images import mirror


@dataclass(frozen=True, eq=False)
class InstanceExample:
    """An image with its objects; both are mirrored if `record.flipped`."""

    image: np.ndarray  # uint8 [H, W, 3], B, G, R, original size
    record: Instances
    index: int = 0  # position of the record in its data set


def load_instance_example(record: Instances, index: int = 0) -> InstanceExample:
    """The example of a record: its image is read, and mirrored if the record is.

    Raises:
        UserError: the image cannot be read, or is not of the size that the annotations state.
    """
    image = load_image(record.path, (record.width, record.height))
    return InstanceExample(mirror(image) if record.flipped else image, record, index)


def preprocess_instances(
    example: InstanceExample,
    config: Config,
    rng: np.random.Generator | None = None,
    *,
    targets: bool = False,
) -> Arrays:
    """The network's input of one example, and what a detector learns from.

    Args:
        example: what `load_instance_example` gives.
        config: TRAIN.SCALES and MAX_SIZE are used with `rng`, TEST's first scale without.
        rng: makes the random choices of training, in this order: scale, anchors. None: there are none.
        targets: add the keys of training. Always on with `rng`.

    Returns:
        Every key of `dsg.pipeline.instance_batch.InstanceBatch`, without B; those from `gt_boxes` on only
        with `rng` or `targets`.
    """
    record = example.record
    target, max_size = config.test.scales[0], config.test.max_size
    if rng is not None:
        target, max_size = int(rng.choice(config.train.scales)), config.train.max_size
    arrays = detector_input(example.image, target, max_size, config.pixel_means, record.name, example.index)
    if rng is None and not targets:
        return arrays
    size = arrays["image"].shape[:2]
    kept = np.flatnonzero(can_teach(record) & (has_mask(record) | (not config.detector.masks)))
    arrays.update(
        gt_boxes=network_boxes(record.boxes[kept], float(arrays["scale"]), config),
        gt_classes=record.classes[kept],
        gt_valid=np.ones(len(kept), bool),
    )
    if config.detector.masks:
        arrays["gt_masks"] = network_masks(record, kept, float(arrays["scale"]), size)
    if not is_pyramid(config):
        draws = rng or np.random.default_rng(0)
        matched = rpn_targets(arrays["gt_boxes"], size, config, draws, exact=config.exact_boxes)
        arrays.update(
            rpn_labels=matched.labels.astype(np.int32),
            rpn_deltas=matched.deltas,
            rpn_weights=matched.outside,
        )
    return arrays


def detector_input(
    image: np.ndarray, target: int, max_size: int, pixel_means: Sequence[float], name: str, index: int
) -> Arrays:
    """The keys that every batch has: those of `network_input`, and original_size."""
    arrays = network_input(image, target, max_size, pixel_means, name, index)
    return {**arrays, "original_size": np.array(image.shape[:2], np.float32)}


def network_boxes(boxes: np.ndarray, scale: float, config: Config) -> np.ndarray:
    """Boxes of an image in pixels of the network's input, float32 [G, 4].

    Pyramids, and nets with EXACT_BOXES, have boxes whose width is x2 - x1. The others learn from those of
    tf-faster-rcnn, that end with the last pixel inside: one pixel of the original image earlier, but not
    before they begin. (Its decoded boxes end a pixel later again, see `dsg.boxes.transform_np`.)
    """
    if not is_pyramid(config) and not config.exact_boxes:
        high = np.maximum(boxes[:, 2:] - np.float32(1), boxes[:, :2])
        boxes = np.concatenate([boxes[:, :2], high], 1)
    return boxes * np.float32(scale)


def network_masks(
    record: Instances, objects: Sequence[int] | np.ndarray, scale: float, size: Sequence[int]
) -> np.ndarray:
    """Masks of some objects, uint8 [N, H, W] of 0 and 1.

    Each pixel of the network's input has the value of the pixel of the image that its centre falls on.

    Args:
        record: of an image whose objects have segmentations; they are mirrored if it is.
        objects: their rows.
        scale: network pixels per original pixel.
        size: H, W.
    """
    rows, columns = (
        np.minimum(((np.arange(pixels) + 0.5) / scale).astype(np.int64), last - 1)
        for pixels, last in zip(size, (record.height, record.width))
    )
    if record.flipped:
        columns = record.width - 1 - columns
    masks = np.zeros((len(objects), *size), np.uint8)
    for mask, row in zip(masks, objects):
        pixels = decode(record.segmentations[row], record.height, record.width, record.name)
        mask[:] = pixels[rows[:, None], columns]
    return masks


def has_mask(record: Instances) -> np.ndarray:
    """Which objects have a segmentation, bool [G]."""
    if not record.segmentations:
        return np.zeros(len(record.boxes), bool)
    return np.array([segmentation is not None for segmentation in record.segmentations], bool)


def is_pyramid(config: Config) -> bool:
    """Whether the backbone is a feature pyramid, whose anchors are matched in the graph."""
    return config.backbone in PYRAMIDS
