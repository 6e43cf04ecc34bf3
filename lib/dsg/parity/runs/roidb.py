"""Annotations to training entries, mirror images included; the annotations stand in `roidb_input.json` beside
the file.
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
from dsg.parity.golden import Golden


def run(golden: Golden, *_: Any) -> Checks:
    """All entries in the file."""
    checks = Checks(golden)
    checks.given("np_random_seed")
    first = next((key.split("/")[0] for key in golden if key.endswith("/partial_relation_class")), "00")
    entities = golden[f"{first}/partial_entity_class"].shape[-1]
    predicates = golden[f"{first}/partial_relation_class"].shape[-1]
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
    path = golden.path.with_name("roidb_input.json")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return dict(content["annotations"]), dict(content["image_metadata"])
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: the annotations of {golden.path.name} should be there ({error})") from error


def _records(
    golden: Golden, annotations: dict[str, Any], metadata: dict[str, Any], entities: int, predicates: int
) -> list[ImageRecord]:
    """Every annotated image's record, then every mirror image's."""
    vocabulary = Vocabulary(tuple(map(str, range(entities))), tuple(map(str, range(predicates))))
    rng = np.random.RandomState(int(golden.number("np_random_seed")))
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
