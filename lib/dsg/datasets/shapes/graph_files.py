"""The files of `shapes150`: VG150's own, with COCO's masks of other pictures beside them.

VG-SGG.h5  VG-SGG-dicts.json  image_data.json  images/100000.jpg
zero_shot_triplets.npy                    see `dsg.datasets.formats.vg150_triplets`
auxiliary/annotations/instances_train.json, instances_val.json, train/, val/      COCO's, with masks
true_masks/annotations/instances_train.json, instances_test.json
                                          COCO's, of the graphs' pictures: to measure with, not to learn from
embeddings/glove_mean_vg.npy, glove_mean_coco.npy, glove.shapes.50d.txt     word vectors of the names
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from dsg.datasets.formats.vg150 import LONGER_SIDE, TEST, TRAIN
from dsg.datasets.formats.vg150_triplets import ZERO_SHOT, write_zero_shot, zero_shot_triplets
from dsg.datasets.shapes.graph_words import WIDTH, shape_word_vectors, words_text
from dsg.datasets.shapes.graphs import GRAPH_OBJECTS, GRAPHS, MASK_OBJECTS, MASKS, Graph
from dsg.datasets.shapes.instances import COCO_FILE, Solid, coco_content
from dsg.datasets.shapes.predicates import PREDICATES

GRAPH_FILE, DICTIONARY, IMAGE_DATA, IMAGES = "VG-SGG.h5", "VG-SGG-dicts.json", "image_data.json", "images"
AUXILIARY, TRUE_MASKS, EMBEDDINGS = "auxiliary", "true_masks", "embeddings"
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
    everything = [graph for kind in GRAPHS for graph in graphs[kind]]
    ids = [FIRST_ID[kind] + number for kind in GRAPHS for number in range(len(graphs[kind]))]
    splits = np.repeat([TRAIN, TEST], [len(graphs[kind]) for kind in GRAPHS])
    boxes, relations = [len(graph.boxes) for graph in everything], [len(g.relations) for g in everything]
    first_box, first_relation = np.cumsum([0, *boxes[:-1]]), np.cumsum([0, *relations[:-1]])
    arrays: dict[str, np.ndarray] = {
        "split": splits,
        "labels": np.concatenate([graph.labels for graph in everything])[:, None] + 1,
        "relationships": np.concatenate(
            [graph.relations[:, :2] + first for graph, first in zip(everything, first_box)]
        ),
        "predicates": np.concatenate([graph.relations[:, 2:] for graph in everything]) + 1,
    }
    for name, counts, first in (("box", boxes, first_box), ("rel", relations, first_relation)):
        some = np.array(counts) > 0
        arrays[f"img_to_first_{name}"] = np.where(some, first, -1)
        arrays[f"img_to_last_{name}"] = np.where(some, first + counts - 1, -1)
    corners = np.concatenate([graph.boxes for graph in everything])
    for side in (LONGER_SIDE, LONGER_SIDE // 2):
        arrays[f"boxes_{side}"] = _centred(corners * (side / max(size)))
    with h5py.File(folder / GRAPH_FILE, "w") as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=values.astype(np.int32), track_times=False)
    write_json(folder / DICTIONARY, _dictionary(arrays))
    sizes = {"width": size[0], "height": size[1]}
    write_json(folder / IMAGE_DATA, [{"image_id": identity, **sizes} for identity in ids])
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


def write_json(path: Path, content: Any) -> None:
    """Write without blanks."""
    path.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")


def _centred(corners: np.ndarray) -> np.ndarray:
    """Whole numbers cx, cy, w, h [B, 4], whose corners as the reader computes them are the nearest."""
    low = np.rint(corners[:, :2]).astype(np.int64)
    sides = np.maximum(np.rint(corners[:, 2:]).astype(np.int64) - low, 1)
    # Halves go towards zero when read: the middle is rounded up.
    return np.concatenate([low + (sides + 1) // 2, sides], 1)


def _dictionary(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    content: dict[str, dict[str, Any]] = {}
    for kind, names, numbers in (
        ("label", GRAPH_OBJECTS, arrays["labels"]),
        ("predicate", PREDICATES, arrays["predicates"]),
    ):
        counts = Counter(numbers.ravel().tolist())
        content[f"{kind}_to_idx"] = {name: number for number, name in enumerate(names, 1)}
        content[f"idx_to_{kind}"] = {str(number): name for number, name in enumerate(names, 1)}
        of_whom = "object" if kind == "label" else kind
        content[f"{of_whom}_count"] = {name: counts[number] for number, name in enumerate(names, 1)}
    return content
