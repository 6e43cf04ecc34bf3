"""The losses of torchvision's detectors: pure functions of tensors, each a scalar.

Those of tf-faster-rcnn are the ones DSG shares.
"""

from __future__ import annotations

import tensorflow as tf

BETA = 1.0 / 9.0  # difference from which smooth l1 is linear


def smooth_l1(difference: tf.Tensor, beta: float = BETA) -> tf.Tensor:
    """Quadratic below `beta`, linear above, elementwise."""
    size = tf.abs(difference)
    return tf.where(size < beta, 0.5 * size * size / beta, size - 0.5 * beta)


def objectness_loss(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Mean binary cross entropy of the sampled anchors of all images: logits [S], labels 0 or 1 [S]."""
    labels = tf.cast(labels, logits.dtype)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))


def anchor_box_loss(deltas: tf.Tensor, targets: tf.Tensor, sampled: tf.Tensor) -> tf.Tensor:
    """Smooth l1 of the positive anchors [P, 4], summed, over the number of sampled anchors (a scalar)."""
    return tf.reduce_sum(smooth_l1(deltas - targets)) / tf.cast(sampled, deltas.dtype)


def class_loss(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Mean cross entropy of the sampled regions: logits [R, C], labels int [R], 0 the background."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def box_loss(deltas: tf.Tensor, targets: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Smooth l1 of the foreground regions, at the boxes of their class, summed, over all sampled regions.

    Args:
        deltas: [R, 4 C], class after class.
        targets: [R, 4].
        labels: int [R], 0 the background.
    """
    foreground = tf.where(labels > 0)[:, 0]
    classes = tf.reshape(deltas, [tf.shape(deltas)[0], -1, 4])
    chosen = tf.gather(tf.gather(classes, foreground), tf.gather(labels, foreground), batch_dims=1)
    loss = tf.reduce_sum(smooth_l1(chosen - tf.gather(targets, foreground)))
    return loss / tf.cast(tf.maximum(tf.shape(labels)[0], 1), loss.dtype)


def mask_loss(logits: tf.Tensor, targets: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Mean binary cross entropy of foreground masks at their class; 0 where there are none.

    Args:
        logits: [P, m, m, C].
        targets: [P, m, m] in 0..1.
        labels: int [P], from 1.
    """
    chosen = tf.gather(tf.transpose(logits, [0, 3, 1, 2]), labels, batch_dims=1)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(targets, chosen.dtype), chosen)
    return tf.reduce_sum(losses) / tf.cast(tf.maximum(tf.size(losses), 1), losses.dtype)
