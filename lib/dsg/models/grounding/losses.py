"""The losses of the second stage (eq. 11): pure functions of tensors, each a scalar."""

from __future__ import annotations

import tensorflow as tf


def relation_loss(logits: tf.Tensor, predicates: tf.Tensor) -> tf.Tensor:
    """Mean cross entropy of the sampled pairs of all images: [P, R + 1], int32 [P]; 0 if there are none."""
    return _mean_entropy(logits, predicates)


def object_loss(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Mean cross entropy of the boxes of all images: [N, V + 1], int32 [N]; 0 if there are none."""
    return _mean_entropy(logits, labels)


def mask_refinement_loss(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Mean binary cross entropy of the masks of foreground boxes.

    As released, a loss that is not a number counts as 0, and so does one of no boxes.

    Args:
        logits: [N, m, m], those of the true labels.
        targets: [N, m, m] of 0 and 1.
    """
    losses = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(targets, logits.dtype), logits)
    mean = tf.reduce_sum(losses) / tf.cast(tf.maximum(tf.size(losses), 1), losses.dtype)
    return tf.where(tf.math.is_nan(mean), tf.zeros_like(mean), mean)


def related_loss(logits: tf.Tensor, related: tf.Tensor, image: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """VCTree's: binary cross entropy of whether two boxes are related, mean over the pairs of an image, then
    over images.

    Args:
        logits: [N, N]; pairs of different images do not count.
        related: [N, N] of 0 and 1.
        image: int32 [N], of each box, ascending.
        images: how many there are, B.
    """
    losses = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(related, logits.dtype), logits)
    same = tf.cast(image[:, None] == image[None], logits.dtype)
    counts = tf.cast(tf.math.bincount(image, minlength=images), logits.dtype)
    per_image = tf.math.unsorted_segment_sum(tf.reduce_sum(losses * same, 1), image, images)
    return tf.reduce_mean(tf.math.divide_no_nan(per_image, counts * counts))


def _mean_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    return tf.reduce_sum(losses) / tf.cast(tf.maximum(tf.size(losses), 1), losses.dtype)
