"""Annotations to training entries, mirror images included. The annotations of `NAME.npz` stand beside it in
`NAME_input.json`, or in `roidb_input.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from dsg.datasets.mirror import mirrored
from dsg.datasets.records import ImageRecord, Vocabulary
from dsg.datasets.roidb import build_record
from dsg.errors import UserError
from dsg.parity.checks import EXACT, Checks
from dsg.parity.golden import MAX_SEED, Golden


def run(golden: Golden, *_: Any) -> Checks:
    """All entries in the file."""
    checks = Checks(golden)
    checks.given("np_random_seed")
    first = next((key.split("/")[0] for key in golden if key.endswith("/partial_relation_class")), "00")
    options: dict[str, Any] = {"empty": True, "finite": False}  # an image without boxes has a vocabulary, too
    entities = golden.array(f"{first}/partial_entity_class", None, None, **options).shape[-1]
    predicates = golden.array(f"{first}/partial_relation_class", None, None, None, **options).shape[-1]
    annotations, metadata = _annotations(golden)
    records = _records(golden, annotations, metadata, entities, predicates)
    plain = [record for record in records if not record.flipped]
    checks.compare("image_index", np.array([record.name for record in plain]), EXACT)
    checks.compare("widths", np.array([size["width"] for size in metadata.values()]), EXACT)
    for number, record in enumerate(records):
        for key, value in _entry(record, entities, predicates).items():
            checks.compare(f"{number:02d}/{key}", value, EXACT)
    checks.skip("classes", "names of the four roles, which the library holds as numbers")
    return checks.finish()


def _annotations(golden: Golden) -> tuple[dict[str, Any], dict[str, Any]]:
    """Annotations and metadata by image, as the data set ships them."""
    own, common = (golden.path.with_name(f"{name}_input.json") for name in (golden.path.stem, "roidb"))
    path = own if own.exists() else common
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        annotations, metadata = dict(content["annotations"]), dict(content["image_metadata"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        names = " or ".join(dict.fromkeys((own.name, common.name)))
        raise UserError(
            f"{path}: the annotations of {golden.path.name} should be there, as {names} ({error})"
        ) from error
    for name, size in metadata.items():
        sides = [size.get(side) for side in ("width", "height")] if isinstance(size, dict) else [None]
        if not all(isinstance(side, int) and side > 0 for side in sides):
            raise UserError(f"{path}: image_metadata has no width and height of {name}, but {size!r}")
        if not isinstance(annotations.get(name, []), list):
            raise UserError(f"{path}: the annotations of {name} are no list of relationships")
    return annotations, metadata


def _records(
    golden: Golden, annotations: dict[str, Any], metadata: dict[str, Any], entities: int, predicates: int
) -> list[ImageRecord]:
    """Every annotated image's record, then every mirror image's."""
    vocabulary = Vocabulary(tuple(map(str, range(entities))), tuple(map(str, range(predicates))))
    rng = np.random.RandomState(golden.integer("np_random_seed", 0, MAX_SEED))
    records = [
        build_record(
            name,
            Path(name),
            (size["width"], size["height"]),
            annotations[name],
            vocabulary,
            rng,
            lambda *_: None,
            keep_outside=True,
        )
        for name, size in metadata.items()
        if name in annotations
    ]
    return records + [mirrored(record) for record in records]


def _entry(record: ImageRecord, entities: int, predicates: int) -> dict[str, np.ndarray]:
    """The record in the release's form."""
    subject, predicate, object_ = record.queries.T
    parts = [_one_hot(subject, entities), _one_hot(predicate, predicates), _one_hot(object_, entities)]
    other = ~record.subject_masks & ~record.object_masks
    overlaps = np.stack([np.zeros_like(other), record.subject_masks, record.object_masks, other], -1)
    return {
        "image": np.array(record.name),
        "flipped": np.array(record.flipped),
        "width_height": np.array([record.width, record.height]),
        "boxes": record.boxes,
        "gt_classes": record.roles[..., None],
        "query": np.concatenate(parts, 1),
        "partial_entity_class": _one_hot(record.entities, entities),
        "partial_relation_class": _one_hot(record.predicates, predicates),
        "gt_overlaps": overlaps,
        "max_classes": overlaps.argmax(-1),
        "max_overlaps": overlaps.max(-1),
    }


def _one_hot(classes: np.ndarray, count: int) -> np.ndarray:
    """float32 one-hot rows; -1 gives zeros."""
    return (classes[..., None] == np.arange(count)).astype(np.float32)
