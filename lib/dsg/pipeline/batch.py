"""What travels from the input pipeline to the model: the keys, shapes and types of a batch.

Glossary, used everywhere: B images in the batch, H x W pixels of the padded images, h x w cells of the
feature map, A anchors a cell, G ground-truth boxes, Q queries, N proposals, E entity categories, R
predicates. Images smaller than H x W are padded with zeros at the bottom and at the right; lists shorter than
G or Q are padded, too, and `*_valid` is False there.
"""

from __future__ import annotations

from typing import Any, TypedDict


class Batch(TypedDict, total=False):
    """One batch; the last group of keys is absent if there is no ground truth (inference)."""

    image: Any  # float32 [B, H, W, 3]: B, G, R minus PIXEL_MEANS, zero in the padding
    image_size: Any  # float32 [B, 2]: height and width of each image without its padding
    scale: Any  # float32 [B]: network pixels per original pixel
    index: Any  # int32 [B]: position of the record in the data set
    name: Any  # string [B]: image file name
    queries: Any  # int32 [B, Q, 3]: subject category, predicate, object category
    query_valid: Any  # bool [B, Q]

    gt_boxes: Any  # float32 [B, G, 4]: x1 y1 x2 y2 in network pixels
    gt_valid: Any  # bool [B, G]
    gt_entities: Any  # int32 [B, G]: category, -1 unknown
    gt_predicates: Any  # int32 [B, G, G]: predicate of [subject, object], -1 none
    gt_roles: Any  # int32 [B, Q, G]: 1 subject, 2 object, 3 other; 0 in the padding
    rpn_labels: Any  # int32 [B, h, w, A]: 1 object, 0 background, -1 not used (all of the padding)
    rpn_deltas: Any  # float32 [B, h, w, A, 4]: regression targets, zero if there is none
    rpn_weights: Any  # float32 [B, h, w, A]: weight in the box loss (the release's outside weights)
