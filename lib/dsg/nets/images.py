"""Work that is done image by image, since each has another number of boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf


def by_image(
    function: Callable[[tf.Tensor | int], Sequence[tf.Tensor]],
    image_size: tf.Tensor,
    signature: Sequence[tf.TensorSpec],
) -> Sequence[tf.Tensor]:
    """What `function` gives for the number of each image, stacked.

    Args:
        function: from a number below B to tensors of `signature`.
        image_size: [B, 2]. Where it is known when the graph is built that there is one image, no loop is
            built: that takes a second to trace.
        signature: of the tensors, without B.
    """
    if image_size.shape[0] == 1:
        return [tf.expand_dims(tf.ensure_shape(x, s.shape), 0) for x, s in zip(function(0), signature)]
    images = tf.range(tf.shape(image_size)[0])
    return tf.map_fn(function, images, fn_output_signature=tuple(signature))
