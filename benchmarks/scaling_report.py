"""How cost grows, as people read it: a table with fitted exponents beside those of the mathematics, and a
picture. No TensorFlow here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.scaling import Point, curves
from benchmarks.settings import Settings
from dsg.visualize.canvas import BLUE, GREEN, ORANGE, VERMILLION
from dsg.visualize.figure import new_figure

MATHEMATICS = {"proposals": 2, "queries": 1, "side": 2, "images": 1}
"""Greatest exponent with which anything may grow."""

TITLES = {
    "proposals": "proposals",
    "queries": "queries",
    "side": "shorter side, pixels",
    "images": "images a batch",
}
MEASURES = {
    "seconds": "seconds",
    "processor_seconds": "processor s",
    "peak_mib": "peak MiB",
    "gflop": "GFLOP",
}
EXPONENTS = np.arange(0.25, 4.001, 0.01)
LEAST_GROWTH = 0.05  # of the smallest value; what grows less is flat


class Growth(NamedTuple):
    """How a measure grows along a size x: as start + slope * x^exponent."""

    times: float  # its value at the largest x over that at the smallest
    exponent: float | None  # None: flat, or too few points
    steepest: float  # of the slopes between neighbours, both axes logarithmic: never above the exponent


def growth(sizes: Sequence[float], values: Sequence[float]) -> Growth:
    """Least squares over start >= 0, slope >= 0 and exponent, of relative errors.

    Example:
        >>> growth([1, 2, 4, 8], [3 + x * x for x in (1, 2, 4, 8)])
        Growth(times=16.75, exponent=2.0, steepest=1.82)
    """
    x, y = np.asarray(sizes, np.float64), np.asarray(values, np.float64)
    times = float(y[-1] / y[0])
    steepest = round(float(np.max(np.diff(np.log(y)) / np.diff(np.log(x)))), 2)
    if len(x) < 4 or times < 1 + LEAST_GROWTH:
        return Growth(times, None, steepest)
    errors = [_error(x / x[-1], y, exponent) for exponent in EXPONENTS]
    return Growth(times, round(float(EXPONENTS[int(np.argmin(errors))]), 2), steepest)


def _error(x: np.ndarray, y: np.ndarray, exponent: float) -> float:
    """Of the best start and slope, neither below zero."""
    terms = np.stack([np.ones_like(x), x**exponent], 1) / y[:, None]
    best = math.inf
    for columns in ([0, 1], [0], [1]):
        used = terms[:, columns]
        found = np.linalg.lstsq(used, np.ones_like(y), rcond=None)[0]
        if (found >= 0).all():
            best = min(best, float(np.sum((used @ found - 1) ** 2)))
    return best


def format_scaling(cases: Mapping[str, Any], settings: Settings) -> str:
    """Markdown: a table for every size that was varied, with lines for the growth of each measure.

    The exponent is that of start + slope * size^exponent. Where small sizes need no more memory than
    start-up such a curve does not fit; the steepest slope in a plot with logarithmic axes says how fast
    anything grows, whatever its shape.
    """
    lines: list[str] = []
    for axis, base, found in curves(dict(cases), settings):
        measures = [name for name in MEASURES if all(name in case for _, case in found)]
        heads = [TITLES[axis], *(MEASURES[name] for name in measures)]
        lines += ["", f"{base.net}, {base.task}", "", "| " + " | ".join(heads) + " |"]
        lines.append("|" + " ---: |" * len(heads))
        for size, case in found:
            lines.append(f"| {size} | " + " | ".join(_number(case[name]) for name in measures) + " |")
        grown = [growth([x for x, _ in found], [case[name] for _, case in found]) for name in measures]
        limit = MATHEMATICS[axis]
        lines.append("| times | " + " | ".join(f"{one.times:.2f}" for one in grown) + " |")
        lines.append("| exponent | " + " | ".join(_exponent(one) for one in grown) + " |")
        slopes = " | ".join(f"{one.steepest:.2f}" for one in grown)
        lines.append(f"| steepest (at most {limit}) | {slopes} |")
    return "\n".join(lines[1:])


def draw_scaling(cases: Mapping[str, Any], settings: Settings, out_png: Path) -> None:
    """A column for every size that was varied: seconds above, peak memory below, both axes logarithmic.

    Raises:
        UserError: when the picture cannot be written.
    """
    from dsg.visualize.curves import save_figure

    found = list(curves(dict(cases), settings))
    titles = list(dict.fromkeys(axis for axis, _, _ in found))
    rows = (("processor_seconds", "seconds of processor time"), ("peak_mib", "peak memory, MiB"))
    figure, canvas = new_figure(figsize=(3.9 * max(1, len(titles)), 6.8), dpi=110, layout="constrained")
    panels = figure.subplots(2, max(1, len(titles)), squeeze=False, sharey="row")
    for row, (measure, label) in enumerate(rows):
        for column, axis in enumerate(titles):
            of_axis = [(base, curve) for name, base, curve in found if name == axis]
            _panel(panels[row][column], axis, measure, of_axis)
        panels[row][0].set_ylabel(label, fontsize=9)
    save_figure(canvas, out_png)


def _panel(axes: Any, axis: str, measure: str, found: Sequence[tuple[Point, list[tuple[int, Any]]]]) -> None:
    colours = {
        ("mini", "inference"): GREEN,
        ("mini", "training"): ORANGE,
        ("", "inference"): BLUE,
        ("", "training"): VERMILLION,
    }
    for base, curve in found:
        colour = colours[base.net if base.net == "mini" else "", base.task]
        sizes, values = [size for size, _ in curve], [case[measure] for _, case in curve]
        grown = growth(sizes, values)
        label = f"{base.net} {base.task}: x {grown.times:.3g}"
        if grown.exponent is not None:
            label += f", steepest {grown.steepest:.2g}"
        axes.plot(sizes, values, "o-", color=[c / 255 for c in colour], markersize=3.5, label=label)
    ticks = sorted({size for _, curve in found for size, _ in curve})
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel(TITLES[axis], fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(True, color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False)


def _exponent(one: Growth) -> str:
    return "flat" if one.exponent is None else f"{one.exponent:.2f}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"
