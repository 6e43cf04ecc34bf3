"""Data sets of referring relationships, from their files to records.

catalogue  which there are, and where they lie          remedies  how what is missing is fetched
formats/   what stands in their files, checked          splits    which image is in which split
table/     all of it in flat arrays, cached             mirror    mirror images
source     the images of a split, and what is left out  records   what comes out, image by image
loader     `load_dataset`: all of these in their order  shapes/   generates a data set
"""

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
