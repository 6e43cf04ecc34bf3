"""Pictures are drawn whatever MPLBACKEND says, and whoever shows figures of their own keeps their backend."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.shared import ROOT

DRAW = """
import os
from dsg.visualize.canvas import text_size
from dsg.visualize.figure import new_figure

assert text_size("text")[0] > 0
figure, canvas = new_figure(figsize=(2, 1))
with open(os.devnull, "wb") as file:
    canvas.print_png(file)
import matplotlib

print(os.environ["MPLBACKEND"], matplotlib.rcParams["backend"])
"""


@pytest.mark.parametrize(
    ("named", "kept"),
    [("module://matplotlib_inline.backend_inline", False), ("nonsense", False), ("svg", True)],
)
def test_the_backend_of_a_notebook_does_no_harm(named, kept):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "lib"), "MPLBACKEND": named}
    done = subprocess.run([sys.executable, "-c", DRAW], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    variable, backend = done.stdout.split()
    assert variable == named and (backend == named) >= kept
