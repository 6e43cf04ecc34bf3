"""The first stage on a feature pyramid: its maps, and the nodes of the graph, which are proposals or the
detector's own boxes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from dsg.checkpoints.tf1 import LoadReport
from dsg.config import Config
from dsg.errors import UserError
from dsg.models.detector.heads import POOLED, TwoLayerHead
from dsg.models.detector.outputs import FirstStage, RegionOutputs, packed
from dsg.models.detector.predictions import detections
from dsg.models.dsg.detector import network_input, true_nodes
from dsg.models.dsg.outputs import Detection
from dsg.nets.backbones.fpn import CHANNELS
from dsg.nets.layers import Block, Dense
from dsg.nets.outputs import Proposals, PyramidFeatures
from dsg.nets.pyramid_roi import crop_pyramid
from dsg.nets.pyramid_rpn import PyramidRpnOutputs, propose_from_pyramid
from dsg.pipeline.batch import Batch

DETECTOR = ("trunk", "pyramid", "rpn", "box_head", "box_predictor")
"""Parts of the model that TRAIN.FREEZE_DETECTOR freezes, those of a single map among them."""
ALL = 2**31 - 1


class PyramidDetector(Block):
    """A batch -> `Detection`, with the options TRAIN.RPN_*, TRAIN.USE_GT, NODES.* and the precisions."""

    def __init__(self, parts: Mapping[str, Any], config: Config) -> None:
        super().__init__()
        self.trunk, self.pyramid, self.rpn = parts["trunk"], parts["pyramid"], parts["rpn"]
        self._box_head: Any = parts.get("box_head")
        self._predictor: Any = parts.get("box_predictor")
        self._config = config

    def call(self, batch: Batch, training: bool) -> Detection:
        images, image_size, padding = network_input(batch, self._config, training)
        body = self.trunk(images, padding)
        features = PyramidFeatures(body[0], self.pyramid(body, padding))
        shape = tf.shape(images)
        rpn = self.rpn(features.features, (shape[1], shape[2]), image_size)
        return Detection(image_size, features, rpn, self._nodes(features, rpn, batch))

    def _nodes(self, features: PyramidFeatures, rpn: PyramidRpnOutputs, batch: Batch) -> Proposals:
        train, nodes, image_size = self._config.train, self._config.nodes, batch["image_size"]
        if train.use_gt:
            return true_nodes(batch)
        detects = nodes.source == "detections"
        proposals = propose_from_pyramid(
            rpn,
            image_size,
            pre_nms=train.rpn_pre_nms_top_n or ALL,
            post_nms=nodes.proposals if detects else train.rpn_post_nms_top_n,
            iou=nodes.rpn_nms_thresh if detects else train.rpn_nms_thresh,
        )
        if detects:
            first = FirstStage(image_size, features.features, rpn, proposals)
            return at_least_one(self._detections(first), image_size)
        return at_least_one(confident(proposals, train.rpn_nms_min_score), image_size)

    def _detections(self, first: FirstStage) -> Proposals:
        """The proposals as box head and predictor move and score them, suppressed class by class."""
        nodes, regions = self._config.nodes, packed(first.proposals)
        crops = crop_pyramid(
            *(first.maps, regions.boxes, regions.image, POOLED),
            image_size=first.image_size,
            padded=first.image_size.shape[0] != 1,
        )
        features = self._box_head(crops)
        detected = detections(
            first,
            RegionOutputs(crops, features, *self._predictor(features)),
            threshold=nodes.min_score,
            iou=nodes.nms_thresh,
            limit=self._config.train.rpn_post_nms_top_n,
        )
        return Proposals(
            tf.stop_gradient(detected.boxes), detected.scores, detected.valid, detected.proposals
        )


class DetectorHead(Block):
    """Crops [M, 7, 7, 256] -> the crops, which are the maps that box refiners see, and features [M, dim]: a
    linear map of what a detector's box head says.

    Args:
        dim: of the features.
        shared: the detector's box head; None: one of its own.
    """

    width = CHANNELS  # of the maps

    def __init__(self, dim: int, shared: TwoLayerHead | None = None) -> None:
        super().__init__()
        if shared is None:
            self.box_head = TwoLayerHead(CHANNELS)
        self._read = self.box_head if shared is None else shared  # a shared one is named where it belongs
        self.project = Dense(TwoLayerHead.dim, dim, decayed=False)

    def call(self, crops: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return crops, self.project(self._read(crops))


def confident(proposals: Proposals, min_score: float) -> Proposals:
    """Without those that score below `min_score`, or below 0.01 less than the best score of the image where
    that is smaller.
    """
    scores = tf.where(proposals.valid, proposals.scores, -1.0)
    limit = tf.minimum(min_score, tf.reduce_max(scores, 1, keepdims=True) - 0.01)
    return proposals._replace(valid=proposals.valid & (scores >= limit))


def at_least_one(proposals: Proposals, image_size: tf.Tensor) -> Proposals:
    """The same, but an image without any box has its whole area for one, with score 0.

    Args:
        proposals: in each image the valid ones come first.
        image_size: float32 [B, 2]: height, width.
    """
    counts = tf.reduce_sum(tf.cast(proposals.valid, tf.int32), 1)
    most = tf.maximum(tf.reduce_max(counts), 1)
    spare = [[0, 0], [0, 1]]
    boxes = tf.pad(proposals.boxes, [*spare, [0, 0]])[:, :most]
    scores, rows = (tf.pad(x, spare)[:, :most] for x in (proposals.scores, proposals.indices))
    empty = tf.equal(counts, 0)[:, None]
    whole = tf.concat([tf.zeros_like(image_size), image_size[:, ::-1]], 1)[:, None]
    return Proposals(
        tf.where(empty[..., None], whole, boxes),
        tf.where(empty, 0.0, scores),
        tf.sequence_mask(tf.maximum(counts, 1), most),
        tf.where(empty, 0, rows),
    )


def check_frozen(model: Any, report: LoadReport) -> None:
    """Refuse to freeze a detector whose weights are random because the file does not have them.

    Args:
        model: a `DSG` on a pyramid, after its initial weights.
        report: of these.

    Raises:
        UserError: it says what the file lacks.
    """
    if not report.matched:  # WEIGHTS none
        return
    lacking = [
        name
        for name in model.named_variables()
        if name.split("/")[0] in DETECTOR and name not in set(report.matched)
    ]
    if not lacking:
        return
    if all(name.startswith("box_predictor/") for name in lacking):
        classes = model.config.nodes.classes
        todo = f"its number of classes is not NODES.CLASSES {classes}, which counts the background"
    else:
        todo = "start from a detector, such as WEIGHTS fasterrcnn_resnet50_fpn"
    raise UserError(
        f"{report.source}: has nothing for {lacking[0]}, which TRAIN.FREEZE_DETECTOR would leave random: "
        f"{todo}"
    )
