"""What the demonstration asks about: images of a small data set with known answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dsg.apps.ask.scenes import Scene
from dsg.datasets import ImageRecord, Vocabulary, ambiguous, load_dataset
from dsg.errors import UserError
from dsg.pipeline.images import read_image


def bundled_scenes(
    folder: Path, vocabulary: Vocabulary, queries: Sequence[Sequence[int]] = ()
) -> list[Scene]:
    """The test split of a data set's folder, with the given queries or with some of the annotated ones.

    Raises:
        UserError: the data set cannot be read, or has another vocabulary.
    """
    dataset = load_dataset(folder, "test")
    if dataset.vocabulary != vocabulary:
        raise UserError(
            f"{folder}: its categories or predicates differ from the snapshot's; use `dsg ask` for other "
            "images"
        )
    asked = np.array(queries, np.int32).reshape(-1, 3)
    return [
        Scene(
            Path(record.name).stem,
            read_image(record.path),
            asked if len(asked) else record.queries[shown_queries(record)],
            record,
            str(record.path),
        )
        for record in dataset.records
    ]


def shown_queries(record: ImageRecord, count: int = 4) -> list[int]:
    """Positions of some annotated queries: half of them ambiguous ones between two categories, a quarter
    within a category, a quarter unambiguous; more of one kind where another is rare.
    """
    within = record.queries[:, 0] == record.queries[:, 2]
    flags = ambiguous(record)
    kinds = [np.flatnonzero(chosen) for chosen in (flags & ~within, flags & within, ~flags)]
    picked: list[int] = []
    for kind, wanted in zip(kinds, (count // 2, count // 4, count // 4)):
        wanted = min(wanted, len(kind))
        picked += [int(kind[(2 * index + 1) * len(kind) // (2 * wanted)]) for index in range(wanted)]
    rest = [int(index) for kind in kinds for index in kind if index not in picked]
    return picked + rest[: count - len(picked)]
