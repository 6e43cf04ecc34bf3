# cython: language_level=3
"""The compiled side of `overlaps.py`: checks, the result's array, and the loops of `_overlaps_loops.h`.

Few boxes take less time to compare than to hand over, so the arrays are read through the buffer protocol
directly: a typed argument costs more than the loops do on ten boxes. Without NumPy's headers, so that one
build serves every NumPy.
"""

import numpy as np

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer

cdef extern from "_overlaps_loops.h":
    void dsg_overlaps_f32(const float *, Py_ssize_t, const float *, Py_ssize_t, float *) noexcept nogil
    void dsg_overlaps_f64(const float *, Py_ssize_t, const float *, Py_ssize_t, double *) noexcept nogil

cdef object empty = np.empty
cdef object require = np.require
cdef object single_type = np.float32
cdef object double_type = np.float64
cdef object single = np.dtype(np.float32)
cdef object double = np.dtype(np.float64)
cdef enum:
    LONG = 4096  # pairs from which other threads may run meanwhile


def overlaps(boxes, query, dtype):
    """`dsg.boxes.overlaps.overlaps`, which see."""
    cdef Py_buffer first, second, result
    cdef Py_ssize_t count, targets
    cdef bint wide = False
    if dtype is double_type:
        wide = True
    elif dtype is not single_type:
        dtype = np.dtype(dtype)
        wide = dtype == double
        if not wide and dtype != single:
            raise ValueError(f"overlaps are float32 or float64, not {dtype}")
    take(boxes, "boxes", &first)
    try:
        take(query, "query", &second)
        try:
            count, targets = first.shape[0], second.shape[0]
            out = empty((count, targets), double if wide else single)
            PyObject_GetBuffer(out, &result, PyBUF_WRITABLE)
            if count * targets < LONG:
                fill(first.buf, count, second.buf, targets, result.buf, wide)
            else:
                with nogil:
                    fill(first.buf, count, second.buf, targets, result.buf, wide)
            PyBuffer_Release(&result)
            return out
        finally:
            PyBuffer_Release(&second)
    finally:
        PyBuffer_Release(&first)


cdef inline void fill(
    const void *boxes, Py_ssize_t count, const void *query, Py_ssize_t targets, void *out, bint wide
) noexcept nogil:
    if wide:
        dsg_overlaps_f64(<const float *> boxes, count, <const float *> query, targets, <double *> out)
    else:
        dsg_overlaps_f32(<const float *> boxes, count, <const float *> query, targets, <float *> out)


cdef int take(object boxes, str name, Py_buffer *view) except -1:
    """The buffer of contiguous float32 [*, 4] that `boxes` is, or is converted to."""
    if lends(boxes, view):
        if is_plain(view):
            return 0
        PyBuffer_Release(view)
    # Aligned, too: an array out of the middle of a file may begin between two numbers.
    converted = require(boxes, single, ("C", "A", "E"))
    if converted.ndim != 2 or converted.shape[1] != 4:
        raise ValueError(f"{name} must be [*, 4], not {list(converted.shape)}")
    PyObject_GetBuffer(converted, view, PyBUF_STRIDES | PyBUF_FORMAT)
    return 0


cdef inline bint lends(object boxes, Py_buffer *view):
    """Whether the object lends its buffer, which is then to be released; lists and the like do not."""
    try:
        PyObject_GetBuffer(boxes, view, PyBUF_STRIDES | PyBUF_FORMAT)
    except (TypeError, BufferError, ValueError):
        return False
    return True


cdef inline bint is_plain(const Py_buffer *view) noexcept:
    """Whether a buffer is C-contiguous, aligned float32 [*, 4] in the machine's own byte order."""
    return (
        view.ndim == 2
        and view.shape[1] == 4
        and view.format != NULL
        and view.format[0] == c"f"
        and view.format[1] == 0
        and view.strides[1] == sizeof(float)
        and (view.strides[0] == 4 * sizeof(float) or view.shape[0] < 2)
        and <size_t> view.buf % sizeof(float) == 0
    )
