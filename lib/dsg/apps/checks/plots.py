"""The statistics of a data set as one PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dsg.apps.checks.graph_statistics import GraphStatistics
from dsg.apps.checks.instance_statistics import InstanceStatistics
from dsg.apps.checks.statistics import Statistics
from dsg.datasets import Vocabulary
from dsg.visualize.canvas import BLUE, GREEN, ORANGE, SKY, Colour
from dsg.visualize.curves import plain_text, save_figure
from dsg.visualize.figure import new_figure

SHOWN = 25  # names in a bar chart
COLOURS = {"train": BLUE, "validation": GREEN, "test": ORANGE}


def plot_statistics(found: Mapping[str, Statistics], vocabulary: Vocabulary, out_png: Path) -> None:
    """Draws six panels: categories, predicates with their ambiguous share, queries and entities per image,
    box sizes in pixels and as a share of the image.

    Args:
        found: by split.
        out_png: the picture; it appears whole.

    Raises:
        UserError: it cannot be written.
    """
    figure, canvas = new_figure(figsize=(17, 10), dpi=100, layout="constrained")
    axes = figure.subplots(2, 3)
    _bars(axes[0][0], found, "categories", vocabulary.objects, "Entities of each category")
    _bars(axes[1][0], found, "predicates", vocabulary.predicates, "Queries with each predicate")
    splits = list(found.items())
    _histogram(axes[0][1], [(s, item.queries_per_image) for s, item in splits], "Queries per image", True)
    _histogram(axes[1][1], [(s, item.entities_per_image) for s, item in splits], "Entities per image", True)
    title = "Box size: root of its area, pixels"
    _histogram(axes[0][2], [(s, item.pixels) for s, item in splits], title, False)
    title = "Box size: root of its share of the image"
    _histogram(axes[1][2], [(s, item.sides) for s, item in splits], title, False)
    save_figure(canvas, out_png)


def plot_instances(found: Mapping[str, InstanceStatistics], vocabulary: Vocabulary, out_png: Path) -> None:
    """As `plot_statistics`, of a data set for detection: categories, objects per image, box sizes."""
    figure, canvas = new_figure(figsize=(14, 10), dpi=100, layout="constrained")
    axes = figure.subplots(2, 2)
    splits = list(found.items())
    _bars(axes[0][0], found, "categories", vocabulary.objects, "Objects of each category")
    _histogram(axes[0][1], [(s, item.objects_per_image) for s, item in splits], "Objects per image", True)
    title = "Box size: root of its area, pixels"
    _histogram(axes[1][0], [(s, item.pixels) for s, item in splits], title, False)
    title = "Box size: root of its share of the image"
    _histogram(axes[1][1], [(s, item.sides) for s, item in splits], title, False)
    save_figure(canvas, out_png)


def plot_graphs(found: Mapping[str, GraphStatistics], vocabulary: Vocabulary, out_png: Path) -> None:
    """As `plot_statistics`, of scene graphs."""
    figure, canvas = new_figure(figsize=(17, 10), dpi=100, layout="constrained")
    axes = figure.subplots(2, 3)
    splits = list(found.items())
    _bars(axes[0][0], found, "categories", vocabulary.objects, "Objects of each category")
    _bars(axes[1][0], found, "predicates", vocabulary.predicates, "Relations with each predicate")
    _histogram(axes[0][1], [(s, item.objects_per_image) for s, item in splits], "Objects per image", True)
    title = "Relations per image"
    _histogram(axes[1][1], [(s, item.relations_per_image) for s, item in splits], title, True)
    title = "Box size: root of its area, pixels"
    _histogram(axes[0][2], [(s, item.pixels) for s, item in splits], title, False)
    title = "Box size: root of its share of the image"
    _histogram(axes[1][2], [(s, item.sides) for s, item in splits], title, False)
    save_figure(canvas, out_png)


def _bars(axes: Any, found: Mapping[str, Any], kind: str, names: Sequence[str], title: str) -> None:
    """Counts of the most frequent names, one row of bars a split; the ambiguous share is darker."""
    counts = {split: np.asarray(getattr(item, kind)) for split, item in found.items()}
    order = np.argsort(-sum(counts.values()), kind="stable")[:SHOWN]
    rows = np.arange(len(order))[::-1]
    height = 0.8 / len(found)
    for position, (split, item) in enumerate(found.items()):
        place = rows + 0.4 - (position + 0.5) * height
        asks = kind == "predicates" and hasattr(item, "ambiguous")  # graphs have no queries
        share = f", {100 * item.ambiguous_share:.0f}% ambiguous (dark)" if asks else ""
        axes.barh(place, counts[split][order], height, color=_tone(split, 0.5), label=f"{split}{share}")
        if asks:
            axes.barh(place, item.ambiguous[order], height, color=_tone(split, 0))
    more = f" ({SHOWN} of {len(names)})" if len(names) > SHOWN else ""
    axes.set_title(title + more, fontsize=11)
    axes.set_yticks(rows, [_shortened(names[index]) for index in order], fontsize=8)
    _finish(axes)


def _histogram(axes: Any, series: Sequence[tuple[str, np.ndarray]], title: str, whole: bool) -> None:
    """How values are spread, as a share of each split; the last bin holds all beyond the 99th percentile."""
    values = np.concatenate([item for _, item in series])
    top = float(np.percentile(values, 99)) if len(values) else 1.0
    bins: Any = np.linspace(0, max(top, 1e-6), 31)
    if whole:
        bins = np.arange(0, max(int(top), 1) + 2, max(1, int(top) // 40)) - 0.5
    for split, item in series:
        if len(item):
            clipped = np.minimum(item, bins[-1])
            weights = np.full(len(item), 1 / len(item))
            median = f"{split}, median {np.median(item):.3g}"
            axes.hist(clipped, bins, weights=weights, histtype="step", linewidth=1.8, color=_tone(split, 0))
            axes.plot([], [], color=_tone(split, 0), label=median)
    axes.set_title(title, fontsize=11)
    axes.set_ylabel("share", fontsize=9)
    _finish(axes)


def _finish(axes: Any) -> None:
    axes.tick_params(labelsize=8)
    axes.grid(True, color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)


def _tone(split: str, lighter: float) -> tuple[float, ...]:
    colour: Colour = COLOURS.get(split, SKY)
    return tuple((channel + lighter * (255 - channel)) / 255 for channel in colour)


def _shortened(name: str, longest: int = 24) -> str:
    """A name as a label, of no more letters than that."""
    return plain_text(name if len(name) <= longest else f"{name[: longest - 1]}…")
