"""The compiled box operations; everything else about the package stands in pyproject.toml.

The extensions read their arrays through memoryviews and need no NumPy to be built, so a build never depends
on the NumPy beside it. With DSG_EXTENSIONS=0 the package is installed without compiling: NumPy stands in.
"""

from __future__ import annotations

import os
import sys

from setuptools import Extension, setup

# Some interpreters compile extensions with -O2, which leaves the inner loops scalar. Comparisons of NaN need
# not trap. A fused multiply-add would round differently from NumPy, and from one processor to the next.
UNIX_FLAGS = ["-O3", "-g0", "-fno-trapping-math", "-fno-math-errno", "-ffp-contract=off"]


def extensions() -> list[Extension]:
    """The extension modules, translated to C where their source is newer."""
    from Cython.Build import cythonize

    flags = UNIX_FLAGS if sys.platform != "win32" else []
    modules = [
        Extension(f"dsg.boxes.{name}", [f"lib/dsg/boxes/{name}.pyx"], extra_compile_args=flags)
        for name in ("_overlaps", "_nms")
    ]
    return cythonize(modules, language_level=3, quiet=True)


setup(ext_modules=[] if os.environ.get("DSG_EXTENSIONS") == "0" else extensions())
