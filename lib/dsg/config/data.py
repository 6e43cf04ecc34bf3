"""Options about data, `DATA.*`."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.config.option import NOT_NEGATIVE, option


@dataclass(frozen=True)
class DataConfig:
    """Where annotations and images come from, and how they are read."""

    dir: str = option("data", "Folder of the data sets, or one data set's own folder.")
    split_rule: str = option(
        "rr",
        "Validation images are the last tenth of the sorted image names (rr), or as the release shuffles "
        "them (dsg).",
        ("rr", "dsg"),
    )
    multi_predicate: str = option(
        "sample_once",
        "A pair with several predicates keeps one, drawn when the data are loaded or again every epoch.",
        ("sample_once", "sample_each_epoch"),
    )
    max_images: int = option(0, "Use only the first N images of a split (0: all).", within=NOT_NEGATIVE)
    workers: int = option(0, "Parallel image readers (0: one per processor).", within=NOT_NEGATIVE)
