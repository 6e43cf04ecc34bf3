"""The losses of torchvision's detectors and of tf-faster-rcnn: pure functions of tensors, each a scalar."""

from __future__ import annotations

import re

import tensorflow as tf

from dsg.nets.layers import Weighted

BETA = 1.0 / 9.0  # difference from which smooth l1 is linear
MOBILE_DECAY = 0.00004


def smooth_l1(difference: tf.Tensor, beta: float = BETA) -> tf.Tensor:
    """Quadratic below `beta`, linear above, elementwise; with 0, l1."""
    size = tf.abs(difference)
    if beta == 0.0:
        return size
    return tf.where(size < beta, 0.5 * size * size / beta, size - 0.5 * beta)


def objectness_loss(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Mean binary cross entropy of the sampled anchors of all images: logits [S], labels 0 or 1 [S]."""
    labels = tf.cast(labels, logits.dtype)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))


def anchor_box_loss(
    deltas: tf.Tensor, targets: tf.Tensor, sampled: tf.Tensor, beta: float = BETA
) -> tf.Tensor:
    """Smooth l1 of the positive anchors [P, 4], summed, over the number of sampled anchors (a scalar)."""
    return tf.reduce_sum(smooth_l1(deltas - targets, beta)) / tf.cast(sampled, deltas.dtype)


def class_loss(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Mean cross entropy of the sampled regions: logits [R, C], labels int [R], 0 the background."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def box_loss(deltas: tf.Tensor, targets: tf.Tensor, labels: tf.Tensor, beta: float = BETA) -> tf.Tensor:
    """Smooth l1 of the foreground regions, at the boxes of their class, summed, over all sampled regions.

    Args:
        deltas: [R, 4 C], class after class.
        targets: [R, 4].
        labels: int [R], 0 the background.
        beta: of `smooth_l1`.
    """
    foreground = tf.where(labels > 0)[:, 0]
    classes = tf.reshape(deltas, [tf.shape(deltas)[0], -1, 4])
    chosen = tf.gather(tf.gather(classes, foreground), tf.gather(labels, foreground), batch_dims=1)
    loss = tf.reduce_sum(smooth_l1(chosen - tf.gather(targets, foreground), beta))
    return loss / tf.cast(tf.maximum(tf.shape(labels)[0], 1), loss.dtype)


def mask_loss(logits: tf.Tensor, targets: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Mean binary cross entropy of foreground masks at their class; 0 if there are none.

    Args:
        logits: [P, m, m, C].
        targets: [P, m, m] in 0..1.
        labels: int [P], from 1.
    """
    chosen = of_class(logits, labels)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(targets, chosen.dtype), chosen)
    return tf.reduce_sum(losses) / tf.cast(tf.maximum(tf.size(losses), 1), losses.dtype)


def of_class(masks: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    """The mask of each region's class int32 [P], of [P, m, m, C]: [P, m, m]."""
    shape = tf.shape(masks)
    # one list, because a gather in batches has no gradient where there is no region
    flat = tf.reshape(tf.transpose(masks, [0, 3, 1, 2]), [shape[0] * shape[3], shape[1], shape[2]])
    return tf.gather(flat, tf.range(shape[0]) * shape[3] + tf.cast(classes, tf.int32))


def softmax_objectness_loss(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """tf-faster-rcnn's: mean cross entropy of [B, h, w, A, 2] over the anchors whose label [B, h, w, A] is
    not -1, mean over images.
    """
    chosen = tf.cast(labels >= 0, tf.float32)
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(tf.cast(labels, tf.int32), 0), logits)
    count = tf.reduce_sum(chosen, [1, 2, 3])
    return tf.reduce_mean(tf.reduce_sum(entropy * chosen, [1, 2, 3]) / tf.maximum(count, 1.0))


def weighted_anchor_box_loss(
    deltas: tf.Tensor, targets: tf.Tensor, inside: tf.Tensor, outside: tf.Tensor
) -> tf.Tensor:
    """tf-faster-rcnn's: smooth l1 (sigma 3, which is beta 1/9) of [B, h, w, A, 4], the difference times
    `inside` [B, h, w, A], the loss times `outside`, summed, mean over images.
    """
    loss = smooth_l1((deltas - targets) * inside[..., None]) * outside[..., None]
    return tf.reduce_mean(tf.reduce_sum(loss, [1, 2, 3, 4]))


def mean_box_loss(deltas: tf.Tensor, targets: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """tf-faster-rcnn's: smooth l1 (sigma 1) of the foreground regions at the boxes of their class, summed
    over coordinates, mean over all regions. Arguments as of `box_loss`.
    """
    chosen = tf.gather(tf.reshape(deltas, [tf.shape(deltas)[0], -1, 4]), labels, batch_dims=1)
    foreground = tf.cast(labels > 0, tf.float32)[:, None]
    return tf.reduce_mean(tf.reduce_sum(smooth_l1((chosen - targets) * foreground, 1.0), 1))


def decay_factors(
    model: Weighted, weight_decay: float, mobile_decay: float = MOBILE_DECAY
) -> dict[str, float]:
    """The factor of weight decay by variable: `weight_decay`, but for MobileNet's own convolutions theirs."""
    return {
        name: mobile_decay if re.search(r"(conv0|pointwise)/kernel$", name) else weight_decay
        for name in model.regularised_names()
    }


def decay_loss(model: Weighted, weight_decay: float, mobile_decay: float = MOBILE_DECAY) -> tf.Tensor:
    """Half the squared norm of every decayed variable, trained or not, times its factor."""
    variables = model.named_variables()
    factors = decay_factors(model, weight_decay, mobile_decay)
    return tf.add_n([factor * tf.nn.l2_loss(variables[name]) for name, factor in factors.items()])
