"""Data sets of referring relationships, of objects and of scene graphs, from their files to records.

catalogue  known data sets and their folders            remedies  commands that fetch what is missing
formats/   reading and checking their files             splits    which image is in which split
table/     annotations as flat arrays, cached           mirror    mirror images
source     the images of a split, and what is left out  records   the result, image by image
loader     `load_dataset`: all of these in order        shapes/   generates a data set
kept       caches of what takes long to read
instance_*, detection   data sets of objects: where they lie, tables, and `load_instances`
scene_graph_layout, scene_graphs   data sets of scene graphs: where they lie, and `load_graphs`
"""

from __future__ import annotations

from dsg.datasets.loader import load_dataset
from dsg.datasets.mirror import mirror_map, mirrored
from dsg.datasets.records import Dataset, ImageRecord, Vocabulary, ambiguous, annotated_pairs
from dsg.datasets.roidb import draw_predicates

__all__ = [
    "Dataset",
    "ImageRecord",
    "Vocabulary",
    "ambiguous",
    "annotated_pairs",
    "draw_predicates",
    "load_dataset",
    "mirror_map",
    "mirrored",
]
