"""Masks refined by what the context knows of a box: residual logits on the detector's (eq. 8 and 9)."""

from __future__ import annotations

import tensorflow as tf

from dsg.models.detector.heads import DoubledConv
from dsg.nets.chunks import some
from dsg.nets.layers import HE, Block, Conv, Dense

WIDTH = 256
CLEAREST = 1e-7  # a probability is at least so far from 0 and 1
FEATURES, CONTEXT = "features", "context"


class MaskRefiner(Block):
    """Context of boxes [N, D] and crops [N, 28, 28, C] -> residual mask logits [N, 28, 28, masks], all 0
    before training.

    Args:
        context: D.
        channels: C.
        masks: categories of the masks' data set.
        convs: of the mask head: 4, or 0 as with VGG.
        refine_input: features: as released, with the crops; context: the paper's text, without.
        width: of the layers between.
    """

    def __init__(
        self,
        context: int,
        channels: int,
        masks: int,
        *,
        convs: int = 4,
        refine_input: str = FEATURES,
        width: int = WIDTH,
    ) -> None:
        super().__init__()
        self.context = Dense(context, width)
        self.reduce = Conv(width + channels * (refine_input == FEATURES), width, 3, 2, relu=True, init=HE)
        self.convs = [Conv(width, width, 3, relu=True, init=HE) for _ in range(convs)]
        self.deconv = DoubledConv(width, width)
        self.predictor = Conv(width, masks, init="zeros")
        self._features = refine_input == FEATURES

    def call(self, context: tf.Tensor, crops: tf.Tensor) -> tf.Tensor:
        count, context, crops = tf.shape(crops)[0], some(context), some(crops)
        known = self.context(context)[:, None, None]
        x = tf.tile(known, [1, *crops.shape[1:3], 1])
        x = self.reduce(tf.concat([crops, x], -1) if self._features else x)
        for conv in self.convs:
            x = conv(x)
        return tf.cast(self.predictor(self.deconv(x)), tf.float32)[:count]


def mask_logits(probabilities: tf.Tensor, *, released: bool = False) -> tf.Tensor:
    """The logits of mask probabilities.

    Args:
        released: as there, where a probability that rounds to 1 has the logit infinity; by default
            probabilities are first brought between 1e-7 and 1 - 1e-7.
    """
    if released:
        return -tf.math.log(1.0 / (probabilities + 1e-8) - 1.0)
    clear = tf.clip_by_value(probabilities, CLEAREST, 1.0 - CLEAREST)
    return tf.math.log(clear) - tf.math.log1p(-clear)


def of_labels(values: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """The map of each box's label: [N, m, m] from [N, m, m, masks] and int32 [N]."""
    return tf.gather(tf.transpose(values, [0, 3, 1, 2]), labels, batch_dims=1)
