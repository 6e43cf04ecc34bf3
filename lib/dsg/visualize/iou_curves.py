"""IoU curves as a picture: a panel for each convention, the share of answers over the IoU that they reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dsg.visualize.canvas import OBJECT_COLOUR, SUBJECT_COLOUR
from dsg.visualize.curves import save_figure
from dsg.visualize.figure import new_figure

CURVES = "iou_curves.png"  # file of a test
TITLES = {"dsg": "as in the release of DSG", "rr": "as in Referring Relationships (rr)"}
COLOURS = {"subject": SUBJECT_COLOUR, "object": OBJECT_COLOUR}
STYLES = {"all": "-", "ambiguous": "--"}
LABELLED = 0.5  # the legend tells the share that reaches this IoU


def draw_iou_curves(curves: Mapping[str, Any]) -> np.ndarray:
    """The picture of `EvaluationResults.iou_curves`, uint8 [H, W, 3] RGB."""
    canvas = _canvas(curves)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def save_iou_curves(curves: Mapping[str, Any], out_png: Path) -> None:
    """Write the picture as a PNG, in one step.

    Raises:
        UserError: when it cannot be written.
    """
    save_figure(_canvas(curves), out_png)


def _canvas(curves: Mapping[str, Any]) -> Any:
    conventions = [name for name in TITLES if curves.get(name)]
    figure, canvas = new_figure(figsize=(5.4 * max(1, len(conventions)), 4.1), dpi=110, layout="constrained")
    for position, name in enumerate(conventions, start=1):
        axes = figure.add_subplot(1, len(conventions), position)
        _draw_panel(axes, TITLES[name], curves["thresholds"], curves[name])
    if not conventions:
        figure.text(0.5, 0.5, "no query was answered", ha="center", va="center")
    return canvas


def _draw_panel(
    axes: Any, title: str, thresholds: Sequence[float], sets: Mapping[str, Mapping[str, Any]]
) -> None:
    """One convention with its legend; ambiguous queries are dashed, as in the training curves."""
    labelled = int(np.argmin(np.abs(np.array(thresholds) - LABELLED)))
    for name, style in STYLES.items():
        for role, colour in COLOURS.items():
            if name not in sets:
                continue
            shares = sets[name][role]
            words = role if name == "all" else f"{name} {role}"
            axes.plot(
                thresholds,
                shares,
                linestyle=style,
                color=[channel / 255 for channel in colour],
                linewidth=1.6,
                label=f"{words}  {shares[labelled]:.3f} at {LABELLED:g}",
            )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_title(title, fontsize=11)
    axes.set_xlabel("IoU of at least", fontsize=9)
    axes.set_ylabel("share of the queries", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(True, color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    # Below the axes, if it can cover no curve.
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, frameon=False)
