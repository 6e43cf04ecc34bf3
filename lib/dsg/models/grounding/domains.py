"""A batch of two data sets, taken apart; and the joint detector as a plain one of either.

What follows the first stage is then what it is for every detector: losses and detections.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from dsg.models.detector.model import ProposalSettings
from dsg.models.detector.outputs import FirstStage, RegionOutputs, Regions
from dsg.models.grounding.joint import JointDetector
from dsg.nets.outputs import Proposals, RpnOutputs
from dsg.pipeline.graph_batch import GRAPHS, MASKS


class DomainDetector:
    """A joint detector as a `dsg.models.detector.model.Detector` of one data set's categories, in the order
    that detectors have: the background is class 0, and category k class k + 1.

    Args:
        detector: whose weights it has.
        masks: of the masks' data set; else of the graphs', which have no masks.
        part: where regions are of a `DomainPart`: the first stage of the whole batch, which they are cropped
            from, and the part's rows.
    """

    def __init__(
        self, detector: JointDetector, masks: bool, part: tuple[FirstStage, tf.Tensor] | None = None
    ) -> None:
        self._detector, self._masks, self._part = detector, masks, part
        self.mask_head = detector.mask_head if masks else None

    def __call__(self, images: tf.Tensor, image_size: tf.Tensor, settings: ProposalSettings) -> FirstStage:
        return self._detector(images, image_size, settings)

    def classify(self, first: FirstStage, regions: Regions, training: bool = False) -> RegionOutputs:
        """As `Detector.classify`; the background has no box."""
        crops = self._detector.crops(*self._whole(first, regions))
        features = self._detector.box_head(crops, training)
        scores = self._detector.predictor(features, masks=self._masks)
        deltas = tf.pad(scores.deltas, [[0, 0], [1, 0], [0, 0]])
        flat = tf.reshape(deltas, [-1, 4 * int(deltas.shape[1])])
        return RegionOutputs(crops, features, tf.roll(scores.logits, 1, -1), flat)

    def mask_logits(self, first: FirstStage, regions: Regions) -> tf.Tensor:
        """As `Detector.mask_logits`: float32 [n, 28, 28, M + 1]."""
        logits = self._detector.mask_logits(*self._whole(first, regions))
        return tf.pad(logits, [[0, 0], [0, 0], [0, 0], [1, 0]])

    def _whole(self, first: FirstStage, regions: Regions) -> tuple[FirstStage, Regions]:
        if self._part is None:
            return first, regions
        whole, rows = self._part
        return whole, Regions(regions.boxes, tf.gather(rows, regions.image))


class DomainPart(NamedTuple):
    """The images of a batch that are of one data set, as a plain detector takes them."""

    batch: dict[str, tf.Tensor]  # the keys of `dsg.pipeline.instance_batch.InstanceBatch`, classes from 1
    rows: tf.Tensor  # int32 [b]: which images of the batch they are
    present: tf.Tensor  # float32: 0 if there is none; another then stands in, without objects


def domain_part(batch: Mapping[str, Any], domain: int, images: int | None = None) -> DomainPart:
    """The images of one data set.

    Args:
        batch: `dsg.pipeline.graph_batch.GraphBatch`.
        domain: GRAPHS or MASKS.
        images: so many, the last one repeated if there are fewer; None: as many as there are.
    """
    rows = tf.cast(tf.where(tf.equal(batch["domain"], domain))[:, 0], tf.int32)
    present = tf.size(rows) > 0
    rows = tf.cond(present, lambda: rows, lambda: tf.zeros([1], tf.int32))
    if images is not None:
        rows = tf.gather(rows, tf.minimum(tf.range(images), tf.size(rows) - 1))
    left_out = {"domain", "image"} | ({"gt_masks"} if domain == GRAPHS else set())
    part = {key: tf.gather(value, rows) for key, value in batch.items() if key not in left_out}
    if domain == MASKS:  # only as many objects as these images have
        objects = tf.shape(part["gt_masks"])[1]
        part.update({key: part[key][:, :objects] for key in ("gt_boxes", "gt_classes", "gt_valid")})
    part["gt_valid"] &= present
    part["gt_classes"] += tf.cast(part["gt_valid"], tf.int32)
    return DomainPart(part, rows, tf.cast(present, tf.float32))


def first_of(first: FirstStage, rows: tf.Tensor) -> FirstStage:
    """The proposals of some images int32 [b], and what they come from; without the maps."""

    def own(value: tf.Tensor) -> tf.Tensor:
        return tf.gather(value, rows)

    rpn = first.rpn
    names = ("logits", "deltas", "boxes", "scores" if isinstance(rpn, RpnOutputs) else "inside")
    values = {name: own(getattr(rpn, name)) for name in names if getattr(rpn, name) is not None}
    return FirstStage(
        own(first.image_size), [], rpn._replace(**values), Proposals(*map(own, first.proposals))
    )
