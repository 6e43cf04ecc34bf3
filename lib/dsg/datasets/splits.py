"""Which images belong to which split where a data set comes without a validation file.

`rr`: the last tenth of the train images, sorted by name, is for validation. `dsg`: what the DSG release does,
which shuffles the train images together with their mirror images, takes the last tenth for validation, and
then takes everything out of train that shows an image of the validation part.
"""

from __future__ import annotations

import random

SPLITS = ("train", "validation", "test", "trainval")
SPLIT_RULES = ("rr", "dsg")
VALIDATION_SHARE = 0.1


def rr_split(names: list[str]) -> tuple[list[str], list[str]]:
    """(train, validation) of image names; both in the order of `names`."""
    kept = max(int(len(names) * (1 - VALIDATION_SHARE)), min(len(names), 1))
    validation = set(sorted(names)[kept:])
    return [name for name in names if name not in validation], [name for name in names if name in validation]


def dsg_split(names: list[str], seed: int) -> tuple[list[int], list[int]]:
    """(train, validation) as positions in `names`, both in shuffled order.

    Args:
        names: the image of every entry; with mirror images each name is there twice.
    """
    order = list(range(len(names)))
    random.Random(seed).shuffle(order)
    kept = int(len(order) * (1.0 - VALIDATION_SHARE))
    validation = order[kept:]
    seen = {names[position] for position in validation}
    return [position for position in order[:kept] if names[position] not in seen], validation
