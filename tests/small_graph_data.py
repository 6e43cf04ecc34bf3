"""A few generated pictures with graphs, as files, for the commands that read them."""

from __future__ import annotations

import functools
from pathlib import Path

from dsg.datasets.records import Vocabulary
from dsg.datasets.scene_graphs import load_graphs
from dsg.datasets.shapes.graph_generator import generate_graphs
from dsg.datasets.shapes.graphs import MASK_OBJECTS


def make_graphs(folder: Path, test: int = 3) -> Path:
    """`shapes150` in a folder of data sets, small."""
    settings = {"size": (96, 64), "objects": (3, 4), "workers": 1, "progress": False}
    return generate_graphs(folder / "shapes150", train=4, test=test, masks=1, **settings)


@functools.cache
def words_of(folder: Path) -> Vocabulary:
    """The vocabulary of its data set with masks, too."""
    known = load_graphs(folder, "test").vocabulary
    return Vocabulary(known.objects, known.predicates, tuple(MASK_OBJECTS))
