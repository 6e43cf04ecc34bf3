"""The whole model: from images and queries to boxes and roles, read like the paper's figure.

images -> feature maps, proposals -> entity and relation features -> graph layer (the differentiable scene
graph) -> role classifier, box refiner, labels
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from dsg.boxes.transform import BoxCoder
from dsg.config import Config
from dsg.models.dsg.detector import Detector
from dsg.models.dsg.gpi import Graph
from dsg.models.dsg.heads import Heads
from dsg.models.dsg.outputs import Outputs
from dsg.models.dsg.predictions import Predictions
from dsg.models.dsg.pyramid import PyramidDetector
from dsg.models.dsg.regions import BoxSet
from dsg.nets.layers import Weight, Weighted
from dsg.pipeline.batch import Batch


class DSG(Weighted, tf.keras.Model):
    """Detector, scene graph and referring relationships in one model; build it with
    `dsg.models.dsg.build.build_model`.

    Args:
        config: the configuration.
        parts: from `dsg.models.dsg.parts.make_parts`; two models may share them.

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

    def __init__(self, config: Config, parts: Mapping[str, Any]) -> None:
        super().__init__()
        self.built = True  # every variable exists already
        self.config, self.parts = config, dict(parts)
        self.decays_biases = config.train.bias_decay
        self.detector = (PyramidDetector if "pyramid" in parts else Detector)(parts, config)
        self.regions = parts["regions"]
        self.graph = Graph(parts.get("gpi"), parts.get("geometry"))
        self.heads = Heads(
            parts,
            classifier_weight=config.test.classifier_weight,
            fine_size=2 * parts["regions"].size,
            fine_stride=parts["trunk"].fine_stride,
        )

    def call(self, batch: Batch, training: bool = False) -> Outputs:
        """All stages for a batch. Ground truth is read in training only, and by TRAIN.USE_GT.

        Args:
            batch: a `dsg.pipeline.batch.Batch`; `image`, `image_size`, `queries` are enough where `training`
                is False.
            training: compute the labels of ground-truth boxes, too.
        """
        detection = self.detector(batch, training)
        regions = self.regions(detection, self._truth(batch) if training else None)
        graph = self.graph(detection, regions.proposals)
        heads = self.heads(detection, regions, graph, batch["queries"], training)
        return Outputs(detection, regions, graph, heads)

    def predict_roles(self, batch: Batch, *, attention: bool = False) -> Predictions:
        """Refined boxes and the probability of each role: the answer to the batch's queries."""
        return self.answer(self(batch, training=False), attention=attention)

    def answer(self, outputs: Outputs, *, attention: bool = False) -> Predictions:
        """What `outputs` says, read from the sources that RR_SOURCE and BOX_SOURCE name; with `attention`
        also what each box gives to each other one.
        """
        config, heads, graph = self.config, outputs.heads, outputs.graph
        roles = {"dsg": heads.role_logits, "feature": heads.first_stage_role_logits, "symbolic": None}
        deltas = {"dsg": heads.box_deltas, "feature": heads.first_stage_box_deltas, "rpn": None}
        logits, moved = roles[config.rr_source], deltas[config.box_source]
        coder = BoxCoder(exact=config.exact_boxes, stds=config.train.bbox_normalize_stds)
        proposals, labels = outputs.detection.proposals, heads.labels
        boxes = proposals.boxes if moved is None else coder.decode(proposals.boxes, moved)
        return Predictions(
            boxes=coder.clip(boxes, outputs.detection.image_size),
            valid=proposals.valid,
            role_probabilities=None if logits is None else tf.nn.softmax(logits),
            proposals=proposals.boxes,
            entity_probabilities=None if labels is None else tf.nn.softmax(labels.entities),
            predicate_probabilities=None if labels is None else tf.nn.softmax(labels.predicates),
            node_weights=None if graph is None else _mean(graph.alpha_weights),
            attention=_mean(graph.phi_weights) if attention and graph is not None else None,
        )

    def fold(self) -> None:
        """Fold normalisation into kernels once, so that answers need not do it each time (`Block.fold`).

        Call it before the first answer is requested. The weights are then those of an equal network, not the
        trained ones: do not train or save it.
        """
        for part in self.parts.values():
            part.fold()

    def named_weights(self, prefix: str = "") -> dict[str, Weight]:
        """Every weight by its stable name, in the order of the data flow."""
        found: dict[str, Weight] = {}
        for name, part in self.parts.items():
            found.update(part.named_weights(f"{prefix}{name}/"))
        return found

    def _truth(self, batch: Batch) -> BoxSet | None:
        """The ground-truth boxes, where a head labels them."""
        if "gt_labels" not in self.parts:
            return None
        pairs = bool(self.config.loss.gt_predicate)
        return BoxSet(batch["gt_boxes"], batch["gt_valid"], coordinates=False, pairs=pairs)


def _mean(weights: tf.Tensor | None) -> tf.Tensor | None:
    """Attention averaged over features, in float32."""
    return None if weights is None else tf.reduce_mean(tf.cast(weights, tf.float32), -1)
