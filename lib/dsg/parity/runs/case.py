"""A whole network's case from a golden file: its configuration, and its batch made as the input pipeline
makes one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from dsg.config import Config, load_config
from dsg.datasets.records import OBJECT, OTHER, SUBJECT, ImageRecord
from dsg.errors import UserError
from dsg.parity.golden import MAX_SEED, Golden
from dsg.pipeline.batch import Batch
from dsg.pipeline.examples import Arrays, Example, preprocess, rpn_targets, to_batch

DEPTHS = (50, 101, 152)
SIDES = (16, 10_000)  # pixels that an image is scaled to
INPUTS = (
    r"input/(image_bgr_u8|target_size|max_size|num_layers|np_random_seed|boxes_orig|source_photo)",
    r"input/(query|gt_labels|partial_entity_class|partial_relation_class)",
)


class Case(NamedTuple):
    """What the file says goes in."""

    config: Config
    num_entities: int
    num_predicates: int
    record: ImageRecord
    arrays: Arrays  # what the pipeline makes of it
    seed: int

    @property
    def size(self) -> np.ndarray:
        """Width, height, width, height of the network's input, float32."""
        height, width = self.arrays["image"].shape[:2]
        return np.array([width, height, width, height], np.float32)

    @property
    def batch(self) -> Batch:
        """The batch of one image as tensors."""
        arrays = to_batch(
            [{key: value for key, value in self.arrays.items() if key not in ("name", "index")}]
        )
        return Batch(**{key: tf.constant(value) for key, value in arrays.items()})  # type: ignore[typeddict-item]


def read_case(golden: Golden, settings: Path | None = None) -> Case:
    """The case in a forward file.

    Args:
        golden: a file of the kind `forward`.
        settings: folder of the nets' configuration files; without one the schema's defaults are the
            release's.

    Raises:
        UserError: an input is missing or not of the format.
    """
    depth = golden.number("input/num_layers")
    if depth not in DEPTHS:
        raise UserError(f"{golden.path}: input/num_layers is {depth:g}, there are nets of {DEPTHS} layers")
    image = golden.array("input/image_bgr_u8", None, None, 3, low=0, high=255, whole=True)
    entity_rows = golden.array("input/partial_entity_class", None, None, low=0, high=1)
    boxes, num_entities = entity_rows.shape
    predicate_rows = golden.array("input/partial_relation_class", boxes, boxes, None, low=0, high=1)
    num_predicates = predicate_rows.shape[-1]
    given = golden.array("input/gt_labels", None, boxes, 1, low=0, high=OTHER, whole=True)
    roles = given[..., 0].astype(np.int32)
    record = ImageRecord(
        name=str(golden["input/source_photo"]) if "input/source_photo" in golden else golden.path.name,
        path=golden.path,
        width=image.shape[1],
        height=image.shape[0],
        boxes=golden.array("input/boxes_orig", boxes, 4).astype(np.float32),
        entities=_labels(golden, "input/partial_entity_class", entity_rows),
        predicates=_labels(golden, "input/partial_relation_class", predicate_rows),
        queries=_queries(golden, num_entities, num_predicates),
        roles=roles,
        subject_masks=roles == SUBJECT,
        object_masks=roles == OBJECT,
        triples=np.zeros((0, 3), np.int32),
    )
    if len(roles) != len(record.queries):
        raise UserError(
            f"{golden.path}: {len(roles)} rows of input/gt_labels for {len(record.queries)} queries"
        )
    config = _config(golden, f"res{int(depth)}", settings)
    arrays = preprocess(Example(image.astype(np.uint8, copy=False), record), config)
    # The release scaled the boxes; a last bit of difference could decide a tie between anchors.
    arrays["gt_boxes"] = golden.array("input/gt_boxes", boxes, 4).astype(np.float32)
    seed = golden.integer("input/np_random_seed", 0, MAX_SEED)
    targets = rpn_targets(arrays["gt_boxes"], arrays["image"].shape[:2], config, _legacy_rng(seed))
    arrays.update(
        rpn_labels=targets.labels.astype(np.int32), rpn_deltas=targets.deltas, rpn_weights=targets.outside
    )
    return Case(config, num_entities, num_predicates, record, arrays, seed)


def _legacy_rng(seed: int) -> Any:
    """The generator behind `np.random.seed(seed)`, whose draws the release's are."""
    return np.random.RandomState(seed)


def _config(golden: Golden, net: str, settings: Path | None) -> Config:
    target, longest = (str(golden.integer(f"input/{key}", *SIDES)) for key in ("target_size", "max_size"))
    file = None if settings is None else settings / f"{net}.yml"
    overrides = ["BACKBONE", net]
    for mode in ("TRAIN", "TEST"):
        overrides += [f"{mode}.SCALES", target, f"{mode}.MAX_SIZE", longest]
    return load_config([file] if file is not None and file.exists() else [], overrides)


def _queries(golden: Golden, num_entities: int, num_predicates: int) -> np.ndarray:
    """int32 [Q, 3] from one-hot rows [subject | predicate | object]."""
    rows = golden.array("input/query", None, 2 * num_entities + num_predicates, low=0, high=1)
    parts = np.split(rows, [num_entities, num_entities + num_predicates], axis=1)
    if not all((part.sum(1) == 1).all() for part in parts):
        raise UserError(
            f"{golden.path}: a row of input/query is not one-hot in subject, predicate and object"
        )
    return np.stack([part.argmax(1) for part in parts], -1).astype(np.int32)


def _labels(golden: Golden, key: str, rows: np.ndarray) -> np.ndarray:
    """int32 class of each one-hot row, -1 for a row of zeros."""
    if (rows.astype(bool).sum(-1) > 1).any():
        raise UserError(f"{golden.path}: {key} names several classes in one place; the format knows one")
    return np.where(rows.any(-1), rows.argmax(-1), -1).astype(np.int32)
