"""The first stage of the figure: feature maps, and the boxes that become the nodes of the graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from dsg.config import Config
from dsg.errors import UserError
from dsg.models.dsg.outputs import Detection
from dsg.nets.layers import Block
from dsg.nets.outputs import Proposals, RpnOutputs
from dsg.nets.rpn import ground_truth_proposals, propose
from dsg.pipeline.batch import Batch


class Detector(Block):
    """A batch -> `Detection`, with the options TRAIN.RPN_*, TRAIN.USE_GT, USE_E2E_TF and the precisions."""

    def __init__(self, parts: Mapping[str, Any], config: Config) -> None:
        super().__init__()
        self.trunk, self.rpn = parts["trunk"], parts["rpn"]
        self._config = config

    def call(self, batch: Batch, training: bool) -> Detection:
        images, image_size, padding = network_input(batch, self._config, training)
        trunk = self.trunk(images, padding)
        rpn = self.rpn(trunk.features, image_size)
        return Detection(image_size, trunk, rpn, self._propose(rpn, batch))

    def _propose(self, rpn: RpnOutputs, batch: Batch) -> Proposals:
        train = self._config.train
        if train.use_gt:
            return true_nodes(batch)
        return propose(
            rpn,
            iou=train.rpn_nms_thresh,
            post_nms=train.rpn_post_nms_top_n,
            pre_nms=train.rpn_pre_nms_top_n,
            min_score=train.rpn_nms_min_score,
            in_graph=self._config.use_e2e_tf,
        )


def network_input(
    batch: Batch, config: Config, training: bool
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """Images in the precision of the layers, their sizes [B, 2], and what masks their padding: these sizes,
    or None for an image that is alone and so has no padding.
    """
    precision = config.train.precision if training else config.test.precision
    images, image_size = tf.cast(batch["image"], tf.as_dtype(precision)), batch["image_size"]
    return images, image_size, None if image_size.shape[0] == 1 else image_size


def true_nodes(batch: Batch) -> Proposals:
    """The ground-truth boxes instead of proposals (TRAIN.USE_GT).

    Raises:
        UserError: the batch has none.
    """
    if "gt_boxes" not in batch:
        raise UserError("TRAIN.USE_GT needs true boxes, and none are given here")
    return ground_truth_proposals(batch["gt_boxes"], batch["gt_valid"])
