"""What the model computed, stage by stage, under the release's names and in the release's form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.config import Config
from dsg.metrics.evaluation import Evaluator
from dsg.models.dsg.losses import targets_of
from dsg.models.dsg.outputs import Detection, HeadOutputs, Outputs, RegionFeatures
from dsg.models.dsg.predictions import Predictions
from dsg.nets.graph_layer import GraphFeatures
from dsg.parity.runs.case import Case
from dsg.parity.runs.suppression import kept_by_nms, passing

Stage = tuple[str, Any]  # the release's name of a value, and ours

# our term -> the release's
LOSSES = {
    "rpn_class": "rpn_cross_entropy",
    "rpn_box": "rpn_loss_box",
    "box": "loss_box",
    "rr": "cross_entropy_gpi",
    "rr_baseline": "cross_entropy_baseline",
    "entity": "ent_cross_entropy",
    "predicate": "rel_cross_entropy",
    "gt_entity": "ent_cross_entropy0",
    "gt_predicate": "rel_cross_entropy0",
    "regularization": "regularization_sum",
    "total": "total_loss",
}


def stages(
    case: Case, outputs: Outputs, losses: Mapping[str, Any], predictions: Predictions
) -> Iterator[Stage]:
    """Every stage, in the order of the computation."""
    arrays = case.arrays
    yield "input/im_scale", arrays["scale"]
    yield "input/im_info", np.append(arrays["image_size"], arrays["scale"])
    yield "input/gt_boxes", case.record.boxes * arrays["scale"]
    yield "blob", arrays["image"][None]
    regions, truth = outputs.regions
    yield from _detector(case.config, outputs.detection)
    yield from _regions(regions, "")
    yield "fc7_pred_bbox", regions.nodes[0, :, -4:]
    if outputs.graph is not None:
        yield "pw_fc7.coords", _pair_features(regions)[..., -4:]
        yield from _graph(outputs.graph)
    yield from _heads(outputs.heads)
    if truth is not None and outputs.heads.gt_labels is not None:
        yield from _regions(truth, "gt_")
        yield "gt_ent_score", outputs.heads.gt_labels.entities[0]
        yield "gt_rel_score", _first(outputs.heads.gt_labels.predicates)
    yield from _anchor_targets(case)
    yield from _proposal_targets(case, outputs)
    for ours, theirs in LOSSES.items():
        if ours in losses:
            yield f"loss/{theirs}", losses[ours]
    yield from _evaluation(case, predictions)


def _detector(config: Config, detection: Detection) -> Iterator[Stage]:
    _, trunk, rpn, proposals = detection
    train = config.train
    grid = rpn.logits.shape[:3]
    kept = kept_by_nms(
        rpn,
        iou=train.rpn_nms_thresh,
        post_nms=train.rpn_post_nms_top_n,
        pre_nms=train.rpn_pre_nms_top_n,
        in_graph=config.use_e2e_tf,
    )

    def two_halves(logits: Any) -> Any:
        """[B, h, w, A, 2] as the release has it: all backgrounds, then all objects."""
        return tf.reshape(tf.transpose(logits, [0, 1, 2, 4, 3]), [*grid, -1])

    yield "base", trunk.base
    yield "block1", trunk.block1
    yield "block2", trunk.block2
    yield "head", trunk.features
    yield "rpn", rpn.hidden
    yield "rpn_cls_score", two_halves(rpn.logits)
    yield "rpn_cls_prob", two_halves(tf.nn.softmax(rpn.logits))
    yield "rpn_bbox_pred", tf.reshape(rpn.deltas, [*grid, -1])
    yield "anchors", rpn.anchors
    yield "proposals", rpn.boxes[0]
    yield "proposal_scores", rpn.scores[0]
    yield "nms_indices", kept
    yield "nms_keep_among_selected", passing(proposals, kept)
    yield "rois", _behind_image(proposals.boxes[0])
    yield "roi_scores", proposals.scores[0][:, None]


def _regions(regions: RegionFeatures, prefix: str) -> Iterator[Stage]:
    yield f"{prefix}pool5", regions.crops
    yield f"{prefix}block4", regions.maps
    yield f"{prefix}fc7", regions.nodes[0]
    if regions.pairs is not None:
        # We keep pairs i <= j; the release has all N * N.
        every = tf.reshape(_first(regions.pair_index), [-1])
        yield f"{prefix}pair_pool5", tf.gather(regions.pair_crops, every)
        yield f"{prefix}pair_block4", tf.gather(regions.pair_maps, every)
        yield f"{prefix}pw_fc7", _pair_features(regions)


def _graph(graph: GraphFeatures) -> Iterator[Stage]:
    fields = {
        "gpi_phi": graph.phi,
        "gpi_att_scores": graph.phi_logits,
        "gpi_att_weights": graph.phi_weights,
        "gpi_aggregated": graph.aggregated,
        "gpi_alpha": graph.alpha,
        "gpi_alpha_scores": graph.alpha_logits,
        "gpi_alpha_weights": graph.alpha_weights,
        "gpi_graph": graph.graph,
        "node_features": graph.nodes,
    }
    yield from ((name, value[0]) for name, value in fields.items() if value is not None)


def _heads(heads: HeadOutputs) -> Iterator[Stage]:
    if heads.labels is not None:
        yield "ent_score", heads.labels.entities[0]
        yield "rel_score", _first(heads.labels.predicates)
    for name, logits, deltas in (
        ("gpi", heads.role_logits, heads.box_deltas),
        ("baseline", heads.first_stage_role_logits, heads.first_stage_box_deltas),
    ):
        if logits is not None:
            yield f"cls_score_{name}", logits[0]
            yield f"cls_prob_{name}", tf.nn.softmax(logits[0])
            yield f"cls_pred_{name}", tf.argmax(logits[0], -1)
            yield f"pred_bbox_{name}", _first(deltas)


def _anchor_targets(case: Case) -> Iterator[Stage]:
    labels = case.arrays["rpn_labels"]
    height, width, anchors = labels.shape

    def spread(values: np.ndarray) -> np.ndarray:
        """[h, w, A] or [h, w, A, 4] as [1, h, w, 4A]."""
        full = np.broadcast_to(values.reshape(height, width, anchors, -1), (height, width, anchors, 4))
        return full.reshape(1, height, width, -1)

    yield "anchor_target/rpn_labels", labels.transpose(2, 0, 1).reshape(1, 1, -1, width)
    yield "anchor_target/rpn_bbox_targets", spread(case.arrays["rpn_deltas"])
    yield "anchor_target/rpn_bbox_inside_weights", spread((labels == 1).astype(np.float32))
    yield "anchor_target/rpn_bbox_outside_weights", spread(case.arrays["rpn_weights"])


def _proposal_targets(case: Case, outputs: Outputs) -> Iterator[Stage]:
    targets = targets_of(outputs, case.batch, case.config)
    weights = tf.repeat(targets.box_weight[0][:, None], 4, 1)
    fields = {
        "rois": _behind_image(outputs.detection.proposals.boxes[0]),
        "labels": targets.roles[0][..., None],
        "labels_mask": targets.match_kind[0],
        "labels_expand_mask": targets.role_weights[0],
        "partial_entity_class": tf.one_hot(targets.entities[0], case.num_entities),
        "partial_relation_class": tf.one_hot(targets.predicates[0], case.num_predicates),
        "bbox_targets": targets.box_deltas[0],
        "bbox_inside_weights": weights,
        "bbox_outside_weights": weights,
    }
    yield from ((f"proposal_target/{name}", value) for name, value in fields.items())


def _evaluation(case: Case, predictions: Predictions) -> Iterator[Stage]:
    boxes = predictions.boxes[0].numpy().astype(np.float64)
    gt_boxes = case.arrays["gt_boxes"] / case.size
    policy = "always" if case.config.test.always_include_best else "if_empty"
    evaluator = Evaluator([str(number) for number in range(case.num_predicates)], argmax_policy=policy)
    record = case.record
    subject, object_ = evaluator.add_image(
        record.name,
        record.queries,
        np.zeros(len(record.queries), bool),
        _first(predictions.role_probabilities).numpy(),
        boxes / case.size,
        gt_boxes,
        record.roles,
    )
    yield "eval/pred_boxes", boxes
    yield "eval/pred_boxes_norm", boxes / case.size
    yield "eval/gt_boxes_norm", gt_boxes
    yield "eval/sub_iou", subject
    yield "eval/obj_iou", object_


def _pair_features(regions: RegionFeatures) -> Any:
    """Features [N, N, F] of the first image's pairs."""
    return tf.gather(regions.pairs, _first(regions.pair_index))


def _first(batch: Any) -> Any:
    """The only image's part of what this kind of file always has."""
    return batch[0]


def _behind_image(boxes: Any) -> Any:
    """Boxes [N, 4] behind the number of their image, 0."""
    return tf.pad(boxes, [[0, 0], [1, 0]])
