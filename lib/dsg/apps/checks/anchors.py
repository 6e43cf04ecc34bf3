"""What the anchors of a net reach in a data set, as training would say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dsg.config import Config, automatic, flatten
from dsg.datasets import Dataset
from dsg.errors import UserError
from dsg.pipeline.anchor_choice import advice, reach, seen_boxes, with_anchors

TRAIN = "train"


def anchor_lines(net: str, config: Config, datasets: Mapping[str, Dataset]) -> Iterator[str]:
    """A line for each split, after one with the values that `auto` stands for, and before one with the remedy
    where the anchors reach few of the boxes to train on.

    Args:
        net: its name.
        config: its options; not those of a baseline, which has no anchors.
        datasets: splits by name, none of them empty.
    """
    requested = automatic(config)
    if requested and TRAIN not in datasets:
        yield f"{net}: {' and '.join(requested)} auto: there are no boxes to train on"
        return
    if requested:
        try:
            config = with_anchors(config, datasets[TRAIN])
        except UserError as error:
            yield f"{net}: {error}"
            return
        values = flatten(config)
        yield f"{net}: " + " ".join(f"{name} {list(values[name])}" for name in requested)
    remedy = ""
    for split, dataset in datasets.items():
        seen = seen_boxes(dataset, config)
        reached = reach(seen, config)
        yield f"{net}: {reached.text(split)}{seen.note}"
        remedy = advice(seen, config, reached) if split == TRAIN else remedy
    if remedy:
        yield f"{net}: boxes that no anchor reaches are hard to find: {remedy}"
