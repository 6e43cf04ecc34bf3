"""The pairs of a step and of an answer, as rows of the list of all boxes.

B images, G annotated boxes an image at most, N boxes of all images in one list, R predicates.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from dsg.boxes.matching import iou
from dsg.config import Config
from dsg.models.grounding.boxes import BoxList
from dsg.pipeline.graph_examples import pair_settings
from dsg.pipeline.pair_sampling import sample_detected_pairs


class SampledPairs(NamedTuple):
    """Pairs to learn from, image after image."""

    pairs: tf.Tensor  # int32 [P, 2], rows of boxes
    predicates: tf.Tensor  # int32 [P]; R where unrelated
    related: tf.Tensor  # float32 [N, N]: 1 for annotated pairs, both ways


def batch_pairs(batch: Mapping[str, Any], places: tf.Tensor) -> SampledPairs:
    """The pairs of annotated boxes that came with a batch.

    Args:
        batch: with `pairs`, `pair_predicates`, `pair_valid` and `related`.
        places: int32 [N, 2], image and row of each box.
    """
    rows = _rows_of(places, batch["gt_valid"])
    chosen = tf.cast(tf.where(batch["pair_valid"]), tf.int32)
    ends = tf.gather_nd(batch["pairs"], chosen)
    image = tf.tile(chosen[:, :1], [1, 2])
    pairs = tf.gather_nd(rows, tf.stack([image, ends], -1))
    of_image = tf.gather(batch["related"], places[:, 0])  # [N, G, G]
    own = tf.gather(of_image, places[:, 1], axis=1, batch_dims=1)  # [N, G]
    related = tf.gather(own, places[:, 1], axis=1)
    same = tf.cast(places[:, None, 0] == places[None, :, 0], related.dtype)
    return SampledPairs(pairs, tf.gather_nd(batch["pair_predicates"], chosen), related * same)


def _rows_of(places: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """The row in the list of the box at each place of a batch: int32 [B, G]."""
    shape = tf.shape(valid, tf.int32)
    return tf.scatter_nd(places, tf.range(tf.shape(places)[0]), shape)


def sampled_pairs(
    boxes: BoxList,
    labels: tf.Tensor,
    batch: Mapping[str, Any],
    config: Config,
    *,
    predicates: int,
    background: int,
) -> SampledPairs:
    """Pairs of detected boxes, see `pair_sampling.sample_detected_pairs`. The draws follow from RNG_SEED, the
    image and its boxes alone.

    Args:
        boxes: N detected ones.
        labels: int32 [N], true ones.
        batch: with annotated boxes, relations and `index`.
        config: GROUNDING.* and RNG_SEED.
        predicates: R.
        background: the label of the background.
    """
    settings = pair_settings(config, predicates)

    def sample(
        found: np.ndarray, image: np.ndarray, own_labels: np.ndarray, *arrays: np.ndarray
    ) -> list[Any]:
        count = len(found)
        pairs, kinds = [np.zeros((0, 2), np.int32)], [np.zeros(0, np.int32)]
        related, start = np.zeros((count, count), np.float32), 0
        for number, (true_boxes, true_labels, valid, relations, relation_valid, index) in enumerate(
            zip(*arrays)
        ):
            own = slice(start, start + int((image == number).sum()))
            start = own.stop
            if own.stop == own.start:
                continue
            drawn = sample_detected_pairs(
                *(found[own], own_labels[own], true_boxes, np.where(valid, true_labels, -1)),
                *(relations[relation_valid], settings, image_rng(config, index, found[own])),
                background=background,
            )
            pairs.append(drawn.pairs + own.start)
            kinds.append(drawn.predicates)
            related[own, own] = drawn.related
        return [np.concatenate(pairs).astype(np.int32), np.concatenate(kinds).astype(np.int32), related]

    keys = ("gt_boxes", "gt_classes", "gt_valid", "relations", "relation_valid", "index")
    inputs = [boxes.boxes, boxes.image, labels, *(batch[key] for key in keys)]
    types, shapes = (tf.int32, tf.int32, tf.float32), ([None, 2], [None], [None, None])
    values = tf.numpy_function(sample, [tf.stop_gradient(value) for value in inputs], types, stateful=False)
    return SampledPairs(*(tf.ensure_shape(value, shape) for value, shape in zip(values, shapes)))


def image_rng(config: Config, index: Any, boxes: np.ndarray) -> np.random.Generator:
    """Draws for an image that follow from RNG_SEED, its index and its boxes."""
    return np.random.default_rng(
        (config.rng_seed, int(index), zlib.crc32(np.ascontiguousarray(boxes).tobytes()))
    )


def asked_pairs(boxes: BoxList, *, overlapping: bool) -> tf.Tensor:
    """Every ordered pair of different boxes of an image, with `overlapping` (SGDet) only those that overlap:
    int32 [P, 2], by rows. There may be none: as released, one of the first box with itself would be asked for
    then.
    """
    count = tf.shape(boxes.boxes)[0]
    wanted = (boxes.image[:, None] == boxes.image[None]) & ~tf.eye(count, dtype=tf.bool)
    if overlapping:
        wanted &= iou(boxes.boxes, boxes.boxes) > 0
    return tf.cast(tf.where(wanted), tf.int32)
