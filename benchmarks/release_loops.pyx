# cython: language_level=3
"""Overlaps and NMS written the way the release writes them: float64 or float32 NumPy buffers, one branch inside another, one pair of
boxes at a time, every box marked in turn. The baseline of `boxes.py` in this folder, compiled when it is measured and never installed.
"""

import numpy as np

cimport cython
cimport numpy as cnp


@cython.boundscheck(True)
def overlaps(cnp.ndarray[cnp.float64_t, ndim=2] boxes, cnp.ndarray[cnp.float64_t, ndim=2] query):
    """IoU [N, K] in float64, +1 widths."""
    cdef unsigned int count = boxes.shape[0]
    cdef unsigned int targets = query.shape[0]
    cdef cnp.ndarray[cnp.float64_t, ndim=2] result = np.zeros((count, targets), dtype=np.float64)
    cdef cnp.float64_t width, height, union, area
    cdef unsigned int k, n
    for k in range(targets):
        area = (query[k, 2] - query[k, 0] + 1) * (query[k, 3] - query[k, 1] + 1)
        for n in range(count):
            width = min(boxes[n, 2], query[k, 2]) - max(boxes[n, 0], query[k, 0]) + 1
            if width > 0:
                height = min(boxes[n, 3], query[k, 3]) - max(boxes[n, 1], query[k, 1]) + 1
                if height > 0:
                    union = (boxes[n, 2] - boxes[n, 0] + 1) * (boxes[n, 3] - boxes[n, 1] + 1) + area - width * height
                    result[n, k] = width * height / union
    return result


cdef inline cnp.float32_t larger(cnp.float32_t a, cnp.float32_t b):
    return a if a >= b else b


cdef inline cnp.float32_t smaller(cnp.float32_t a, cnp.float32_t b):
    return a if a <= b else b


def nms(cnp.ndarray[cnp.float32_t, ndim=2] dets, float threshold):
    """Indices of all boxes kept, best first; dets [N, 5], +1 widths."""
    cdef cnp.ndarray[cnp.float32_t, ndim=1] left = dets[:, 0]
    cdef cnp.ndarray[cnp.float32_t, ndim=1] top = dets[:, 1]
    cdef cnp.ndarray[cnp.float32_t, ndim=1] right = dets[:, 2]
    cdef cnp.ndarray[cnp.float32_t, ndim=1] bottom = dets[:, 3]
    cdef cnp.ndarray[cnp.float32_t, ndim=1] areas = (right - left + 1) * (bottom - top + 1)
    cdef cnp.ndarray[cnp.intp_t, ndim=1] order = dets[:, 4].argsort()[::-1]
    cdef int count = dets.shape[0]
    cdef cnp.ndarray[cnp.int32_t, ndim=1] dropped = np.zeros(count, dtype=np.int32)
    cdef int first, second, i, j
    cdef cnp.float32_t x1, y1, x2, y2, area, width, height, intersection
    kept = []
    for first in range(count):
        i = order[first]
        if dropped[i] == 1:
            continue
        kept.append(i)
        x1, y1, x2, y2, area = left[i], top[i], right[i], bottom[i], areas[i]
        for second in range(first + 1, count):
            j = order[second]
            if dropped[j] == 1:
                continue
            width = larger(0.0, smaller(x2, right[j]) - larger(x1, left[j]) + 1)
            height = larger(0.0, smaller(y2, bottom[j]) - larger(y1, top[j]) + 1)
            intersection = width * height
            if intersection / (area + areas[j] - intersection) >= threshold:
                dropped[j] = 1
    return kept
