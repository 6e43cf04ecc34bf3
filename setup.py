"""The compiled box operations; everything else about the package stands in pyproject.toml.

The extensions read their arrays through memoryviews and need no NumPy to be built, so a build never depends
on the NumPy beside it.
"""

from __future__ import annotations

import sys

from Cython.Build import cythonize
from setuptools import Extension, setup

# Some interpreters compile extensions with -O2, which leaves the inner loops scalar. Comparisons of NaN need
# not trap. A fused multiply-add would round differently from NumPy, and from one processor to the next.
FLAGS = (
    ["-O3", "-fno-trapping-math", "-fno-math-errno", "-ffp-contract=off"] if sys.platform != "win32" else []
)
SOURCES = "lib/dsg/boxes"

setup(
    ext_modules=cythonize(
        [
            Extension(f"dsg.boxes.{name}", [f"{SOURCES}/{name}.pyx"], extra_compile_args=FLAGS)
            for name in ("_overlaps", "_nms")
        ],
        language_level=3,
    )
)
