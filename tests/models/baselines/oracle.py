"""The baselines in plain numpy, word by word as the release computes them: slow, float64, one sample at a
time.
"""

from __future__ import annotations

import numpy as np


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0.0)


def attend(features: np.ndarray, query: np.ndarray) -> np.ndarray:
    """[L, L, C] and [C] -> [L, L]."""
    found = np.zeros(features.shape[:2])
    for row in range(features.shape[0]):
        for column in range(features.shape[1]):
            found[row, column] = max(float(np.sum(features[row, column] * query)), 0.0)
    return found


def convolve(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """TensorFlow's SAME correlation, stride 1: [L, L, cin] and [k, k, cin, cout] -> [L, L, cout]."""
    side, size = x.shape[0], kernel.shape[0]
    before = (size - 1) // 2
    padded = np.zeros((side + size - 1, side + size - 1, x.shape[2]))
    padded[before : before + side, before : before + side] = x
    found = np.zeros((side, side, kernel.shape[3]))
    for row in range(side):
        for column in range(side):
            window = padded[row : row + size, column : column + size]
            found[row, column] = np.tensordot(window, kernel, axes=3)
    return found


def learned_shift(map_: np.ndarray, kernels: list[np.ndarray], predicate: int) -> np.ndarray:
    """tanh of the output of the predicate's module; all modules are evaluated and one is selected."""
    outputs = []
    for number in range(kernels[0].shape[0]):
        x = map_[..., None]
        for kernel in kernels:
            x = relu(convolve(x, kernel[number]))
        outputs.append(np.tanh(x[..., 0]))
    selected = np.eye(len(outputs))[predicate]
    return sum(one * output for one, output in zip(selected, outputs))


def fixed_shift(map_: np.ndarray, filter_: np.ndarray) -> np.ndarray:
    """tanh(relu(map conv filter)): what lies at y goes to y + u, u counted from the filter's middle."""
    side, size = map_.shape[0], filter_.shape[0]
    found = np.zeros_like(map_, dtype=np.float64)
    for row in range(side):
        for column in range(side):
            for i in range(size):
                for j in range(size):
                    to_row, to_column = row + i - size // 2, column + j - size // 2
                    if 0 <= to_row < side and 0 <= to_column < side:
                        found[to_row, to_column] += map_[row, column] * filter_[i, j]
    return np.tanh(relu(found))


def joint(weights: dict[str, np.ndarray], features: np.ndarray, query: np.ndarray, with_predicate: bool):
    """co (without) and vrd (with the predicate): subject and object map before tanh."""
    parts = [weights["subject_embedding/table"][query[0]]]
    if with_predicate:
        parts.append(weights["predicate_embedding/table"][query[1]])
    parts.append(weights["object_embedding/table"][query[2]])
    joined = np.concatenate(parts)
    return [
        attend(features, relu(joined @ weights[f"{role}_dense/kernel"] + weights[f"{role}_dense/bias"]))
        for role in ("subject", "object")
    ]


def shifting(
    weights: dict[str, np.ndarray], features: np.ndarray, query: np.ndarray, iterations: int, ss: bool
):
    """ssas and ss: the maps of all iterations, attending each time to the features times the shift."""

    def shift(map_: np.ndarray, kind: str) -> np.ndarray:
        if ss:
            return fixed_shift(map_, weights[f"{kind}/filters"][query[1]])
        kernels = [value for name, value in weights.items() if name.startswith(f"{kind}/")]
        return learned_shift(map_, kernels, query[1])

    vectors = [
        relu(
            weights["embedding/table"][query[at]] @ weights[f"{role}_dense/kernel"]
            + weights[f"{role}_dense/bias"]
        )
        for at, role in ((0, "subject"), (2, "object"))
    ]
    subjects, objects = [attend(features, vectors[0])], [attend(features, vectors[1])]
    for _ in range(iterations):
        subject, object_ = subjects[-1], objects[-1]
        objects.append(attend(features * shift(subject, "forward")[..., None], vectors[1]))
        subjects.append(attend(features * shift(object_, "inverse")[..., None], vectors[0]))
    return subjects, objects


def ensemble(maps: list[np.ndarray], discount: float) -> np.ndarray:
    """tanh of the mean over T + 1 of the weighted maps."""
    powers = np.array([discount**step for step in range(len(maps))])
    weights = powers / powers.sum()
    return np.tanh(sum(weight * map_ for weight, map_ in zip(weights, maps)) / len(maps))


def loss(target: np.ndarray, found: np.ndarray, positive_weight: float) -> float:
    """Weighted cross-entropy, mean over the cells."""
    p = np.clip(found, 1e-7, 1 - 1e-7)
    weight = 1 + (positive_weight - 1) * target
    return float(np.mean(weight * -(target * np.log(p) + (1 - target) * np.log(1 - p))))
