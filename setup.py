"""The compiled box operations and the configuration files; everything else stands in pyproject.toml.

The extensions read their arrays through memoryviews and need no NumPy to be built, so a build never depends
on the NumPy beside it. With DSG_EXTENSIONS=0 the package is installed without compiling: NumPy stands in.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_py import build_py

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


class BuildWithConfigurations(build_py):
    """Puts experiments/cfgs into the package as dsg/cfgs; a clone, and what is installed from it in editable
    form, reads them where they lie.
    """

    def run(self) -> None:
        """Build the modules, then copy."""
        super().run()
        if not self.editable_mode:
            cfgs = Path("experiments/cfgs")
            for path in cfgs.rglob("*.yml"):
                target = Path(self.build_lib, "dsg", "cfgs", path.relative_to(cfgs))
                self.mkpath(str(target.parent))
                self.copy_file(str(path), str(target))


setup(
    cmdclass={"build_py": BuildWithConfigurations},
    ext_modules=[] if os.environ.get("DSG_EXTENSIONS") == "0" else extensions(),
)
