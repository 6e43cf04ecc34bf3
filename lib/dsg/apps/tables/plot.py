"""A table of results as bars: subject and object IoU of each row, all queries and ambiguous ones apart."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dsg.apps.tables.plan import Request
from dsg.apps.tables.report import ROLES, SETS, RowResult
from dsg.apps.tables.rows import BASELINE, PUBLISHED_SPLITS, TITLES, published
from dsg.visualize.canvas import BLACK, OBJECT_COLOUR, SUBJECT_COLOUR
from dsg.visualize.curves import plain_text, save_figure
from dsg.visualize.figure import new_figure

WIDTH = 0.38  # of a bar
LABEL = 13  # characters of a row's name that have room side by side


def draw_table(request: Request, rows: Sequence[RowResult], out_png: Path) -> None:
    """Two panels of bars with the spread over seeds, else the standard error; the published values as lines.

    Rows of baselines show their columns rr, which is what was published of them; the others their dsg.

    Raises:
        UserError: when the picture cannot be written.
    """
    known = published(request.table, request.dataset_name)
    figure, canvas = new_figure(figsize=(2.2 + 1.9 * len(rows), 4.2), dpi=110, layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, name in zip(panels, SETS):
        for side, (role, colour) in enumerate(zip(ROLES, (SUBJECT_COLOUR, OBJECT_COLOUR))):
            _bars(axes, rows, name, role, (side - 0.5) * WIDTH, colour)
            if name == "all" and known:
                values = [known[row.row.key][side] for row in rows]
                _published(axes, rows, values, (side - 0.5) * WIDTH, PUBLISHED_SPLITS[request.table])
        axes.set_title(f"{name} queries", fontsize=10)
        axes.set_xticks(range(len(rows)), [textwrap.fill(row.row.title, LABEL) for row in rows], fontsize=8)
        axes.set_ylim(0, 1)
        axes.grid(True, axis="y", color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("IoU")
    about = f"{request.dataset_name} {request.split}, {request.net}"
    if any(row.row.kind == BASELINE for row in rows):
        panels[0].set_xlabel(
            "SS, CO, VRD, SSAS: cells and roles of boxes as rr, the others as dsg", fontsize=8
        )
    figure.suptitle(f"Table {request.table}. {TITLES[request.table]}: {plain_text(about)}", fontsize=11)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    save_figure(canvas, out_png)


def _bars(
    axes: Any, rows: Sequence[RowResult], name: str, role: str, shift: float, colour: tuple[int, int, int]
) -> None:
    places, values, errors = [], [], []
    for place, row in enumerate(rows):
        found = row.figures.get(("rr" if row.row.kind == BASELINE else "dsg", name, role))
        if found is None or math.isnan(found.mean):
            continue
        error = found.stderr if math.isnan(found.spread) else found.spread
        places.append(place + shift)
        values.append(found.mean)
        errors.append(0.0 if math.isnan(error) else error)
    bars = axes.bar(
        places,
        values,
        WIDTH * 0.94,
        yerr=errors,
        capsize=2,
        error_kw={"elinewidth": 1},
        color=[channel / 255 for channel in colour],
        label=role,
    )
    axes.bar_label(bars, fmt="%.2f", fontsize=7, padding=2)


def _published(
    axes: Any, rows: Sequence[RowResult], values: Sequence[float], shift: float, split: str
) -> None:
    half = WIDTH * 0.47
    axes.hlines(
        values,
        [place + shift - half for place in range(len(rows))],
        [place + shift + half for place in range(len(rows))],
        colors=[[channel / 255 for channel in BLACK]],
        linewidth=1.6,
        linestyles=(0, (2, 1)),
        label=f"paper, {split} split" if shift < 0 else None,
    )
