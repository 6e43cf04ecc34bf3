"""What travels from the input pipeline to a grounded scene graph: the keys, shapes and types of a batch.

B images, H x W pixels of the padded images, h x w cells of the feature map, A anchors a cell, G objects, T
relations, P pairs of an image. Some images are of the graphs' data set, the others of the masks', each with
categories of its own, which count from 0. Images smaller than H x W are padded with zeros at the bottom and
at the right; lists are padded, too, and the `*_valid` of each is False there.
"""

from __future__ import annotations

from typing import Any, TypedDict

GRAPHS, MASKS = 0, 1
"""Values of `domain`."""


class GraphBatch(TypedDict, total=False):
    """One batch; in training the images of graphs come first, then those of masks."""

    image: Any  # float32 [B, H, W, 3]: B, G, R minus PIXEL_MEANS, zero in the padding
    image_size: Any  # float32 [B, 2]: height and width of each image without its padding
    scale: Any  # float32 [B]: network pixels per original pixel
    original_size: Any  # float32 [B, 2]: height and width in original pixels
    index: Any  # int32 [B]: position of the record; those of masks count on behind those of graphs
    name: Any  # string [B]: the image's name
    domain: Any  # int32 [B]: GRAPHS or MASKS

    gt_boxes: Any  # float32 [B, G, 4]: x1 y1 x2 y2 in network pixels, inside the image, widths are x2 - x1
    gt_classes: Any  # int32 [B, G]: from 0, of the image's own data set
    gt_valid: Any  # bool [B, G]
    gt_masks: Any  # uint8 [B, G', H, W]: 1 where the object is; G' of images of masks alone; only with them
    true_masks: Any  # float32 [B, G, 28, 28]: the share of each cell; only with GROUNDING.MASKS_FROM true
    # The detector on nets of one map; a pyramid's anchors are matched in the graph.
    rpn_labels: Any  # int32 [B, h, w, A], see `dsg.pipeline.instance_batch`
    rpn_deltas: Any  # float32 [B, h, w, A, 4]
    rpn_weights: Any  # float32 [B, h, w, A]
    # The graph; of images of masks all of them are empty.
    relations: Any  # int32 [B, T, 3]: subject, object (rows of gt_boxes), predicate; one for a pair
    relation_valid: Any  # bool [B, T]
    # Where boxes are given (predcls, sgcls): what is learned from.
    pairs: Any  # int32 [B, P, 2]: rows of gt_boxes, related ones first
    pair_predicates: Any  # int32 [B, P]: the background is the number of predicates
    pair_valid: Any  # bool [B, P]
    related: Any  # float32 [B, G, G]: 1 for every annotated pair, both ways
