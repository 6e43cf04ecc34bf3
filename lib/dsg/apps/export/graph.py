"""A trained model as one function from an image's pixels and queries to boxes and scores, ready to be traced.

What `dsg.models.dsg.trained.Trained.ask` does with NumPy and OpenCV before and after the network happens
inside, in TensorFlow operations that every TensorFlow has.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from dsg.apps.export.preprocess import network_input
from dsg.config import Config
from dsg.errors import UserError
from dsg.metrics.role_iou import OBJECT, SUBJECT
from dsg.models.dsg.model import DSG
from dsg.models.dsg.trained import Trained
from dsg.nets.kernels import products

LOG = logging.getLogger("dsg")
SIGNATURE = (
    tf.TensorSpec([None, None, 3], tf.uint8, name="image"),
    tf.TensorSpec([None, 3], tf.int32, name="queries"),
)
PER_QUERY = (
    *("role_probabilities", "subjects", "objects"),
    *("subject_box", "object_box", "subject_score", "object_score"),
)
"""The outputs of `answering` that have one row per query."""
Answering = Callable[[tf.Tensor, tf.Tensor], "dict[str, tf.Tensor]"]


def answering(trained: Trained, *, direct: bool = False, checked: bool = True) -> Answering:
    """The function of `SIGNATURE` to the outputs below; Q queries, N boxes, E categories, R predicates.

    `image` is in R, G, B order, of any size. Boxes are x1 y1 x2 y2 in its pixels, no +1.

    boxes float32 [N, 4]; role_probabilities float32 [Q, N, 4]: background, subject, object, other;
    subjects, objects bool [Q, N]: the boxes that answer; subject_box, object_box float32 [Q, 4] and
    subject_score, object_score float32 [Q]: the most probable; and where there are label heads labels int32
    [N], label_scores float32 [N], predicate_probabilities float32 [N, N, R], subject first; node_weights
    float32 [N] where the graph has attention.

    Args:
        trained: the model, folded.
        direct: convolutions that a GPU or another runtime has kernels for, instead of Winograd's.
        checked: refuse queries outside the vocabulary.

    Raises:
        UserError: the model answers by looking queries up, which is no graph of tensors.
    """
    model, config = trained.model, trained.config
    if config.rr_source not in ("dsg", "feature"):
        raise UserError(f"RR_SOURCE {config.rr_source} cannot be exported: only role classifiers can")
    known = trained.vocabulary
    limits = (len(known.objects), len(known.predicates), len(known.objects))
    always = config.test.always_include_best

    def answer(image: tf.Tensor, queries: tf.Tensor) -> dict[str, tf.Tensor]:
        if checked:
            queries = _checked(queries, limits)
        blob, count = network_input(
            image[:, :, ::-1], config.test.scales[0], config.test.max_size, config.pixel_means
        )
        size = tf.cast(count, tf.float32)
        batch: Any = {"image": blob[None], "image_size": size[None], "queries": queries[None]}
        with products.native() if direct else contextlib.nullcontext():
            found = model.predict_roles(batch)
        # Rounding the network's input to whole pixels makes the scale of the two sides differ a little.
        scale = tf.cast(tf.shape(image)[:2], tf.float64) / tf.cast(count, tf.float64)
        scale = tf.cast(tf.stack([scale[1], scale[0], scale[1], scale[0]]), tf.float32)
        boxes, probabilities = found.boxes[0] * scale, found.role_probabilities[0]
        outputs = {"boxes": boxes, "role_probabilities": probabilities}
        for name, role in (("subject", SUBJECT), ("object", OBJECT)):
            scores = probabilities[:, :, role]
            best = tf.argmax(scores, axis=1, output_type=tf.int32)
            outputs[f"{name}s"] = _answer_boxes(probabilities, best, role, always)
            outputs[f"{name}_box"] = tf.gather(boxes, best)
            outputs[f"{name}_score"] = tf.reduce_max(scores, axis=1)
        if found.entity_probabilities is not None:
            entities = found.entity_probabilities[0]
            outputs["labels"] = tf.argmax(entities, axis=1, output_type=tf.int32)
            outputs["label_scores"] = tf.reduce_max(entities, axis=1)
            outputs["predicate_probabilities"] = found.predicate_probabilities[0]
        if found.node_weights is not None:
            outputs["node_weights"] = found.node_weights[0]
        # A name of its own for each output, whatever operation it comes from.
        return {name: tf.identity(value, name=name) for name, value in outputs.items()}

    return answer


def with_a_spare_query(answer: Answering) -> Answering:
    """The same function, computed with one query more whose rows are cut off.

    Some runtimes can do nothing with tensors of no queries: onnxruntime's Reshape refuses them.
    """

    def spared(image: tf.Tensor, queries: tf.Tensor) -> dict[str, tf.Tensor]:
        spare = tf.zeros([1, 3], queries.dtype)  # the numbers 0 0 0 are in every vocabulary
        outputs = answer(image, tf.concat([queries, spare], axis=0))
        cut = {name: value[:-1] for name, value in outputs.items() if name in PER_QUERY}
        return {name: tf.identity(cut.get(name, value), name=name) for name, value in outputs.items()}

    return spared


def exportable(trained: Trained) -> Trained:
    """The same model, whose suppression runs inside the graph."""
    config = with_suppression_inside(trained.config)
    if config is trained.config:
        return trained
    return dataclasses.replace(trained, config=config, model=DSG(config, trained.model.parts))


def with_suppression_inside(config: Config) -> Config:
    """The configuration with TensorFlow's suppression, which a graph can hold; warns where it is another."""
    if config.use_e2e_tf:
        return config
    LOG.warning("USE_E2E_TF False: exported with TensorFlow's suppression, whose boxes may differ slightly")
    return dataclasses.replace(config, use_e2e_tf=True)


def _checked(queries: tf.Tensor, limits: tuple[int, ...]) -> tf.Tensor:
    """The queries, or an error where they are no numbers of the vocabulary."""
    problems = [
        tf.debugging.assert_non_negative(queries, "queries are indices into the vocabulary, from 0"),
        tf.debugging.assert_less(queries, tf.constant([limits]), f"queries are below {list(limits)}"),
    ]
    with tf.control_dependencies([problem for problem in problems if problem is not None]):
        return tf.identity(queries)


def _answer_boxes(probabilities: tf.Tensor, best: tf.Tensor, role: int, always: bool) -> tf.Tensor:
    """`dsg.metrics.role_iou.answer_boxes`: [Q, N, 4] and the most probable box [Q] -> bool [Q, N]."""
    chosen = tf.argmax(probabilities, axis=2, output_type=tf.int32) == role
    needs_best = tf.fill([tf.shape(chosen)[0], 1], True)
    if not always:
        needs_best = ~tf.reduce_any(chosen, axis=1, keepdims=True)
    return chosen | (needs_best & (tf.range(tf.shape(chosen)[1])[None] == best[:, None]))
