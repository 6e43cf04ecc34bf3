"""The first stage of the figure: feature maps, and the boxes that become the nodes of the graph."""

from __future__ import annotations

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

    def __init__(self, trunk: Block, rpn: Block, config: Config) -> None:
        super().__init__()
        self.trunk, self.rpn = trunk, rpn
        self._config = config

    def call(self, batch: Batch, training: bool) -> Detection:
        precision = self._config.train.precision if training else self._config.test.precision
        images, image_size = tf.cast(batch["image"], tf.as_dtype(precision)), batch["image_size"]
        # Alone, an image has no padding to be masked.
        trunk = self.trunk(images, None if image_size.shape[0] == 1 else image_size)
        rpn = self.rpn(trunk.features, image_size)
        return Detection(image_size, trunk, rpn, self._propose(rpn, batch))

    def _propose(self, rpn: RpnOutputs, batch: Batch) -> Proposals:
        train = self._config.train
        if train.use_gt:
            if "gt_boxes" not in batch:
                raise UserError("TRAIN.USE_GT needs true boxes, and none are given here")
            return ground_truth_proposals(batch["gt_boxes"], batch["gt_valid"])
        return propose(
            rpn,
            iou=train.rpn_nms_thresh,
            post_nms=train.rpn_post_nms_top_n,
            pre_nms=train.rpn_pre_nms_top_n,
            min_score=train.rpn_nms_min_score,
            in_graph=self._config.use_e2e_tf,
        )
