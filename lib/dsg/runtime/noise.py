"""Keeping lines of TensorFlow's off the screen that no setting of it hides and no user can act on.

TensorFlow 2.15 prints a warning of a thousand characters for every graph that crops a number of boxes not
known beforehand, newer ones remarks about oneDNN and tf.data. What C++ writes to standard error goes through
a filter; Python's own messages, the progress bar among them, go straight to the terminal.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

NOISE = (
    "op_level_cost_estimator",
    "All log messages before absl::InitializeLog",
    "oneDNN custom operations are on",
    "oneDNN supports DT_INT32 only",
    "NodeDef mentions attribute use_unbounded_threadpool",
    # libjpeg, libpng and libtiff about files that are damaged, which we name ourselves
    "Corrupt JPEG data",
    "Premature end of JPEG file",
    "libpng warning",
    "libpng error",
    "TIFFFetch",
    "TIFFRead",
    "TIFFFillStrip",
    "OpenCV TIFF",
)


@contextlib.contextmanager
def without_noise() -> Iterator[None]:
    """Within it, lines that hold a text of `NOISE` do not reach standard error from C++.

    The filter is a process of its own, so that the last words of a crash get through.
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")  # read when OpenCV is loaded
    sys.stderr.flush()
    terminal = os.dup(2)
    patterns = [part for text in NOISE for part in ("-e", text)]
    try:
        filter_ = subprocess.Popen(
            ["grep", "--line-buffered", "-a", "-v", "-F", *patterns],
            stdin=subprocess.PIPE,
            stdout=terminal,
            start_new_session=True,  # Ctrl-C is not for it
        )
    except OSError:  # no grep: the noise does no harm
        os.close(terminal)
        yield
        return
    assert filter_.stdin is not None
    python_stderr = sys.stderr
    os.dup2(filter_.stdin.fileno(), 2)
    filter_.stdin.close()
    encoding, errors = python_stderr.encoding, python_stderr.errors
    with open(terminal, "w", encoding=encoding, errors=errors, buffering=1) as direct:
        sys.stderr = direct
        try:
            yield
        finally:
            sys.stderr = python_stderr
            os.dup2(terminal, 2)  # the filter sees the end of its input
            filter_.wait()
