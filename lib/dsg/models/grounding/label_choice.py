"""`answers.suppressed_labels` in TensorFlow operations alone, for an image in a graph to be exported."""

from __future__ import annotations

import tensorflow as tf

from dsg.boxes.overlaps_tf import overlaps_tf
from dsg.models.grounding.answers import SUPPRESSION_IOU


def suppressed_in_graph(probabilities: tf.Tensor, class_boxes: tf.Tensor) -> tf.Tensor:
    """Labels int32 [N] of an image's boxes, the most probable (box, label) settled first.

    Args:
        probabilities: float32 [N, V].
        class_boxes: float32 [N, V, 4], widths with +1.
    """
    count, categories = tf.shape(probabilities)[0], probabilities.shape[1]
    places = tf.range(count)

    def settle(step: tf.Tensor, left: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, ...]:
        best = tf.argmax(tf.reshape(left, [-1]), output_type=tf.int32)
        row, label = best // categories, best % categories
        labels = tf.where(places == row, label, labels)
        boxes = tf.gather(class_boxes, label, axis=1)
        near = overlaps_tf(tf.gather(boxes, row)[None], boxes)[0] >= SUPPRESSION_IOU
        dropped = near[:, None] & (tf.range(categories) == label)[None]
        left = tf.where(dropped, 0.0, left)
        return step + 1, tf.where((places == row)[:, None], -1.0, left), labels

    start = tf.constant(0), probabilities, tf.zeros_like(places)
    shapes = tf.TensorShape([]), tf.TensorShape([None, categories]), tf.TensorShape([None])
    return tf.while_loop(lambda step, *_: step < count, settle, start, shapes)[2]
