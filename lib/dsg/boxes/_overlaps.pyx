# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The compiled loop of `overlaps.py`; without NumPy's headers, so that one build serves every NumPy."""

ctypedef fused real:
    float
    double


cdef inline real smaller(real a, real b) noexcept nogil:
    return a if a < b else b


cdef inline real larger(real a, real b) noexcept nogil:
    return a if a > b else b


def fill_overlaps(
    const float[:, ::1] boxes, const float[:, ::1] query, real[:, ::1] columns, real[:, ::1] out
):
    """Write the IoU (+1 widths) of boxes [N, 4] and query [K, 4] into out [N, K]; columns [5, K] is scratch.

    The arithmetic has the precision of `out`. The query boxes lie column by column in `columns`, and the
    inner loop has no branches, so that the compiler turns it into vector instructions.
    """
    cdef Py_ssize_t count = boxes.shape[0], targets = query.shape[0], n, k
    cdef real x1, y1, x2, y2, area, width, height, intersection, union
    cdef real one = 1, zero = 0
    cdef real *left
    cdef real *top
    cdef real *right
    cdef real *bottom
    cdef real *size
    cdef real *row
    if count == 0 or targets == 0:
        return
    left, top, right, bottom = &columns[0, 0], &columns[1, 0], &columns[2, 0], &columns[3, 0]
    size = &columns[4, 0]
    with nogil:
        for k in range(targets):
            left[k], top[k], right[k], bottom[k] = query[k, 0], query[k, 1], query[k, 2], query[k, 3]
            size[k] = (right[k] - left[k] + one) * (bottom[k] - top[k] + one)
        for n in range(count):
            x1, y1, x2, y2 = boxes[n, 0], boxes[n, 1], boxes[n, 2], boxes[n, 3]
            area = (x2 - x1 + one) * (y2 - y1 + one)
            row = &out[n, 0]
            for k in range(targets):
                width = larger(smaller(x2, right[k]) - larger(x1, left[k]) + one, zero)
                height = larger(smaller(y2, bottom[k]) - larger(y1, top[k]) + one, zero)
                intersection = width * height
                union = area + size[k] - intersection
                # Boxes without area may have a union of 0 or less; they touch nothing: any divisor gives 0.
                row[k] = intersection / (union if union > zero else one)
