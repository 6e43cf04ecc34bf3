"""The whole model: from images and queries to boxes and roles, read like the paper's figure.

images -> trunk -> region proposal network -> proposals -> entity and relation features
       -> graph layer (the differentiable scene graph) -> role classifier, box refiner, labels
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from dsg.boxes.transform import clip, decode
from dsg.config import Config
from dsg.errors import UserError
from dsg.models.dsg.outputs import GraphFeatures, LabelLogits, Outputs, Predictions
from dsg.models.dsg.parts import Parts
from dsg.models.dsg.refiner import surroundings
from dsg.models.dsg.regions import BoxSet
from dsg.nets.layers import Block
from dsg.nets.outputs import Proposals
from dsg.nets.rpn import ground_truth_proposals, propose
from dsg.pipeline.batch import Batch

# In the order of the data flow.
PARTS: tuple[str, ...] = (
    "trunk",
    "rpn",
    "regions",
    "geometry",
    "gpi",
    "role_classifier",
    "query_attention",
    "box_refiner",
)
PARTS += ("labels", "gt_labels", "matching", "role_baseline", "box_baseline")
# What frozen batch normalisation consists of.
BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


class DSG(tf.keras.Model):
    """Detector, scene graph and referring relationships in one model; build it with
    `dsg.models.dsg.build.build_model`.

    Example:
        >>> from dsg.config import load_config
        >>> from dsg.models.dsg.build import build_model
        >>> config = load_config(overrides=["BACKBONE", "mini"])
        >>> model = build_model(config, num_entities=48, num_predicates=4)
        >>> batch = {"image": tf.zeros([1, 64, 96, 3]), "image_size": tf.constant([[64.0, 96.0]])}
        >>> batch["queries"] = tf.constant([[[0, 1, 2], [3, 1, 5]]])
        >>> model.predict_roles(batch).role_probabilities.shape  # [B, Q, N, 4]
        TensorShape([1, 2, 10, 4])
    """

    def __init__(self, config: Config, parts: Parts) -> None:
        super().__init__()
        self.built = True  # every variable exists already
        self.config = config
        self.trunk = parts.trunk
        self.rpn = parts.rpn
        self.regions = parts.regions
        # A part that the variant does without is None.
        self.role_baseline: Any = parts.role_baseline
        self.box_baseline: Any = parts.box_baseline
        self.gpi: Any = parts.gpi
        self.role_classifier: Any = parts.role_classifier
        self.box_refiner: Any = parts.box_refiner
        self.labels: Any = parts.labels
        self.gt_labels: Any = parts.gt_labels
        self.matching: Any = parts.matching
        self.geometry: Any = parts.geometry
        self.query_attention: Any = parts.query_attention

    def call(self, batch: Batch, training: bool = False) -> Outputs:
        """All stages for a batch. Ground truth is read in training only, and by TRAIN.USE_GT.

        Args:
            batch: a `dsg.pipeline.batch.Batch`; `image`, `image_size`, `queries` are enough where `training`
            is False. training: compute the labels of ground-truth boxes, too.
        """
        precision = tf.as_dtype(self.config.train.precision if training else self.config.test.precision)
        image_size, queries = batch["image_size"], batch["queries"]
        padded = batch["image"].shape[0] != 1  # alone, an image has no padding
        masks = image_size if padded else None

        trunk = self.trunk(tf.cast(batch["image"], precision), masks)
        rpn = self.rpn(trunk.features, image_size)
        proposals = self._propose(rpn, batch, training)
        boxes, valid = proposals.boxes, proposals.valid
        sets = [BoxSet(boxes, valid)]
        weights = self.config.loss
        if self.gt_labels is not None and training:
            pairs = bool(weights.gt_predicate)
            sets.append(BoxSet(batch["gt_boxes"], batch["gt_valid"], coordinates=False, pairs=pairs))
        regions, *of_ground_truth = self.regions(trunk.features, sets, image_size, padded=padded)
        around: tf.Tensor | None = None  # each box; of the map that forgot least
        if any(one is not None and one.with_fine for one in (self.box_refiner, self.box_baseline)):
            around = surroundings(
                trunk.block1,
                boxes,
                valid,
                2 * self.config.pooling_size,
                image_size=image_size,
                stride=self.trunk.fine_stride,
                padded=padded,
            )

        graph: GraphFeatures | None = None
        labels: LabelLogits | None = None
        role_logits = box_deltas = gt_regions = gt_labels = None
        if self.gpi is not None:
            edges = (regions.nodes, regions.pairs, regions.pair_index)
            geometry = self.geometry(boxes, precision) if self.geometry is not None else None
            graph = self.gpi(*edges, valid, geometry)
            if self.labels is not None:
                labels = self.labels(*edges, graph.nodes, graph.graph, graph.edges, geometry)
            if self.role_classifier is not None:
                role_logits = self.role_classifier(graph.nodes, queries)
                if self.query_attention is not None:
                    role_logits += self.query_attention(*edges, geometry, valid, queries)
                if self.matching is not None:
                    weight = 1.0 if training else self.config.test.classifier_weight
                    role_logits = weight * role_logits + self.matching(labels, queries, valid)
            if self.box_refiner is not None:
                box_deltas = self.box_refiner(graph.nodes, regions.maps, regions.row, around)
            if of_ground_truth:
                gt_regions = of_ground_truth[0]
                gt_labels = self.gt_labels(gt_regions.nodes, gt_regions.pairs, gt_regions.pair_index)
        on_features = self.role_baseline(regions.nodes, queries) if self.role_baseline is not None else None
        from_features = None
        if self.box_baseline is not None:
            from_features = self.box_baseline(regions.nodes, regions.maps, regions.row, around)
        return Outputs(
            trunk=trunk,
            rpn=rpn,
            proposals=proposals,
            regions=regions,
            graph=graph,
            labels=labels,
            role_logits=role_logits,
            box_deltas=box_deltas,
            baseline_role_logits=on_features,
            baseline_box_deltas=from_features,
            gt_regions=gt_regions,
            gt_labels=gt_labels,
        )

    def predict_roles(self, batch: Batch) -> Predictions:
        """Refined boxes and the probability of each role: the answer to the batch's queries."""
        return self.answer(self(batch, training=False), batch["image_size"])

    def answer(self, outputs: Outputs, image_size: tf.Tensor) -> Predictions:
        """What `outputs` says, read from the sources that RR_SOURCE and BOX_SOURCE name."""
        proposals = outputs.proposals
        heads = {"dsg": outputs.role_logits, "feature": outputs.baseline_role_logits, "symbolic": None}
        logits = heads[self.config.rr_source]
        sources = {"dsg": outputs.box_deltas, "feature": outputs.baseline_box_deltas, "rpn": None}
        boxes, deltas = proposals.boxes, sources[self.config.box_source]
        if deltas is not None:
            deltas *= tf.constant(self.config.train.bbox_normalize_stds, tf.float32)
            boxes = decode(boxes, deltas, self.config.exact_boxes)
        attention = outputs.graph.alpha_weights if outputs.graph is not None else None
        labels = outputs.labels
        return Predictions(
            boxes=clip(boxes, image_size, self.config.exact_boxes),
            valid=proposals.valid,
            role_probabilities=None if logits is None else tf.nn.softmax(logits),
            proposals=proposals.boxes,
            entity_probabilities=None if labels is None else tf.nn.softmax(labels.entities),
            predicate_probabilities=None if labels is None else tf.nn.softmax(labels.predicates),
            node_weights=None if attention is None else tf.reduce_mean(tf.cast(attention, tf.float32), -1),
        )

    def fold(self) -> None:
        """Fold normalisation into kernels once, so that answers need not do it each time (`Block.fold`).

        Call it before the first answer is asked for. The weights are then those of an equal network, not the
        trained ones: do not train or save it.
        """
        for name in PARTS:
            part = getattr(self, name, None)
            if isinstance(part, Block):
                part.fold()

    def named_variables(self) -> dict[str, tf.Variable]:
        """Every variable by its stable name, trained or not, in the order of the data flow."""
        found: dict[str, tf.Variable] = {}
        for name in PARTS:
            part = getattr(self, name, None)
            if isinstance(part, Block):
                found.update(part.named_variables(f"{name}/"))
        return found

    def trainable_names(self) -> list[str]:
        """Names of the variables that training changes, in the order of `named_variables`."""
        train = self.config.train

        def trained(name: str) -> bool:
            part, rest = name.split("/", 1)
            if train.freeze_detector and part in ("trunk", "rpn"):
                return False
            if part == "trunk" and self.trunk.fixed(rest):
                return False
            return rest.split("/")[-1] not in BATCH_NORM

        return [name for name in self.named_variables() if trained(name)]

    def regularised_names(self) -> list[str]:
        """Names of the kernels under weight decay: all but the two projections of the heads, frozen ones
        included.
        """
        leaves = ("kernel", "bias") if self.config.train.bias_decay else ("kernel",)
        exempt = ("regions/entity/project/", "regions/relation/project/")
        return [n for n in self.named_variables() if n.split("/")[-1] in leaves and not n.startswith(exempt)]

    def _propose(self, rpn: Any, batch: Batch, training: bool) -> Proposals:
        train = self.config.train
        if train.use_gt:
            if "gt_boxes" not in batch:
                raise UserError("TRAIN.USE_GT takes true boxes in place of proposals; none are known here")
            return ground_truth_proposals(batch["gt_boxes"], batch["gt_valid"])
        return propose(
            rpn,
            iou=train.rpn_nms_thresh,
            post_nms=train.rpn_post_nms_top_n,
            pre_nms=train.rpn_pre_nms_top_n,
            min_score=train.rpn_nms_min_score,
            in_graph=self.config.use_e2e_tf,
        )
