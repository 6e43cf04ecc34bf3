"""From boxes to entity and relation features: crops of the feature map, a head on each crop, coordinates
behind.

Only valid boxes are cropped (packed into one list over the batch), and of the pairs only i <= j: the union of
boxes i and j is that of j and i, so 528 crops of 1,024 do. Crop coordinates are divided by (cells - 1) *
stride as in the release, not by the image's size; the same numbers, of the box or of the union box, are the
four coordinate features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from dsg.boxes.transform import union_boxes
from dsg.models.dsg.outputs import RegionFeatures
from dsg.nets.kernels.bilinear import sample
from dsg.nets.layers import Block
from dsg.nets.masks import cells


def normalise(boxes: tf.Tensor, image_size: tf.Tensor, stride: int) -> tf.Tensor:
    """Boxes [B, ..., 4] over (cells - 1) * stride of each image; 1 is the centre of the last cell, so values
    can exceed 1.
    """
    extent = tf.cast(cells(image_size, stride) - 1, tf.float32) * float(stride)
    extent = tf.maximum(extent, 1.0)  # an image of one cell has no extent to divide by
    scale = tf.stack([extent[:, 1], extent[:, 0], extent[:, 1], extent[:, 0]], -1)
    return boxes / tf.reshape(scale, [-1, *[1] * (boxes.shape.rank - 2), 4])


def crop(
    features: tf.Tensor,
    boxes: tf.Tensor,
    image: tf.Tensor,
    size: int,
    *,
    image_size: tf.Tensor,
    stride: int,
    max_pool: bool = False,
    padded: bool = False,
) -> tf.Tensor:
    """Bilinear samples of `features` [B, h, w, C] in boxes [M, 4] of images [M]: [M, size, size, C], zero
    beyond the last cell.

    `boxes` are pixels of the network's input. `padded` says that some image may be smaller than the map, and
    makes its samples end where they would end alone. With `max_pool` twice as many samples are taken and
    pooled.
    """
    samples = 2 * size if max_pool else size
    extent = tf.cast(tf.shape(features)[1:3] - 1, tf.float32) * float(stride)
    extent = tf.maximum(extent, 1.0)
    x1, y1, x2, y2 = tf.unstack(boxes, axis=-1)
    if padded:
        last = tf.cast(tf.gather(cells(image_size, stride), image) - 1, tf.float32)
        several = tf.cast(last > 0, tf.float32)  # a map of one cell has its value everywhere
        y1, y2, x1, x2 = y1 * several[:, 0], y2 * several[:, 0], x1 * several[:, 1], x2 * several[:, 1]
    relative = tf.stack([y1 / extent[0], x1 / extent[1], y2 / extent[0], x2 / extent[1]], -1)
    # there are float32 kernels only
    crops = sample(tf.cast(features, tf.float32), relative, image, samples)
    if padded:
        inside_y = _sample_positions(y1, y2, samples, stride) <= last[:, :1] + 1e-4
        inside_x = _sample_positions(x1, x2, samples, stride) <= last[:, 1:] + 1e-4
        crops *= tf.cast(inside_y[:, :, None, None] & inside_x[:, None, :, None], tf.float32)
    crops = tf.cast(crops, features.dtype)
    return tf.nn.max_pool2d(crops, 2, 2, "SAME") if max_pool else crops


def _sample_positions(low: tf.Tensor, high: tf.Tensor, samples: int, stride: int) -> tf.Tensor:
    """Where an axis is sampled, in cells: [M], [M] -> [M, samples]."""
    if samples == 1:
        return 0.5 * (low + high)[:, None] / stride
    steps = tf.range(samples, dtype=tf.float32) / (samples - 1)
    return (low[:, None] + (high - low)[:, None] * steps) / stride


class BoxSet(NamedTuple):
    """Boxes that are to be encoded."""

    boxes: tf.Tensor  # [B, N, 4]
    valid: tf.Tensor  # bool [B, N]
    coordinates: bool = True  # append the four box coordinates to nodes and edges
    pairs: bool = True  # encode pairs, too, if there is a relation head


class RegionEncoder(Block):
    """Entity features of boxes and, where a relation head is given, relation features of their pairs."""

    def __init__(
        self,
        entity_head: Any,
        relation_head: Any | None,
        *,
        stride: int,
        size: int,
        relation_size: int,
        max_pool: bool,
    ) -> None:
        super().__init__()
        self.entity = entity_head
        if relation_head is not None:
            self.relation = relation_head
        self._with_pairs = relation_head is not None
        self._stride, self._size, self._relation_size, self._max_pool = stride, size, relation_size, max_pool

    def call(
        self, features: tf.Tensor, sets: Sequence[BoxSet], image_size: tf.Tensor, *, padded: bool
    ) -> list[RegionFeatures]:
        """Features of each set of boxes; all sets go through the heads together, in one pass."""
        packed = [pack(one.valid) for one in sets]
        places = [one for one, _ in packed]
        found = self._encode(self.entity, features, sets, places, image_size, padded)
        encoded = []
        for one, (_, row), (crops, maps, vectors) in zip(sets, packed, found):
            nodes = tf.gather(vectors, row)
            if one.coordinates:
                where = normalise(one.boxes, image_size, self._stride)
                nodes = tf.concat([nodes, tf.cast(where, nodes.dtype)], -1)
            encoded.append(RegionFeatures(crops, maps, nodes, None, None, None, None, row))
        paired = [number for number, one in enumerate(sets) if self._with_pairs and one.pairs]
        if paired:
            chosen = [sets[number] for number in paired]
            relations = self._relations(features, chosen, image_size, padded)
            for number, relation in zip(paired, relations):
                encoded[number] = encoded[number]._replace(**relation)
        return encoded

    def _relations(
        self, features: tf.Tensor, sets: Sequence[BoxSet], image_size: tf.Tensor, padded: bool
    ) -> list[dict[str, tf.Tensor]]:
        """What `RegionFeatures` says of each set's pairs; the union box of each pair is encoded once."""
        unions, packed = [], []
        for boxes, valid, coordinates, _ in sets:
            unions.append(BoxSet(union_boxes(boxes), valid[:, :, None] & valid[:, None, :], coordinates))
            half = tf.linalg.band_part(tf.ones_like(unions[-1].boxes[..., 0]), 0, -1) > 0
            pairs, row = pack(unions[-1].valid & half)
            packed.append((pairs, tf.where(half, row, tf.linalg.matrix_transpose(row))))
        places = [one for one, _ in packed]
        found = self._encode(self.relation, features, unions, places, image_size, padded)
        encoded = []
        for union, (pairs, row), (crops, maps, vectors) in zip(unions, packed, found):
            if union.coordinates:
                where = tf.gather_nd(normalise(union.boxes, image_size, self._stride), pairs)
                vectors = tf.concat([vectors, tf.cast(where, vectors.dtype)], -1)
            encoded.append({"pair_crops": crops, "pair_maps": maps, "pairs": vectors, "pair_index": row})
        return encoded

    def _encode(
        self,
        head: Any,
        features: tf.Tensor,
        sets: Sequence[BoxSet],
        places: Sequence[tf.Tensor],
        image_size: tf.Tensor,
        padded: bool,
    ) -> list[tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
        """Crops, maps and feature vectors of the boxes at `places` of each set."""
        joined = tf.concat(places, 0)
        crops = crop(
            features,
            tf.concat([tf.gather_nd(one.boxes, place) for one, place in zip(sets, places)], 0),
            tf.cast(joined[:, 0], tf.int32),
            self._size if head is self.entity else self._relation_size,
            image_size=image_size,
            stride=self._stride,
            max_pool=self._max_pool,
            padded=padded,
        )
        parts = (crops, *head(crops))
        if len(sets) == 1:
            return [parts]
        counts = tf.stack([tf.shape(place)[0] for place in places])
        return list(zip(*(tf.split(part, counts, num=len(sets)) for part in parts)))


def pack(valid: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Places of the True entries int64 [M, rank], and for every entry its row in that list (0 where it is
    False).
    """
    row = tf.cumsum(tf.reshape(tf.cast(valid, tf.int32), [-1])) - 1
    return tf.where(valid), tf.reshape(tf.maximum(row, 0), tf.shape(valid))
