"""A trained grounded model as functions from an image's pixels to its scene graph, ready to be traced: what
`dsg.models.grounding.trained.TrainedGrounding.graphs` says.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import tensorflow as tf

from dsg.apps.export.preprocess import last_edges, network_input, network_scale
from dsg.config.grounding import PREDCLS, SGDET
from dsg.errors import UserError
from dsg.models.grounding.predictor import GroundedPredictor
from dsg.models.grounding.stage import VCTREE
from dsg.models.grounding.trained import TrainedGrounding
from dsg.nets.kernels import products

IMAGE = tf.TensorSpec([None, None, 3], tf.uint8, name="image")
SIGNATURE = (IMAGE,)
GIVEN_SIGNATURE = (
    IMAGE,
    tf.TensorSpec([None, 4], tf.float32, name="boxes"),
    tf.TensorSpec([None], tf.int32, name="labels"),
)
Describing = Callable[..., "dict[str, tf.Tensor]"]


def check_exportable(trained: TrainedGrounding) -> None:
    """Refuse what no graph of tensors can hold.

    Raises:
        UserError: the model needs code outside the graph, or masks that no photograph has.
    """
    options = trained.config.grounding
    if options.context == VCTREE:
        raise UserError(
            "GROUNDING.CONTEXT vctree cannot be exported: it builds its tree in Python, outside the graph of "
            "tensors; motif can"
        )
    if options.masks_from == "true":
        raise UserError("GROUNDING.MASKS_FROM true cannot be exported: photographs have no true masks")


def describing(trained: TrainedGrounding, *, given: bool, direct: bool = False) -> Describing:
    """The function of `SIGNATURE`, or of `GIVEN_SIGNATURE`, to the outputs below: N nodes, P pairs.

    `image` is in R, G, B order, of any size. Boxes are x1 y1 x2 y2 in its pixels, no +1.

    boxes float32 [N, 4]; labels int32 [N], from 0; scores float32 [N]; masks float32 [N, 28, 28], the
    probability of the mask in each cell of its box, refined where the model refines, if it has masks; pairs
    int32 [P, 2], subject and object, the best relation first; predicates int32 [P], the most probable of each
    pair; predicate_probabilities float32 [P, R + 1], the last of which is "no relation"; triple_scores
    float32 [P].

    Args:
        trained: the model, folded, whose suppression runs inside the graph.
        given: boxes and labels (predcls) are inputs; else the nodes are what is detected (sgdet).
        direct: convolutions that a GPU or another runtime has kernels for, instead of Winograd's.
    """
    config = trained.config
    limits = config.test.scales[0], config.test.max_size
    predictor = GroundedPredictor(trained.model, config, PREDCLS if given else SGDET, alone=True)

    def describe(image: tf.Tensor, *known: tf.Tensor) -> dict[str, tf.Tensor]:
        blob, count = network_input(image[:, :, ::-1], *limits, config.pixel_means)
        scale = tf.cast(network_scale(tf.shape(image)[:2], *limits), tf.float32)
        batch = {"image": blob[None], "image_size": tf.cast(count, tf.float32)[None]}
        if given:
            boxes, labels = known
            valid = tf.ones_like(labels, tf.bool)
            batch.update(gt_boxes=boxes[None] * scale, gt_classes=labels[None], gt_valid=valid[None])
        with products.native() if direct else contextlib.nullcontext():
            said = predictor.answer(batch)
        boxes = said["boxes"] / scale
        outputs = {
            "boxes": boxes if given else tf.minimum(boxes, last_edges(image)),
            "labels": said["labels"],
            "scores": said["scores"],
            **_sorted(said),
        }
        if "masks" in said:
            outputs["masks"] = said.get("refined", said["masks"])
        # A name of its own for each output, whatever operation it comes from.
        return {name: tf.identity(value, name=name) for name, value in outputs.items()}

    return describe


def _sorted(said: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """`answers.sorted_graph` of what a predictor says of an image."""
    pairs, probabilities = said["pairs"], said["predicates"]
    predicates = tf.argmax(probabilities[:, :-1], -1, output_type=tf.int32)
    certain = tf.reduce_max(probabilities[:, :-1], -1)
    ends = tf.gather(said["scores"], pairs)
    triples = certain * ends[:, 0] * ends[:, 1]
    order = tf.argsort(-triples, stable=True)
    values = {
        "pairs": pairs,
        "predicates": predicates,
        "predicate_probabilities": probabilities,
        "triple_scores": triples,
    }
    return {name: tf.gather(value, order) for name, value in values.items()}
