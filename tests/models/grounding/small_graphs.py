"""A grounded model so small that it belongs into a test, and batches of noise for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.config import Config, load_config
from dsg.datasets.records import Vocabulary
from dsg.models.grounding.build import build_grounding
from dsg.models.grounding.model import GroundingModel
from dsg.pipeline.pair_sampling import PairSettings, sample_annotated_pairs
from tests.shared import ROOT

MODELS = ROOT / "experiments" / "cfgs" / "models"
OPTIONS = {
    "RPN_CHANNELS": "8",
    "HEAD.DIM": "12",
    "HEAD.CHANNELS": "8",
    "ANCHOR_SCALES": "[2.0, 4.0]",
    "GROUNDING.ROI_SIDE": "7",
    "GROUNDING.CHANNELS": "6",
    "GROUNDING.FEATURES": "10",
    "GROUNDING.HIDDEN": "8",
    "GROUNDING.EMBEDDING": "5",
    "GROUNDING.POOLING": "12",
    "GROUNDING.REFINER": "6",
    "GROUNDING.MASK_CONVS": "1",
    "GROUNDING.BOXES": "6",
    "TRAIN.IMS_PER_BATCH": "2",
    "GROUNDING.MASK_IMS_PER_BATCH": "1",
    "TRAIN.RPN_POST_NMS_TOP_N": "20",
    "TRAIN.BATCH_SIZE": "16",
    "TEST.RPN_POST_NMS_TOP_N": "20",
    "TEST.SCORE_THRESHOLD": "0.1",
    "TEST.IMS_PER_BATCH": "2",
}
WORDS = Vocabulary(("dog", "cat", "hat"), ("above", "near", "left of", "holds"), ("dog", "bird"))
KEPT = ("image", "image_size", "original_size", "gt_boxes", "relations", "pairs")
"""Keys whose last axis is always as long."""
SIZES = ((64, 96), (48, 80))


def config_of(*changes: str, net: str = "mini") -> Config:
    """The configuration of `grounding_<net>`, made small."""
    pairs = [word for pair in OPTIONS.items() for word in pair]
    return load_config([MODELS / f"grounding_{net}.yml"], [*pairs, *changes])


def model_of(config: Config, words: Vocabulary = WORDS, size: float = 0.3) -> GroundingModel:
    """A model with a graph whose weights say something, those at the ends too."""
    model = build_grounding(config, words)
    rng = np.random.default_rng(1)
    for name, variable in model.named_variables().items():
        if name.startswith(("predictor/", "graph/refiner/predictor", "rpn/")):
            scale = 0.02 if "box" in name else size
            variable.assign(rng.normal(0, scale, variable.shape).astype(np.float32))
    if words is WORDS:
        model.transfer.assign(np.array([[1, 0.4, 0.7], [0, 0.6, 0.3]], np.float32))
    return model


def boxes_of(count: int, size: tuple[int, int], seed: int) -> np.ndarray:
    """Boxes float32 [count, 4] in an image of that height and width; most of them overlap."""
    rng, (height, width) = np.random.default_rng(seed), size
    low = rng.uniform(0, 0.5, (count, 2))
    high = low + rng.uniform(0.3, 0.5, (count, 2))
    return (np.concatenate([low, high], 1) * [width, height, width, height]).astype(np.float32)


def batch_of(
    config: Config,
    counts: Sequence[int] = (4, 3),
    relations: Sequence[Sequence[tuple[int, int, int]]] = (((0, 1, 2), (2, 3, 1), (1, 0, 0)), ((0, 2, 3),)),
    mask_counts: Sequence[int] = (),
) -> dict[str, tf.Tensor]:
    """Noise: images with graphs, then images with masks. The second image is smaller than the first."""
    rng, of_all = np.random.default_rng(3), [*counts, *mask_counts]
    images, most = len(of_all), max([*of_all, 1])
    triples = [np.array(rows, np.int32).reshape(-1, 3) for rows in relations]
    triples += [np.zeros((0, 3), np.int32)] * (images - len(triples))
    sizes = [SIZES[number % 2] for number in range(images)]
    arrays: dict[str, Any] = {
        "image": np.zeros((images, *SIZES[0], 3), np.float32),
        "image_size": np.array(sizes, np.float32),
        "scale": np.ones(images, np.float32),
        "original_size": np.array(sizes, np.float32),
        "index": np.arange(images, dtype=np.int32) + 5,
        "domain": np.array([0] * len(counts) + [1] * len(mask_counts), np.int32),
        "gt_boxes": np.zeros((images, most, 4), np.float32),
        "gt_classes": np.zeros((images, most), np.int32),
        "gt_valid": np.arange(most)[None] < np.array(of_all)[:, None],
    }
    samples = []
    settings = PairSettings(len(WORDS.predicates), config.grounding.pairs, config.grounding.related_share)
    for number, (count, size) in enumerate(zip(of_all, sizes)):
        arrays["image"][number, : size[0], : size[1]] = rng.standard_normal((*size, 3)) * 60
        arrays["gt_boxes"][number, :count] = boxes_of(count, size, number)
        arrays["gt_classes"][number, :count] = rng.integers(2 if number >= len(counts) else 3, size=count)
        samples.append(sample_annotated_pairs(count, triples[number], settings, rng))
    if mask_counts:
        arrays["gt_masks"] = np.zeros((images, most, *SIZES[0]), np.uint8)
        for number in range(len(counts), images):
            for row, (x1, y1, x2, y2) in enumerate(arrays["gt_boxes"][number].astype(int)):
                arrays["gt_masks"][number, row, y1 : (y1 + y2) // 2, x1:x2] = 1
    padded = {
        "relations": triples,
        "pairs": [sample.pairs[: count * count] for sample, count in zip(samples, of_all)],
        "pair_predicates": [sample.predicates[: count * count] for sample, count in zip(samples, of_all)],
    }
    for key, rows in padded.items():
        longest = max(max(map(len, rows)), 1)
        arrays[key] = np.stack(
            [np.pad(row, [(0, longest - len(row)), *[(0, 0)] * (row.ndim - 1)]) for row in rows]
        ).astype(np.int32)
        valid = np.array([np.arange(longest) < len(row) for row in rows])
        arrays["relation_valid" if key == "relations" else "pair_valid"] = valid
    arrays["related"] = np.zeros((images, most, most), np.float32)
    for number, (sample, count) in enumerate(zip(samples, of_all)):
        arrays["related"][number, :count, :count] = sample.related
    return {key: tf.constant(value) for key, value in arrays.items()}


def without_shapes(batch: Mapping[str, tf.Tensor]) -> list[dict[str, tf.TensorSpec]]:
    """The signature of a function that knows no number of images or objects."""

    def shape(key: str, value: tf.Tensor) -> list[int | None]:
        return [*[None] * (len(value.shape) - 1), value.shape[-1] if key in KEPT else None]

    return [{key: tf.TensorSpec(shape(key, value), value.dtype, key) for key, value in batch.items()}]
