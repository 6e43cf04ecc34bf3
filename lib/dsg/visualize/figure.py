"""matplotlib for files: pictures drawn by Agg, whatever window or notebook MPLBACKEND names."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any


def load_matplotlib() -> Any:
    """The package. Where MPLBACKEND names what is not installed, as a notebook's does in programs that are
    started from there, it would refuse to be loaded; files need no backend.
    """
    named = None if "matplotlib" in sys.modules else os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    finally:
        if named is not None:
            os.environ["MPLBACKEND"] = named
    if named is not None:
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = named  # for callers who show figures of their own
    return matplotlib


def new_figure(**settings: Any) -> tuple[Any, Any]:
    """A `matplotlib.figure.Figure` of these settings, and its Agg canvas."""
    load_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(**settings)
    return figure, FigureCanvasAgg(figure)
