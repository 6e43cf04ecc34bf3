"""Masks of categories that have none to learn from, out of those of the categories that have (eq. 3 and 4).

A category whose name the masks' data set also has copies that mask ("base"); another ("novel") mixes masks by
the likeness of word vectors. All of it is one constant matrix. V categories of the graphs, M of the masks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

SAME_AS = {
    "bike": "motorcycle",
    "ski": "skis",
    "phone": "cell phone",
    "table": "dining table",
    "plane": "airplane",
    "plant": "potted plant",
    "branch": "potted plant",
    "screen": "tv",
    **dict.fromkeys(
        ["woman", "man", "men", "lady", "girl", "guy", "boy", "child", "kid", "people", "player"]
        + ["head", "arm", "face", "jacket", "jean", "leg", "pant", "short"],
        "person",
    ),
}
"""Names of VG150 by those of COCO that the release takes for them."""
THRESHOLD = 0.05
RELEASED, SOFTMAX_ALL, PAPER_DOT = "released", "softmax_all", "paper_dot"
TRANSFERS = (RELEASED, SOFTMAX_ALL, PAPER_DOT)


def base_categories(
    names: Sequence[str], mask_names: Sequence[str], same_as: Mapping[str, str] = SAME_AS
) -> dict[int, int]:
    """The categories that copy a mask: number of the graphs' -> number of the masks'."""
    numbers = {name: number for number, name in enumerate(mask_names)}
    copied = {number: numbers.get(same_as.get(name, name)) for number, name in enumerate(names)}
    return {number: copy for number, copy in copied.items() if copy is not None}


def novel_shares(dots: np.ndarray, threshold: float = THRESHOLD) -> np.ndarray:
    """What each category takes of each mask: [N, M], rows sum to 1.

    The softmax of the dot products of their word vectors [N, M], shares below `threshold` set to 0 and the
    rest scaled. Where all are below, as of a name without a word that is known, the largest stay.
    """
    shares = _softmax(dots)
    shares = np.where(shares < np.minimum(threshold, shares.max(-1, keepdims=True)), 0, shares)
    return shares / shares.sum(-1, keepdims=True)


def transfer_matrix(
    names: Sequence[str],
    mask_names: Sequence[str],
    vectors: np.ndarray,
    mask_vectors: np.ndarray,
    *,
    transfer: str = RELEASED,
    threshold: float = THRESHOLD,
    same_as: Mapping[str, str] = SAME_AS,
) -> np.ndarray:
    """The matrix A, float32 [M, V], of `transferred`.

    Args:
        names: of the graphs' categories.
        mask_names: of the masks' categories.
        vectors: float32 [V, D], words of the first.
        mask_vectors: float32 [M, D], words of the second.
        transfer: released; softmax_all: nothing is copied, every category mixes; paper_dot: the dot products
            themselves, as eq. 3 has them, which scale logits up by tens.
        threshold: of `novel_shares`; paper_dot has none.
        same_as: of `base_categories`.
    """
    if transfer == PAPER_DOT:
        return _dots(mask_vectors, vectors).astype(np.float32)
    if transfer == SOFTMAX_ALL:
        return novel_shares(_dots(vectors, mask_vectors), threshold).T.astype(np.float32)
    if transfer != RELEASED:
        raise ValueError(f"no transfer {transfer!r}")
    matrix = np.zeros((len(mask_names), len(names)), np.float32)
    base = base_categories(names, mask_names, same_as)
    matrix[list(base.values()), list(base)] = 1.0
    novel = [number for number in range(len(names)) if number not in base]
    if novel:
        matrix[:, novel] = novel_shares(_dots(vectors[novel], mask_vectors), threshold).T
    return matrix


def transferred(logits: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """Masks of all categories: probabilities [n, m, m, V] from logits [n, m, m, M]."""
    return tf.sigmoid(tf.einsum("nyxm,mv->nyxv", logits, tf.cast(matrix, logits.dtype)))


def transferred_of(logits: tf.Tensor, matrix: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Only the mask of each box's label, int32 [n]: probabilities [n, m, m]."""
    columns = tf.gather(tf.cast(matrix, logits.dtype), labels, axis=1)
    return tf.sigmoid(tf.einsum("nyxm,mn->nyx", logits, columns))


def _dots(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Dot products in float64: the exponential of one near 40 shows float32's rounding."""
    return first.astype(np.float64) @ second.astype(np.float64).T


def _softmax(values: np.ndarray) -> np.ndarray:
    exponentials = np.exp(values - values.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)
