"""The files of `shapes150`: VG150's own, with COCO's masks of other pictures beside them.

VG-SGG.h5  VG-SGG-dicts.json  image_data.json  images/100000.jpg
zero_shot_triplets.npy                    see `dsg.datasets.formats.vg150_triplets`
auxiliary/annotations/instances_train.json, instances_val.json, train/, val/      COCO's, with masks
true_masks/annotations/instances_train.json, instances_test.json
                                          COCO's, of the graphs' pictures: to measure with, not to learn from
embeddings/glove_mean_vg.npy, glove_mean_coco.npy, glove.shapes.50d.txt     word vectors of the names
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dsg.datasets.formats.vg150_triplets import ZERO_SHOT, write_zero_shot, zero_shot_triplets
from dsg.datasets.formats.vg150_writing import GRAPH_FILE, StoredGraph, write_json, write_vg150
from dsg.datasets.shapes.graph_words import WIDTH, shape_word_vectors, words_text
from dsg.datasets.shapes.graphs import GRAPH_OBJECTS, GRAPHS, MASK_OBJECTS, MASKS, Graph
from dsg.datasets.shapes.instances import COCO_FILE, Solid, coco_content
from dsg.datasets.shapes.predicates import PREDICATES

IMAGES, AUXILIARY, TRUE_MASKS, EMBEDDINGS = "images", "auxiliary", "true_masks", "embeddings"
FIRST_ID = {"train": 100_000, "test": 200_000}  # image ids, none of which VG150 leaves out
LISTS = {"masks_train": "train", "masks_val": "val"}  # of the auxiliary pictures


def image_file(kind: str, number: int) -> str:
    """Where a picture lies in the data set's folder."""
    if kind in MASKS:
        return f"{AUXILIARY}/{LISTS[kind]}/{number:06d}.jpg"
    return f"{IMAGES}/{FIRST_ID[kind] + number}.jpg"


def write_graphs(folder: Path, graphs: Mapping[str, Sequence[Graph]], size: Sequence[int]) -> None:
    """VG150's files, and the zero-shot triplets.

    Args:
        folder: of the data set.
        graphs: of train and test, in order.
        size: width and height.
    """
    stored = [
        StoredGraph(
            {"image_id": FIRST_ID[kind] + number, "width": size[0], "height": size[1]},
            *(kind == "test", graph.boxes, graph.labels, graph.relations),
        )
        for kind in GRAPHS
        for number, graph in enumerate(graphs[kind])
    ]
    write_vg150(folder, stored, GRAPH_OBJECTS, PREDICATES)
    write_zero_shot(folder / ZERO_SHOT, zero_shot_triplets(folder / GRAPH_FILE))


def write_masks(folder: Path, solids: Mapping[str, Sequence[Sequence[Solid]]], size: Sequence[int]) -> None:
    """COCO's files: of the auxiliary pictures, and the true masks of the others.

    Args:
        folder: of the data set.
        solids: of every kind of picture, in order.
        size: width and height.
    """
    for kind, pictures in solids.items():
        own = kind in MASKS
        content = {Path(image_file(kind, number)).name: seen for number, seen in enumerate(pictures)}
        file = COCO_FILE.format(LISTS[kind] if own else kind)
        path = folder / (AUXILIARY if own else TRUE_MASKS) / file
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, coco_content(content, size, MASK_OBJECTS if own else GRAPH_OBJECTS))


def write_words(folder: Path, seed: int) -> None:
    """The word vectors, under the names of the release's."""
    place = folder / EMBEDDINGS
    place.mkdir()
    for file, names in (("glove_mean_vg", GRAPH_OBJECTS), ("glove_mean_coco", MASK_OBJECTS)):
        np.save(place / f"{file}.npy", shape_word_vectors(names, seed), allow_pickle=False)
    text = words_text(sorted({*GRAPH_OBJECTS, *MASK_OBJECTS}), seed)
    (place / f"glove.shapes.{WIDTH}d.txt").write_text(text, encoding="utf-8")
