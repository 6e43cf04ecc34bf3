"""`python -m dsg.boxes.selfcheck`: compares the freshly compiled box operations with the NumPy reference.

A build that is missing, made for another interpreter, or computes anything else than NumPy is answered with
one line and exit status 1.
"""

from __future__ import annotations

import sys

import numpy as np

from dsg.boxes import compiled
from dsg.boxes.nms import nms, nms_np
from dsg.boxes.overlaps import overlaps, overlaps_np

_SIZES = ((0, 0), (0, 3), (3, 0), (1, 1), (7, 5), (64, 9), (333, 17))
_THRESHOLDS = (0.0, 0.3, 0.5, 0.7, 1.0)


def main() -> int:
    """Print what was found, one line; 0 where the build is right, else 1."""
    problem = find_problem()
    if problem:
        print(f"dsg.boxes.selfcheck: {problem}; run make to build them again", file=sys.stderr)
        return 1
    print("dsg.boxes.selfcheck: the compiled box operations agree with NumPy")
    return 0


def find_problem() -> str | None:
    """What is wrong with the compiled box operations, or None."""
    for name in compiled.KERNELS:
        try:
            compiled.load(name)
        except ImportError as error:
            return f"the compiled box operations are missing ({error})"
    rng = np.random.default_rng(0)
    for count, targets in _SIZES:
        problem = _check_overlaps(rng, count, targets) or _check_nms(rng, count)
        if problem:
            return f"the compiled box operations are wrong ({problem})"
    return None


def random_boxes(rng: np.random.Generator, count: int, side: float = 100.0) -> np.ndarray:
    """float32 [count, 4]: boxes, some overlapping, some points, some inverted, half on whole pixels."""
    low = rng.uniform(0, side, (count, 2))
    size = rng.uniform(0, side / 2, (count, 2))
    size[::5] = 0
    size[::7] *= -1
    boxes = np.concatenate([low, low + size], axis=1)
    boxes[: count // 2] = np.round(boxes[: count // 2])
    return boxes.astype(np.float32)


def _check_overlaps(rng: np.random.Generator, count: int, targets: int) -> str | None:
    boxes, query = random_boxes(rng, count), random_boxes(rng, targets)
    shared = min(count, targets) // 2
    query[:shared] = boxes[:shared]  # some overlaps of exactly 1
    for dtype, tolerance in ((np.float32, 1e-6), (np.float64, 1e-14)):
        found, expected = overlaps(boxes, query, dtype), overlaps_np(boxes, query, dtype)
        alike = found.dtype == expected.dtype and found.shape == expected.shape
        if not (alike and np.allclose(found, expected, rtol=0, atol=tolerance)):
            return f"overlaps of {count} and {targets} boxes in {np.dtype(dtype)} differ"
    return None


def _check_nms(rng: np.random.Generator, count: int) -> str | None:
    scores = rng.integers(0, max(1, count // 2), count)  # many ties
    dets = np.concatenate([random_boxes(rng, count), scores[:, None]], axis=1).astype(np.float32)
    order = rng.permutation(count)[: count - count // 4]
    for threshold in _THRESHOLDS:
        for max_output in (None, 0, 1, 8, count + 5):
            for candidates in (None, order):
                found = nms(dets, threshold, max_output, order=candidates)
                expected = nms_np(dets, threshold, max_output, order=candidates)
                if found.dtype != expected.dtype or not np.array_equal(found, expected):
                    given = "a given order" if candidates is not None else "ties in the scores"
                    return f"NMS of {count} boxes at {threshold} for {max_output} with {given} differs"
    return None


if __name__ == "__main__":
    sys.exit(main())
