# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The compiled loop of `nms.py`: best box first, each compared with nothing but the boxes kept so far.

Where only a few boxes are wanted, the next best comes from a heap, so the scores are never sorted as a whole.
Plain memoryviews, no NumPy headers: one build serves every NumPy.
"""

cdef enum:
    BLOCK = 8  # kept boxes compared at once: the fixed, branch-free inner loop becomes vector instructions


cdef inline float smaller(float a, float b) noexcept nogil:
    return a if a < b else b


cdef inline float larger(float a, float b) noexcept nogil:
    return a if a > b else b


cdef inline bint precedes(const float *scores, int a, int b) noexcept nogil:
    """Higher score first; equal scores keep their order in the input."""
    return scores[a] > scores[b] or (scores[a] == scores[b] and a < b)


cdef void sift_down(int *heap, Py_ssize_t size, Py_ssize_t parent, const float *scores) noexcept nogil:
    cdef int moving = heap[parent]
    cdef Py_ssize_t child
    while True:
        child = 2 * parent + 1
        if child >= size:
            break
        if child + 1 < size and precedes(scores, heap[child + 1], heap[child]):
            child += 1
        if not precedes(scores, heap[child], moving):
            break
        heap[parent] = heap[child]
        parent = child
    heap[parent] = moving


cdef inline bint suppressed(
    float x1,
    float y1,
    float x2,
    float y2,
    float area,
    const float *kept,
    Py_ssize_t stride,
    Py_ssize_t count,
    float threshold,
) noexcept nogil:
    """Whether a kept box overlaps this one; rows of `kept` are x1, y1, x2, y2, area."""
    cdef const float *left = kept
    cdef const float *top = kept + stride
    cdef const float *right = kept + 2 * stride
    cdef const float *bottom = kept + 3 * stride
    cdef const float *size = kept + 4 * stride
    cdef Py_ssize_t start = 0, k
    cdef float intersection
    cdef int hits
    while start < count:
        hits = 0
        for k in range(start, start + BLOCK):
            intersection = larger(smaller(x2, right[k]) - larger(x1, left[k]) + 1, 0) * larger(
                smaller(y2, bottom[k]) - larger(y1, top[k]) + 1, 0
            )
            hits |= intersection / (size[k] + area - intersection) >= threshold
        if hits:
            return True
        start += BLOCK
    return False


def select(
    const float[:, ::1] dets,
    const float[::1] scores,
    int[::1] order,
    bint is_sorted,
    float threshold,
    float[:, ::1] kept,
    int[::1] chosen,
):
    """How many boxes non-maximum suppression keeps; their indices stand in `chosen`, best first.

    Args:
        dets: [N, 5], of which the corners [x1, y1, x2, y2] are read, +1 widths.
        scores: [N], without NaN; read only to arrange the heap.
        order: the candidates' indices; used up as a heap unless `is_sorted`.
        is_sorted: the candidates already stand best first.
        threshold: boxes that overlap a kept one by this much or more are dropped.
        kept: [5, C] working room, C a multiple of the block and at least the room of `chosen`; holds boxes
            that touch nothing.
        chosen: [at most so many], receives the result.
    """
    cdef Py_ssize_t left = order.shape[0], wanted = chosen.shape[0], stride = kept.shape[1]
    cdef Py_ssize_t count = 0, position = 0
    cdef float x1, y1, x2, y2, area
    cdef int index
    cdef int *heap
    if left == 0 or wanted == 0:
        return 0
    heap = &order[0]
    with nogil:
        if not is_sorted:
            for position in range(left // 2 - 1, -1, -1):
                sift_down(heap, left, position, &scores[0])
        position = 0
        while left > 0 and count < wanted:
            left -= 1
            if is_sorted:
                index = heap[position]
                position += 1
            else:
                index = heap[0]
                heap[0] = heap[left]
                sift_down(heap, left, 0, &scores[0])
            x1, y1, x2, y2 = dets[index, 0], dets[index, 1], dets[index, 2], dets[index, 3]
            area = (x2 - x1 + 1) * (y2 - y1 + 1)
            if suppressed(x1, y1, x2, y2, area, &kept[0, 0], stride, count, threshold):
                continue
            kept[0, count], kept[1, count], kept[2, count], kept[3, count] = x1, y1, x2, y2
            kept[4, count] = area
            chosen[count] = index
            count += 1
    return count
