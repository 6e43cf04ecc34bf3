"""What the mask head is to say of a region: the ground truth's mask, cut out and resized."""

from __future__ import annotations

import tensorflow as tf

from dsg.nets.roi_align import dense_roi_align


def mask_targets(masks: tf.Tensor, boxes: tf.Tensor, matched: tf.Tensor, size: int) -> tf.Tensor:
    """float32 [P, size, size] in 0..1, not rounded.

    Args:
        masks: [G, H, W] of 0 and 1, in pixels of the network's input.
        boxes: float32 [P, 4] of the regions.
        matched: int32 [P], the mask of each.
        size: cells a side.
    """
    return dense_roi_align(tf.cast(masks, tf.float32)[..., None], boxes, matched, (size, size), 1.0)[..., 0]
