# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The compiled loop of `overlaps.py`; without NumPy's headers, so that one build serves every NumPy.

Boxes are taken in blocks, laid out coordinate by coordinate, and one query box is compared with a whole
block: a loop without branches that becomes vector instructions however few query boxes there are.
"""

cdef enum:
    BLOCK = 64

ctypedef fused real:
    float
    double


cdef inline real smaller(real a, real b) noexcept nogil:
    return a if a < b else b


cdef inline real larger(real a, real b) noexcept nogil:
    return a if a > b else b


def fill_overlaps(const float[:, ::1] boxes, const float[:, ::1] query, real[:, ::1] out):
    """Write the IoU (+1) of boxes [N, 4] and query [K, 4] into out [N, K], computed as `out` is stored."""
    cdef Py_ssize_t count = boxes.shape[0], targets = query.shape[0], start = 0, used, n, k
    cdef real x1, y1, x2, y2, area, width, height, intersection, union
    cdef real one = 1, zero = 0
    cdef real left[BLOCK]
    cdef real top[BLOCK]
    cdef real right[BLOCK]
    cdef real bottom[BLOCK]
    cdef real size[BLOCK]
    cdef real overlap[BLOCK]
    cdef real *column
    with nogil:
        while start < count:
            used = count - start if count - start < BLOCK else BLOCK
            for n in range(used):
                left[n], top[n] = boxes[start + n, 0], boxes[start + n, 1]
                right[n], bottom[n] = boxes[start + n, 2], boxes[start + n, 3]
                size[n] = (right[n] - left[n] + one) * (bottom[n] - top[n] + one)
            for k in range(targets):
                x1, y1, x2, y2 = query[k, 0], query[k, 1], query[k, 2], query[k, 3]
                area = (x2 - x1 + one) * (y2 - y1 + one)
                for n in range(used):
                    width = larger(smaller(right[n], x2) - larger(left[n], x1) + one, zero)
                    height = larger(smaller(bottom[n], y2) - larger(top[n], y1) + one, zero)
                    intersection = width * height
                    union = size[n] + area - intersection
                    # Boxes without area may have a union of 0 or less; they touch nothing, so divide by any.
                    overlap[n] = intersection / (union if union > zero else one)
                column = &out[start, k]
                for n in range(used):
                    column[n * targets] = overlap[n]
            start += BLOCK
