"""What travels from the input pipeline to a detector: the keys, shapes and types of a batch.

B images in the batch, H x W pixels of the padded images, h x w cells of the feature map, A anchors a cell, G
objects. Images smaller than H x W are padded with zeros at the bottom and at the right; lists shorter than G
are padded, too, and `gt_valid` is False there.
"""

from __future__ import annotations

from typing import Any, TypedDict


class InstanceBatch(TypedDict, total=False):
    """One batch; the keys from `gt_boxes` on are absent if there is no ground truth."""

    image: Any  # float32 [B, H, W, 3]: B, G, R minus PIXEL_MEANS, zero in the padding
    image_size: Any  # float32 [B, 2]: height and width of each image without its padding
    scale: Any  # float32 [B]: network pixels per original pixel
    original_size: Any  # float32 [B, 2]: height and width in original pixels
    index: Any  # int32 [B]: position of the record in the data set
    name: Any  # string [B]: the image's name

    # Neither difficult objects nor crowds are among them.
    gt_boxes: Any  # float32 [B, G, 4]: x1 y1 x2 y2 in network pixels, see `instance_examples.network_boxes`
    gt_classes: Any  # int32 [B, G]: from 1, 0 in the padding
    gt_valid: Any  # bool [B, G]
    gt_masks: Any  # uint8 [B, G, H, W]: 1 where the object is; only with DETECTOR.MASKS
    # Nets of one map only; a pyramid's anchors are matched in the graph.
    rpn_labels: Any  # int32 [B, h, w, A]: 1 object, 0 background, -1 not used (all of the padding)
    rpn_deltas: Any  # float32 [B, h, w, A, 4]: regression targets, zero if there is none
    rpn_weights: Any  # float32 [B, h, w, A]: weight in the box loss
