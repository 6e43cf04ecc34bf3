"""A training run as curves: losses, learning rate, validation IoU and box coverage per epoch, in one PNG.

A history is a list of records, one per epoch, or a file with one JSON object per line. Nested groups and
names joined with '/' mean the same. What is drawn is found by name; the rest is ignored:

* x axis: `epoch` (else the record's number),
* total loss: `loss`, `total`, `total_loss` (last part of the name), also of validation,
* loss terms: any other name with a part `loss`, `losses` or with `cross_entropy` in it,
* IoU: `subject_iou`, `object_iou`, `ambiguous_subject_iou`, `ambiguous_object_iou`,
* average precision: `ap`, `mask_ap`, `voc_ap` and others that end so, or with an IoU as `ap_50`,
* boxes: names with `recall` or `best_iou` in them,
* learning rate: `lr`, `learning_rate`.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dsg.errors import UserError
from dsg.runtime.files import write_bytes
from dsg.runtime.limits import is_figure
from dsg.visualize.canvas import (
    BLACK,
    BLUE,
    GREEN,
    OBJECT_COLOUR,
    ORANGE,
    PURPLE,
    SKY,
    SUBJECT_COLOUR,
    Colour,
)
from dsg.visualize.figure import new_figure
from dsg.visualize.fonts import families, shown

Series = dict[str, list[tuple[float, float]]]  # name -> (epoch, value), by epoch

_DEEPEST = 20  # groups in one another
_TOTAL = ("loss", "total", "total_loss")
_RATE = ("lr", "learning_rate")
_SPELLING = {"iou": "IoU", "rpn": "RPN", "rr": "RR", "lr": "learning rate", "gt": "GT"}
_SPELLING.update(ap="AP", voc="VOC")
_CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, SUBJECT_COLOUR, BLACK)


def read_history(path: str | Path) -> list[dict[str, Any]]:
    """The records of a JSON-lines file; a last line without its end (an interrupted write) is left out.

    Raises:
        UserError: when the file cannot be read or a line is not a JSON object.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read the training history ({error})") from error
    lines = text.splitlines()
    if lines and not text.endswith("\n"):
        lines.pop()
    records = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:  # also of numbers and lists without end
            said = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
            raise UserError(f"{path}: line {number} is not JSON ({said}); delete that line") from error
        if not isinstance(record, dict):
            raise UserError(f"{path}: line {number} is not a JSON object; delete that line")
        records.append(record)
    return records


def collect_series(history: Iterable[Mapping[str, Any]]) -> Series:
    """Every number of the history by its full name; a later record of the same epoch (a resumed run) wins."""
    values: dict[str, dict[float, float]] = {}
    for number, record in enumerate(history, start=1):
        flat = dict(_flatten(record))
        epoch = flat.pop("epoch", float(number))
        for name, value in flat.items():
            values.setdefault(name, {})[epoch] = value
    return {name: sorted(points.items()) for name, points in values.items()}


def training_curves(history: Sequence[Mapping[str, Any]] | str | Path, out_png: str | Path) -> list[str]:
    """Draw a history (records, or a JSON-lines file) as a PNG with a panel for each subject.

    Returns:
        The titles of the panels drawn; a subject without data has none. A history without any data gives an
        empty picture that says so.

    Raises:
        UserError: when the history cannot be read or the picture cannot be written.
    """
    records = read_history(history) if isinstance(history, (str, Path)) else history
    series = collect_series(records)
    panels = [(title, names, log) for title, names, log in _panels(series) if names]
    columns = min(3, max(1, len(panels)))
    rows = max(1, math.ceil(len(panels) / columns))
    figure, canvas = new_figure(figsize=(5.4 * columns, 3.9 * rows), dpi=110, layout="constrained")
    for position, (title, names, log) in enumerate(panels, start=1):
        axes = figure.add_subplot(rows, columns, position)
        _draw_panel(axes, title, {name: series[name] for name in names}, log)
    if not panels:
        figure.text(0.5, 0.5, "no epoch finished yet", ha="center", va="center")
    save_figure(canvas, Path(out_png))
    return [title for title, _, _ in panels]


def _panels(series: Series) -> list[tuple[str, list[str], bool]]:
    """Title, names and whether the axis is logarithmic, of every panel."""

    def names(wanted: Callable[[str, str], bool]) -> list[str]:
        return [name for name in series if wanted(name.lower(), name.lower().rsplit("/", 1)[-1])]

    def is_term(name: str, last: str) -> bool:
        in_losses = any(part in ("loss", "losses") for part in name.replace("_", "/").split("/"))
        return last not in _TOTAL and (in_losses or "cross_entropy" in name)

    iou = ("subject_iou", "object_iou", "ambiguous_subject_iou", "ambiguous_object_iou")

    def is_precision(name: str, last: str) -> bool:
        return re.fullmatch(r"([a-z]+_)?ap(_\d+)?", last) is not None

    return [
        ("Loss", names(lambda name, last: last in _TOTAL), False),
        ("Loss terms", names(is_term), True),
        ("IoU of the answers", names(lambda name, last: last in iou), False),
        ("Average precision", names(is_precision), False),
        ("Boxes", names(lambda name, last: "recall" in last or "best_iou" in last), False),
        ("Learning rate", names(lambda name, last: last in _RATE), True),
    ]


def _draw_panel(axes: Any, title: str, series: Series, log: bool) -> None:
    """One panel with its legend; single points are marked, so that one epoch is visible."""
    labels = _short_names(list(series))
    positive = all(value > 0 for points in series.values() for _, value in points)
    for position, (name, points) in enumerate(series.items()):
        colour, style = _style(name, position)
        few = len(points) <= 25
        axes.plot(
            *zip(*points),
            linestyle=style,
            color=[channel / 255 for channel in colour],
            marker="o" if few else None,
            markersize=3,
            linewidth=1.6,
            label=f"{plain_text(labels[name])}  {points[-1][1]:.3g}",
        )
    if log and positive:
        axes.set_yscale("log")
    if title in ("IoU of the answers", "Average precision", "Boxes"):
        axes.set_ylim(0, 1)
    epochs = [epoch for points in series.values() for epoch, _ in points]
    axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
    axes.set_title(title, fontsize=11)
    axes.set_xlabel("epoch", fontsize=9)
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.tick_params(labelsize=8)
    axes.grid(True, color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    # Below the axes, if it can cover no curve.
    axes.legend(
        fontsize=8,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.16),
        ncols=2 if len(series) > 1 else 1,
        frameon=False,
    )


def _style(name: str, position: int) -> tuple[Colour, str]:
    """Colour and line: roles keep their colours in every picture, ambiguous queries are dashed."""
    last = name.rsplit("/", 1)[-1]
    if last.endswith("subject_iou"):
        return SUBJECT_COLOUR, "--" if "ambiguous" in last else "-"
    if last.endswith("object_iou"):
        return OBJECT_COLOUR, "--" if "ambiguous" in last else "-"
    return _CYCLE[position % len(_CYCLE)], "-" if position < len(_CYCLE) else "--"


def _short_names(names: Sequence[str]) -> dict[str, str]:
    """Names without the groups that all of them share, and with blanks."""
    parts = {name: name.split("/") for name in names}
    while len({tuple(p[:1]) for p in parts.values()}) == 1 and all(len(p) > 1 for p in parts.values()):
        parts = {name: p[1:] for name, p in parts.items()}
    words = {name: " ".join(p).replace("_", " ").split() for name, p in parts.items()}
    return {name: " ".join(_SPELLING.get(word, word) for word in w) for name, w in words.items()}


def _flatten(record: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, float]]:
    """Finite numbers of a nested record with names joined by '/'."""
    for key, value in record.items():
        if isinstance(value, Mapping) and prefix.count("/") < _DEEPEST:
            yield from _flatten(value, f"{prefix}{key}/")
        elif is_figure(value):
            yield f"{prefix}{key}", float(value)


def plain_text(text: str) -> str:
    """A name from outside as matplotlib shows it letter by letter: dollars begin no formula, and what no font
    has is a number (`shown`)."""
    return shown(text).replace("$", r"\$").encode("utf-8", "replace").decode("utf-8")


def _choose_fonts(figure: Any) -> None:
    """Give the texts of a figure the fonts that have their letters."""
    from matplotlib.text import Text

    ticks = [
        label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in axis.get_ticklabels()
    ]
    texts = [*figure.findobj(Text), *ticks]
    fonts = families(text.get_text() for text in texts)
    if len(fonts) > 1:
        for text in texts:
            text.set_fontfamily(fonts)


def save_figure(canvas: Any, path: Path) -> None:
    """Write a matplotlib canvas (Agg) as a PNG, in one step; folders are made.

    Raises:
        UserError: when it cannot be written.
    """
    file = io.BytesIO()
    _choose_fonts(canvas.figure)
    canvas.print_png(file)
    write_bytes(path, file.getvalue(), "the picture", make_folder=True)
