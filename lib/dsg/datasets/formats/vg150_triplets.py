"""Triplets of labels that the test split has and training never: what zero-shot recall is measured on.

In files, as in the release, a row is the numbers of the subject's category, the object's, and the predicate,
from 1; here they are from 0. The release's own file is PyTorch's, ours NumPy's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dsg.datasets.formats.vg150 import TEST, TRAIN, read_graph_arrays
from dsg.errors import UserError
from dsg.runtime.arrays import DAMAGE, read_npy, reason_of

ZERO_SHOT = "zero_shot_triplets.npy"


def zero_shot_triplets(graphs: Path) -> np.ndarray:
    """From the splits themselves, validation being part of training: int32 [Z, 3], sorted.

    Raises:
        UserError: the file is missing or damaged.
    """
    arrays = read_graph_arrays(graphs)
    boxes = arrays["relationships"]
    if boxes.size and not 0 <= boxes.min() <= boxes.max() < len(arrays["labels"]):
        raise UserError(f"{graphs}: relates boxes that it does not have; fetch it again")
    labels = arrays["labels"][:, 0]
    triplets = np.stack([labels[boxes[:, 0]], labels[boxes[:, 1]], arrays["predicates"][:, 0]], 1)
    triplets = triplets.astype(np.int64) - 1
    split = _split_of_relations(arrays)
    known = {tuple(row) for row in np.unique(triplets[split == TRAIN], axis=0).tolist()}
    tested = np.unique(triplets[split == TEST], axis=0).tolist()
    return np.array([row for row in tested if tuple(row) not in known], np.int32).reshape(-1, 3)


def read_zero_shot(path: Path, objects: int, predicates: int) -> np.ndarray:
    """From a file: int32 [Z, 3], in its order.

    Raises:
        UserError: it is missing, damaged, or has numbers that the vocabulary has not.
    """
    try:
        triplets = read_npy(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except DAMAGE as error:
        raise UserError(f"{path}: not a readable array ({reason_of(error)})") from None
    limits = np.array([objects, objects, predicates])
    if triplets.ndim != 2 or triplets.shape[1] != 3 or triplets.dtype.kind not in "iu":
        raise UserError(
            f"{path}: is {triplets.dtype} {list(triplets.shape)}; whole numbers [*, 3] are needed"
        )
    if ((triplets < 1) | (triplets > limits)).any():
        raise UserError(
            f"{path}: numbers outside 1 to {objects} categories and {predicates} predicates; the file must "
            "be of this data set"
        )
    return triplets.astype(np.int32) - 1


def write_zero_shot(path: Path, triplets: np.ndarray) -> None:
    """Write what `zero_shot_triplets` gave."""
    np.save(path, triplets.astype(np.int64) + 1, allow_pickle=False)


def _split_of_relations(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """In which split each relation is: int64 [#rel], -1 those of no image."""
    result = np.full(len(arrays["predicates"]), -1, np.int64)
    first, last = arrays["img_to_first_rel"], arrays["img_to_last_rel"]
    for row in np.flatnonzero(first >= 0).tolist():
        result[first[row] : last[row] + 1] = arrays["split"][row]
    return result
