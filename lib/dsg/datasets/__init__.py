"""Data sets of referring relationships: loading, checking, splitting them, and generating `shapes`."""

from __future__ import annotations

from dsg.datasets.loader import load_dataset
from dsg.datasets.mirror import mirror_map, mirrored
from dsg.datasets.records import Dataset, ImageRecord, Vocabulary, ambiguous
from dsg.datasets.roidb import draw_predicates

__all__ = [
    "Dataset",
    "ImageRecord",
    "Vocabulary",
    "ambiguous",
    "draw_predicates",
    "load_dataset",
    "mirror_map",
    "mirrored",
]
