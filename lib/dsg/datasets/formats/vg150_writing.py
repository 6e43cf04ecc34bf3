"""VG150's files from graphs: the arrays, the dictionary and the images' sizes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dsg.datasets.formats.vg150 import LONGER_SIDE, TEST, TRAIN

GRAPH_FILE, DICTIONARY, IMAGE_DATA = "VG-SGG.h5", "VG-SGG-dicts.json", "image_data.json"


class StoredGraph(NamedTuple):
    """An image as VG150 stores it."""

    entry: dict[str, Any]  # of image_data.json: image_id, width, height
    test: bool
    boxes: np.ndarray  # [B, 4] x1 y1 x2 y2 in its pixels
    labels: np.ndarray  # int [B], from 0
    relations: np.ndarray  # int [T, 3]: subject, object, predicate, from 0


def write_vg150(
    folder: Path, graphs: Sequence[StoredGraph], objects: Sequence[str], predicates: Sequence[str]
) -> None:
    """Write the three files. Boxes become whole numbers where the longer side of their image is 1024.

    Args:
        folder: exists.
        graphs: at least one, in order.
        objects, predicates: names by number.

    Raises:
        OSError: a file cannot be written.
    """
    import h5py

    arrays = _arrays(graphs)
    with h5py.File(folder / GRAPH_FILE, "w") as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=values.astype(np.int32), track_times=False)
    write_json(folder / DICTIONARY, _dictionary(arrays, objects, predicates))
    write_json(folder / IMAGE_DATA, [graph.entry for graph in graphs])


def write_json(path: Path, content: Any) -> None:
    """Write without blanks."""
    path.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")


def _arrays(graphs: Sequence[StoredGraph]) -> dict[str, np.ndarray]:
    boxes, relations = [len(graph.boxes) for graph in graphs], [len(graph.relations) for graph in graphs]
    first_box, first_relation = np.cumsum([0, *boxes[:-1]]), np.cumsum([0, *relations[:-1]])
    arrays: dict[str, np.ndarray] = {
        "split": np.array([TEST if graph.test else TRAIN for graph in graphs]),
        "labels": np.concatenate([graph.labels for graph in graphs])[:, None] + 1,
        "relationships": np.concatenate(
            [graph.relations[:, :2] + first for graph, first in zip(graphs, first_box)]
        ),
        "predicates": np.concatenate([graph.relations[:, 2:] for graph in graphs]) + 1,
    }
    for name, counts, first in (("box", boxes, first_box), ("rel", relations, first_relation)):
        some = np.array(counts) > 0
        arrays[f"img_to_first_{name}"] = np.where(some, first, -1)
        arrays[f"img_to_last_{name}"] = np.where(some, first + counts - 1, -1)
    for side in (LONGER_SIDE, LONGER_SIDE // 2):
        scaled = [graph.boxes * (side / max(graph.entry["width"], graph.entry["height"])) for graph in graphs]
        arrays[f"boxes_{side}"] = _centred(np.concatenate(scaled))
    return arrays


def _centred(corners: np.ndarray) -> np.ndarray:
    """Whole numbers cx, cy, w, h [B, 4], whose corners as the reader computes them are the nearest."""
    low = np.rint(corners[:, :2]).astype(np.int64)
    sides = np.maximum(np.rint(corners[:, 2:]).astype(np.int64) - low, 1)
    # Halves go towards zero when read: the middle is rounded up.
    return np.concatenate([low + (sides + 1) // 2, sides], 1)


def _dictionary(
    arrays: dict[str, np.ndarray], objects: Sequence[str], predicates: Sequence[str]
) -> dict[str, dict[str, Any]]:
    content: dict[str, dict[str, Any]] = {}
    for kind, names, numbers in (
        ("label", objects, arrays["labels"]),
        ("predicate", predicates, arrays["predicates"]),
    ):
        counts = Counter(numbers.ravel().tolist())
        content[f"{kind}_to_idx"] = {name: number for number, name in enumerate(names, 1)}
        content[f"idx_to_{kind}"] = {str(number): name for number, name in enumerate(names, 1)}
        of_whom = "object" if kind == "label" else kind
        content[f"{of_whom}_count"] = {name: counts[number] for number, name in enumerate(names, 1)}
    return content
