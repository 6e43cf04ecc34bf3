"""Features of pairs: what lies in the box around both, and where their masks meet there (eq. 7).

P pairs of N boxes. At the published sizes a pair's crop and masks are 3 MB, so pairs are encoded a few at a
time; and a pair (i, j) has the same union box as (j, i), which is cropped and convolved once.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from dsg.models.grounding.boxes import BoxList
from dsg.models.grounding.edge_masks import EdgeMasks, in_union_frame
from dsg.models.grounding.features import CHUNK, MANY, Maps, MaskedRegions, unions
from dsg.nets.chunks import in_chunks, recomputed_in_chunks, some, when
from dsg.nets.layers import Block, convolve


class PairEncoder(Block):
    """Pairs of boxes -> features [P, width].

    Args:
        regions: of the crops and masks of pairs.
        masks: of pairs.
        side: cells a side of crops and masks.
        warped: masks are brought to the union's frame.
    """

    def __init__(self, regions: MaskedRegions, masks: EdgeMasks, side: int, warped: bool) -> None:
        super().__init__()
        self.regions, self.masks, self._side, self.warped = regions, masks, side, warped

    def call(
        self,
        maps: Maps,
        boxes: BoxList,
        scores: tf.Tensor,
        masks: tf.Tensor | None,
        pairs: tf.Tensor,
        training: bool,
    ) -> tf.Tensor:
        """
        Args:
            maps: of the batch.
            boxes: N of them.
            scores: [N, V + 1].
            masks: [N, side, side, V]; None: of pairs nothing is shown but their crop.
            pairs: int32 [P, 2].
            training: a gradient will be taken.
        """
        composed = None if training else self.regions.composed
        # Pairs of the same two boxes one after another, so that they are in one chunk.
        count = tf.shape(boxes.boxes)[0]
        ends = tf.reduce_min(pairs, 1) * count + tf.reduce_max(pairs, 1)
        order = tf.argsort(ends, stable=True)
        pairs, ends, back = tf.gather(pairs, order), tf.gather(ends, order), tf.argsort(order)
        kernels = None
        if masks is None:  # nothing tells (i, j) from (j, i)
            ends, which = tf.unique(ends)
            pairs, back = tf.stack([ends // count, ends % count], 1), tf.gather(which, back)
        else:
            masks = tf.stop_gradient(masks)  # the frozen detector's
            masks = masks if composed is None else composed.distinct(masks)
            kernels = self.masks.kernels(tf.gather(scores, pairs[:, 0]), tf.gather(scores, pairs[:, 1]))

        def convolved(rows: tf.Tensor, others: Sequence[tf.Tensor], *given: tf.Tensor) -> tf.Tensor:
            """[n, side, side, C] of these pairs; [n, width] where the layer behind is composed with it."""
            kernel, bias, *levels = given[: 2 + len(maps.maps)]
            placed, image, pairs, ends, *of_boxes = others
            count = tf.shape(placed)[0]
            own = tf.gather(pairs, rows)
            union, which = tf.unique(tf.gather(ends, rows))
            either = tf.stack([union // count, union % count], 1)
            around = unions(placed, either)
            crops = Maps(levels, maps.scales).crop(around, tf.gather(image, either[:, 0]), self._side)
            if composed is None:
                part = _convolve(crops, kernel[:, :, : crops.shape[-1]]) + bias
            else:
                part = composed.of_crops(crops) + composed.bias
            result = tf.gather(part, which)
            if not of_boxes:
                return result
            both = [tf.gather(of_boxes[0], own[:, role]) for role in range(2)]
            if self.warped:
                around = tf.gather(around, which)
                both = [
                    in_union_frame(mask, tf.gather(placed, own[:, role]), around)
                    for role, mask in enumerate(both)
                ]
            shown = self.masks.meet(*both, *(tf.gather(one, rows) for one in given[2 + len(maps.maps) :]))
            if composed is not None:
                return result + composed.of_masks(shown)
            return result + _convolve(shown, kernel[:, :, crops.shape[-1] :])

        conv, number = self.regions.mask_conv, tf.shape(pairs)[0]
        tensors = [tf.convert_to_tensor(conv.kernel), tf.convert_to_tensor(conv.bias), *maps.maps]
        tensors += [] if kernels is None else [kernels]
        others = [boxes.boxes, boxes.image, pairs, ends, *([] if masks is None else [masks])]

        if training:
            together = when(
                number <= MANY,
                lambda: convolved(tf.range(number), others, *tensors),
                lambda: recomputed_in_chunks(convolved, number, CHUNK, tensors, others),
            )
            features = self.regions.dense(together)
        else:
            follow = self.regions.dense if composed is None else self.regions.after
            features = in_chunks(lambda rows: follow(convolved(rows, others, *tensors)), number, CHUNK)
        return tf.gather(tf.ensure_shape(features, [None, self.regions.fc7.kernel.shape[1]]), back)


def _convolve(values: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`convolve`, also of no values."""
    return convolve(some(values), kernel)[: tf.shape(values)[0]]
