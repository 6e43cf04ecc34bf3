"""From boxes to entity and relation features: a head on each crop of the feature map, coordinates behind.

Of the pairs only i <= j are cropped: the union of boxes i and j is that of j and i, so 528 crops of 1,024 do.
The four coordinate features are those of the crop, of the box or of the union box.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import tensorflow as tf

from dsg.boxes.transform import union_boxes
from dsg.models.dsg.outputs import Detection, RegionFeatures, Regions
from dsg.nets.layers import Block
from dsg.nets.pyramid_roi import crop_pyramid
from dsg.nets.roi import crop, normalise, pack


class BoxSet(NamedTuple):
    """Boxes that are to be encoded."""

    boxes: tf.Tensor  # [B, N, 4]
    valid: tf.Tensor  # bool [B, N]
    coordinates: bool = True  # append the four box coordinates to nodes and edges
    pairs: bool = True  # encode pairs, too, if there is a relation head


class RegionEncoder(Block):
    """Entity features of boxes and, where a relation head is given, relation features of their pairs.

    Args:
        entity_head, relation_head: crops -> maps and features.
        stride: pixels of a cell of the map, or of the finest one.
        size, relation_size: cells a side of the crops.
        max_pool: see `dsg.nets.roi.crop`.
        pyramid: crops are aligned, each from the level of a pyramid that suits its box.
    """

    def __init__(
        self,
        entity_head: Block,
        relation_head: Block | None,
        *,
        stride: int,
        size: int,
        relation_size: int,
        max_pool: bool = False,
        pyramid: bool = False,
    ) -> None:
        super().__init__()
        self.entity = entity_head
        if relation_head is not None:
            self.relation = relation_head
        self._with_pairs = relation_head is not None
        self.size, self._relation_size, self._stride = size, relation_size, stride
        self._crop = crop_pyramid if pyramid else partial(crop, stride=stride, max_pool=max_pool)

    def call(self, detection: Detection, truth: BoxSet | None = None) -> Regions:
        """Features of the proposals, and of the ground-truth boxes where these are given."""
        proposals = BoxSet(detection.proposals.boxes, detection.proposals.valid)
        sets = [proposals] if truth is None else [proposals, truth]
        features, size = detection.trunk.features, detection.image_size
        encoded = self.encode(features, sets, size, padded=detection.padded)
        return Regions(encoded[0], None if truth is None else encoded[1])

    def encode(
        self, features: Any, sets: Sequence[BoxSet], image_size: tf.Tensor, *, padded: bool
    ) -> list[RegionFeatures]:
        """Features of each set of boxes; all sets go through a head together, in one pass. `features` is a
        map, or those of a pyramid.
        """

        def encode(head: Block, size: int, chosen: Sequence[BoxSet], places: Sequence[tf.Tensor]) -> list:
            """Crops, maps and feature vectors of the boxes at `places` of each chosen set."""
            joined = tf.concat(places, 0)
            crops = self._crop(
                features,
                tf.concat([tf.gather_nd(one.boxes, place) for one, place in zip(chosen, places)], 0),
                tf.cast(joined[:, 0], tf.int32),
                size,
                image_size=image_size,
                padded=padded,
            )
            parts = (crops, *head(crops))
            if len(chosen) == 1:
                return [parts]
            counts = tf.stack([tf.shape(place)[0] for place in places])
            return list(zip(*(tf.split(part, counts, num=len(chosen)) for part in parts)))

        def with_coordinates(vectors: tf.Tensor, boxes: BoxSet, places: tf.Tensor | None = None) -> tf.Tensor:
            if not boxes.coordinates:
                return vectors
            where = normalise(boxes.boxes, image_size, self._stride)
            where = where if places is None else tf.gather_nd(where, places)
            return tf.concat([vectors, tf.cast(where, vectors.dtype)], -1)

        packed = [pack(boxes.valid) for boxes in sets]
        entities = encode(self.entity, self.size, sets, [places for places, _ in packed])
        unions = [_unions(boxes) for boxes in sets if self._with_pairs and boxes.pairs]
        pairs = [_pack_once(union.valid) for union in unions]
        relations = []
        if unions:
            encoded = encode(self.relation, self._relation_size, unions, [places for places, _ in pairs])
            relations = [
                (crops, maps, with_coordinates(vectors, union, places), row)
                for union, (places, row), (crops, maps, vectors) in zip(unions, pairs, encoded)
            ]
        found = []
        for boxes, (_, row), (crops, maps, vectors) in zip(sets, packed, entities):
            nodes = with_coordinates(tf.gather(vectors, row), boxes)
            relation = relations.pop(0) if self._with_pairs and boxes.pairs else (None,) * 4
            found.append(RegionFeatures(crops, maps, nodes, row, *relation))
        return found


def _unions(boxes: BoxSet) -> BoxSet:
    """The union boxes of all pairs, [B, N, N, 4]."""
    valid = boxes.valid[:, :, None] & boxes.valid[:, None, :]
    return BoxSet(union_boxes(boxes.boxes), valid, boxes.coordinates)


def _pack_once(valid: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """`pack` of pairs [B, N, N] with i <= j only; [j, i] has the row of [i, j]."""
    half = tf.linalg.band_part(tf.ones_like(valid, tf.float32), 0, -1) > 0
    places, row = pack(valid & half)
    return places, tf.where(half, row, tf.linalg.matrix_transpose(row))
