"""What the graph stage is given of a batch: boxes, what is known of them, and their masks.

A batch has images of graphs, then images of masks; everything here is of one of the two. B images, G
annotated boxes an image at most, N boxes of all images in one list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from dsg.config import Config
from dsg.config.grounding import NO_EDGE_MASK, PREDCLS
from dsg.models.detector.conventions import region_coder
from dsg.models.detector.heads import MASK_SIZE
from dsg.models.detector.outputs import FirstStage, Regions
from dsg.models.grounding.boxes import BoxList
from dsg.models.grounding.detector import BoxScores
from dsg.models.grounding.model import GroundingModel
from dsg.models.grounding.motif import Known
from dsg.models.grounding.refine import mask_logits
from dsg.nets.outputs import Proposals


class Images(NamedTuple):
    """Some images of a batch: what the first stage of the detector says, and their part of the batch."""

    first: FirstStage
    batch: Mapping[str, Any]  # without the pictures
    present: Any = 1.0  # 0 if there is none; another then stands in, without objects


def images_of(first: FirstStage, batch: Mapping[str, Any], domain: int) -> Images:
    """The images of one data set."""
    rows = tf.where(tf.equal(batch["domain"], domain))[:, 0]
    present = tf.size(rows) > 0
    rows = tf.cond(present, lambda: rows, lambda: tf.zeros([1], rows.dtype))
    part = {key: tf.gather(value, rows) for key, value in batch.items() if key != "image"}
    part.update({key: value & present for key, value in part.items() if key.endswith("_valid")})
    proposals = Proposals(*(tf.gather(value, rows) for value in first.proposals))
    maps = [tf.gather(level, rows) for level in first.maps]
    present = tf.cast(present, tf.float32)
    return Images(FirstStage(part["image_size"], maps, None, proposals), part, present)


class Annotated(NamedTuple):
    """The annotated boxes of images."""

    boxes: BoxList
    labels: tf.Tensor  # int32 [N]
    places: tf.Tensor  # int32 [N, 2]: image, and row in the batch


def annotated(batch: Mapping[str, Any], image_size: tf.Tensor) -> Annotated:
    """The annotated boxes of a batch, image after image."""
    places = tf.cast(tf.where(batch["gt_valid"]), tf.int32)
    boxes = BoxList(tf.gather_nd(batch["gt_boxes"], places), places[:, 0], image_size)
    return Annotated(boxes, tf.gather_nd(batch["gt_classes"], places), places)


def regions_of(boxes: BoxList) -> Regions:
    """The same as the detector takes them."""
    return Regions(boxes.boxes, boxes.image)


def known_of(labels: tf.Tensor, scores: BoxScores | None, setting: str) -> Known:
    """What a setting with given boxes knows: the annotated labels, or what the detector says of the boxes."""
    if setting == PREDCLS or scores is None:
        return Known(labels, None)
    return predicted(scores)


def predicted(scores: BoxScores) -> Known:
    """Labels and scores of boxes by the detector."""
    probabilities = tf.stop_gradient(scores.probabilities)
    return Known(tf.argmax(probabilities[:, :-1], -1, tf.int32), probabilities)


def node_options(config: Config) -> dict[str, Any]:
    """Which detections become nodes: options of `detector.nodes_of_images`."""
    return {
        "threshold": config.test.score_threshold,
        "iou": config.test.nms,
        "limit": config.grounding.boxes,
        "coder": region_coder(config),
    }


def needs_masks(config: Config) -> bool:
    """Whether the graph stage looks at masks at all."""
    options = config.grounding
    return options.node_masks or options.edge_mask != NO_EDGE_MASK or options.refine


def masks_of(
    model: GroundingModel, images: Images, boxes: BoxList, config: Config, places: tf.Tensor | None = None
) -> tf.Tensor | None:
    """Mask logits [N, 28, 28, M] of boxes, the detector's or the true ones; None where none are looked at.

    Args:
        model: with the graph stage.
        images: that the boxes lie in.
        boxes: N of them.
        config: GROUNDING.*.
        places: int32 [N, 2], of `Annotated`, for true masks.
    """
    if not needs_masks(config):
        return None
    if config.grounding.masks_from == "true":
        # Every category has the true mask, so that which one it is does not show.
        shapes = tf.gather_nd(images.batch["true_masks"], places)
        return tf.tile(mask_logits(shapes)[..., None], [1, 1, 1, model.transfer.shape[0]])
    return detector_masks(model, images.first, boxes)


def detector_masks(model: GroundingModel, first: FirstStage, boxes: BoxList) -> tf.Tensor:
    """Mask logits [N, 28, 28, M] of the detector."""
    logits = tf.stop_gradient(model.detector.mask_logits(first, regions_of(boxes)))
    return tf.ensure_shape(logits, [None, MASK_SIZE, MASK_SIZE, model.transfer.shape[0]])
