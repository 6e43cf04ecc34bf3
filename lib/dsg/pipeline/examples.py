"""One example, step by step: `load_example` reads its image, `preprocess` makes the network's input and the
targets that need no network, `to_batch` joins several into a batch. NumPy only, each step callable from a
notebook; `pipeline` runs them in parallel.

The keys, shapes and types of what comes out are those of `dsg.pipeline.batch`, whose letters are used here (H
x W pixels, h x w cells, A anchors a cell, G boxes, Q queries). Every random choice comes from the generator
that `preprocess` is given.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dsg.boxes.anchors import anchor_grid
from dsg.config import Config
from dsg.config.names import PYRAMIDS
from dsg.datasets import ImageRecord, draw_predicates
from dsg.errors import UserError
from dsg.pipeline.anchor_targets import AnchorTargets, anchor_targets
from dsg.pipeline.batch import Batch
from dsg.pipeline.images import mirror, read_image, to_blob

Arrays = dict[str, np.ndarray]
"""One example's part of a batch: the keys of `dsg.pipeline.batch.Batch`, without the leading B."""

PADDING = {"gt_entities": -1, "gt_predicates": -1, "rpn_labels": -1}
"""What fills the padding where it is not zero (or False)."""

LISTS = {
    "queries": 1,
    "query_valid": 1,
    "gt_boxes": 1,
    "gt_valid": 1,
    "gt_entities": 1,
    "gt_classes": 1,
    "gt_masks": 1,
    "gt_predicates": 2,
    "gt_roles": 2,
    "true_masks": 1,
    "relations": 1,
    "relation_valid": 1,
    "pairs": 1,
    "pair_predicates": 1,
    "pair_valid": 1,
    "related": 2,
}
"""How many leading dimensions of a key count queries or boxes: these are padded to at least 1."""


@dataclass(frozen=True, eq=False)
class Example:
    """An image with what is known about it; both are mirrored if `record.flipped`."""

    image: np.ndarray  # uint8 [H, W, 3], B, G, R, original size
    record: ImageRecord
    index: int = 0  # position of the record in its data set


def load_example(record: ImageRecord, index: int = 0) -> Example:
    """The example of a record: its image is read (`load_image`), and mirrored if the record is.

    Raises:
        UserError: the image cannot be read, is not of the metadata's size, or the record has no query.
    """
    if not len(record.queries):
        raise UserError(f"{record.path}: no relationship to ask for; remove the image from the annotations")
    image = load_image(record.path, (record.width, record.height))
    return Example(mirror(image) if record.flipped else image, record, index)


def load_image(path: Path, size: tuple[int, int]) -> np.ndarray:
    """The image of a record, uint8 [H, W, 3], B, G, R, compared with the metadata's size.

    An image whose EXIF orientation says that it is to be turned is turned, as the release does, unless the
    metadata's size fits the image as it is stored: then the boxes refer to the stored pixels.

    Args:
        size: width and height as the metadata has them.

    Raises:
        UserError: the image cannot be read, or is not of that size.
    """
    image = read_image(path)
    expected = size[::-1]
    if image.shape[:2] == size != expected:
        image = read_image(path, upright=False)
    if image.shape[:2] != expected:
        height, width = image.shape[:2]
        raise UserError(
            f"{path}: the image is {width} x {height} pixels, its metadata says"
            f" {size[0]} x {size[1]}; its boxes cannot be trusted"
        )
    return image


def preprocess(
    example: Example, config: Config, rng: np.random.Generator | None = None, *, targets: bool = False
) -> Arrays:
    """The network's input and ground truth of one example.

    Args:
        example: what `load_example` gives.
        config: TRAIN.SCALES, MAX_SIZE, MAX_QUERIES and DATA.MULTI_PREDICATE are used with `rng`, TEST's first
            scale without.
        rng: makes the random choices of training, in this order: scale, predicates, queries, anchors. None:
            there are none, as in evaluation.
        targets: add the `rpn_*` keys. Always on with `rng`, never for pyramids, which match anchors in the
            graph.

    Returns:
        Every key of `dsg.pipeline.batch.Batch`, without B; `rpn_*` only with `rng` or `targets`.
    """
    record = example.record
    if rng is None:
        target, max_size = config.test.scales[0], config.test.max_size
    else:
        target, max_size = int(rng.choice(config.train.scales)), config.train.max_size
        record = _draw(record, config, rng)
    arrays = network_input(example.image, target, max_size, config.pixel_means, record.name, example.index)
    arrays.update(
        **_asked(record.queries),
        gt_boxes=record.boxes * arrays["scale"],
        gt_valid=np.ones(len(record.boxes), bool),
        gt_entities=record.entities,
        gt_predicates=record.predicates,
        gt_roles=record.roles,
    )
    if (targets or rng is not None) and config.backbone not in PYRAMIDS:
        found = rpn_targets(
            arrays["gt_boxes"], arrays["image"].shape[:2], config, rng or np.random.default_rng(0)
        )
        arrays.update(
            rpn_labels=found.labels.astype(np.int32), rpn_deltas=found.deltas, rpn_weights=found.outside
        )
    return arrays


def preprocess_image(
    image: np.ndarray, queries: Sequence[Sequence[int]], config: Config, *, name: str = "", index: int = 0
) -> Arrays:
    """What `preprocess` gives, without ground truth, for an image uint8 [H, W, 3] in B, G, R order."""
    asked = np.asarray(queries, np.int32).reshape(-1, 3)
    limits = config.test.scales[0], config.test.max_size
    return {**network_input(image, *limits, config.pixel_means, name, index), **_asked(asked)}


def network_input(
    image: np.ndarray, target: int, max_size: int, pixel_means: Sequence[float], name: str, index: int
) -> Arrays:
    """The keys that every batch has: image, image_size, scale, index, name."""
    blob, scale = to_blob(image, target, max_size, pixel_means)
    return {
        "image": blob,
        "image_size": np.array(blob.shape[:2], np.float32),
        "scale": np.array(scale, np.float32),
        "index": np.array(index, np.int32),
        "name": np.array(name.encode("utf-8", "replace"), object),
    }


def to_batch(examples: Sequence[Arrays]) -> Batch:
    """One batch of examples: images padded to the largest at the bottom and at the right, lists to the
    longest.

    Args:
        examples: results of `preprocess` (or of `preprocess_image`) with the same keys; at least one.
    """
    batch = {key: _stack([example[key] for example in examples], key) for key in examples[0]}
    return Batch(**batch)  # type: ignore[typeddict-item]


def rpn_targets(
    gt_boxes: np.ndarray,
    image_size: tuple[int, ...],
    config: Config,
    rng: np.random.Generator,
    *,
    exact: bool = False,
) -> AnchorTargets:
    """What the anchors of one image should say, on the grid of the image's own size, whatever it will be
    padded to.

    Args:
        gt_boxes: float32 [G, 4], pixels of the network's input.
        image_size: (height, width) of the network's input.
        config: ANCHOR_*, FEATURE_STRIDE and TRAIN.RPN_*.
        rng: chooses the anchors that are trained on.
        exact: boxes overlap with widths x2 - x1; otherwise, as in the release, with a pixel more.
    """
    height, width = image_size
    grid = feature_size(height, width, config.feature_stride)
    train = config.train
    anchors = _anchors(grid, config.feature_stride, config.anchor_scales, config.anchor_ratios)
    return anchor_targets(
        anchors,
        gt_boxes,
        (height, width),
        grid,
        batch_size=train.rpn_batchsize,
        fg_fraction=train.rpn_fg_fraction,
        positive_overlap=train.rpn_positive_overlap,
        negative_overlap=train.rpn_negative_overlap,
        clobber_positives=train.rpn_clobber_positives,
        positive_weight=train.rpn_positive_weight,
        exact=exact,
        rng=rng,
    )


def feature_size(height: int, width: int, stride: int) -> tuple[int, int]:
    """Rows and columns of the feature map of an image: every halving of the trunk rounds up.

    Example:
        >>> feature_size(600, 1000, 16), feature_size(1, 17, 8)
        ((38, 63), (1, 3))
    """
    return -(-height // stride), -(-width // stride)


def _draw(record: ImageRecord, config: Config, rng: np.random.Generator) -> ImageRecord:
    """The record with this epoch's choice of predicates and queries."""
    if config.data.multi_predicate == "sample_each_epoch":
        legacy = np.random.RandomState(int(rng.integers(2**32)))
        record = replace(record, predicates=draw_predicates(record.triples, len(record.boxes), legacy))
    limit = config.train.max_queries
    if 0 < limit < len(record.queries):
        chosen = np.sort(rng.choice(len(record.queries), limit, replace=False))
        per_query = ("queries", "roles", "subject_masks", "object_masks")
        record = replace(record, **{key: getattr(record, key)[chosen] for key in per_query})
    return record


def _asked(queries: np.ndarray) -> Arrays:
    return {"queries": queries, "query_valid": np.ones(len(queries), bool)}


def _stack(arrays: list[np.ndarray], key: str) -> np.ndarray:
    """[B, ...], each array padded at its ends to the largest."""
    shapes = {array.shape for array in arrays}
    largest = np.max([array.shape for array in arrays], axis=0).astype(int)
    counted = LISTS.get(key, 0)
    largest[:counted] = np.maximum(largest[:counted], 1)
    if shapes == {tuple(largest)}:
        return arrays[0][None] if len(arrays) == 1 else np.stack(arrays)
    batch = np.full((len(arrays), *largest), PADDING.get(key, 0), arrays[0].dtype)
    for row, array in zip(batch, arrays):
        row[tuple(slice(side) for side in array.shape)] = array
    return batch


@functools.lru_cache(maxsize=64)
def _anchors(
    grid: tuple[int, int], stride: int, scales: tuple[float, ...], ratios: tuple[float, ...]
) -> np.ndarray:
    """The network's `anchor_grid`, cached: most images of a data set have one of a few sizes."""
    anchors = anchor_grid(*grid, stride, scales, ratios)
    anchors.flags.writeable = False
    return anchors
