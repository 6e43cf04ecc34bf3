"""The cost of the graph as people read it: the paper's Table 3 with the published numbers beside ours, the
same part by part, and a picture. No TensorFlow here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dsg.visualize.canvas import BLUE, GREY, LIGHT, VERMILLION, Colour
from dsg.visualize.figure import new_figure

WITH, WITHOUT = "with", "without"
PARTS_WITHOUT_USE = ("unused gate",)
GENERATOR = ("graph layer (GPI)",)
BACKBONE = ("trunk", "entity head")
TASKS = {"inference": "an answer", "training": "a training step"}
Report = Mapping[str, Any]


def format_cost(report: Report, name: str) -> str:
    """Markdown under the `name` of the configuration: what was measured, the paper's table, the parts."""
    about = report["about"]
    height, width = about["image_size"]["test"]
    lines = [
        f"# Cost of the graph: {name}",
        "",
        f"One image of {width} x {height} pixels, {about['proposals']} proposals, {about['queries']} "
        f"queries, {about['entities']} categories, {about['predicates']} predicates; "
        f"{machine_of(report)}. Without the graph is the same configuration with `VARIANT no_dsg`.",
        "",
        *table(("", "without", "with", "the graph adds", "published"), _summary(report)),
        "",
        "Operations are those of convolutions and matrix products; a multiplication and an addition count "
        "as two. A convolution counts as its direct form, however it is computed. Published numbers are the "
        "paper's (Table 3), measured on a GPU.",
        "",
        "## By part",
        "",
        *table(
            ("part", "parameters", "of these trained", "GFLOP, answer", "GFLOP, training step"),
            _by_part(report),
        ),
        "",
        "The relation and entity heads of a ResNet are copies of its fourth block. Backbone: trunk and "
        "entity head, the whole ResNet. The graph layer is what the paper calls the DSG generator. Parts "
        'called "without graph" read unrefined features: they answer if there is no graph, and are trained '
        "along with it if there is one. Training with a graph also uses the ground-truth boxes.",
    ]
    return "\n".join(lines) + "\n"


def totals(report: Report) -> dict[str, dict[str, float]]:
    """{kind: {WITH, WITHOUT: sum over parts}} of everything counted; the gate that nothing reads left out."""
    return {
        kind: {name: _sum(parts, exclude=PARTS_WITHOUT_USE) for name, parts in report[kind].items()}
        for kind in ("parameters", "trained", "inference_gflop", "training_gflop")
    }


def draw_cost(report: Report, out_png: Path) -> None:
    """A panel each for parameters, operations and seconds: with and without the graph.

    Raises:
        UserError: when the picture cannot be written.
    """
    from dsg.visualize.curves import save_figure

    timed = bool(report["seconds"])
    figure, canvas = new_figure(figsize=(15 if timed else 11, 4.4), dpi=110, layout="constrained")
    axes = figure.subplots(1, 3 if timed else 2, width_ratios=[2, 2, 1][: 3 if timed else 2])
    millions = {part: value / 1e6 for part, value in report["parameters"][WITH].items()}
    _bars(axes[0], "Parameters, millions", millions, report["parameters"][WITHOUT])
    _bars(
        axes[1],
        "Operations of an answer, GFLOP",
        report["inference_gflop"][WITH],
        report["inference_gflop"][WITHOUT],
    )
    if timed:
        _times(axes[2], report["seconds"])
    save_figure(canvas, out_png)


def _summary(report: Report) -> list[tuple[str, ...]]:
    found = totals(report)
    rows: list[tuple[str, ...]] = [
        ("parameters", *compared(found["parameters"], millions), ""),
        ("parameters, graph layer", "", millions(_graph(report, "parameters")), "", "< 4 M"),
        ("parameters, backbone", *_backbone(report, "parameters", millions), "> 40 M"),
    ]
    gate = _sum(report["parameters"][WITH], only=PARTS_WITHOUT_USE)
    if gate:
        rows.append(("parameters, unused gate (in no sum)", "", millions(gate), "", ""))
    rows += [
        ("GFLOP of an answer", *compared(found["inference_gflop"], gflop), ""),
        ("GFLOP, graph layer", "", gflop(_graph(report, "inference_gflop")), "", "< 1.5"),
        ("GFLOP, backbone", *_backbone(report, "inference_gflop", gflop), "> 15"),
        ("GFLOP of a training step", *compared(found["training_gflop"], gflop), ""),
    ]
    published = {
        "inference": "0.045 s without, 0.054 s with: +20% (GPU)",
        "training": "0.165 s without, +15% with (GPU)",
    }
    for kind, heading in (("seconds", "seconds of"), ("processor_seconds", "processor seconds of")):
        for task, both in report[kind].items():
            text = published[task] if kind == "seconds" else ""
            rows.append((f"{heading} {TASKS[task]}", *compared(both, lambda value: f"{value:.3g}"), text))
    return rows


def _by_part(report: Report) -> list[tuple[str, ...]]:
    kinds = ("parameters", "trained", "inference_gflop", "training_gflop")
    rows = []
    for part in report["parameters"][WITH]:
        values = [report[kind][WITH].get(part, 0) for kind in kinds]
        where = "" if part in report["parameters"][WITHOUT] else " *"
        rows.append((part + where, *(f"{value:,}" for value in values[:2]), *map(gflop, values[2:])))
    sums = totals(report)
    together = [sums[kind][WITH] for kind in kinds]
    rows.append(
        ("all, * with the graph only", *(f"{value:,}" for value in together[:2]), *map(gflop, together[2:]))
    )
    return rows


def compared(values: Mapping[str, float], show: Any) -> tuple[str, str, str]:
    """Without, with, and what is added."""
    without, with_ = values[WITHOUT], values[WITH]
    added = with_ - without
    return show(without), show(with_), f"{show(added)}: {added / without:+.1%}" if without else ""


def _backbone(report: Report, kind: str, show: Any) -> tuple[str, str, str]:
    without, with_ = (show(_sum(report[kind][name], only=BACKBONE)) for name in (WITHOUT, WITH))
    return without, with_, ""


def _graph(report: Report, kind: str) -> float:
    return _sum(report[kind][WITH], only=GENERATOR)


def _sum(parts: Mapping[str, float], only: Sequence[str] | None = None, exclude: Sequence[str] = ()) -> Any:
    return sum(
        value for part, value in parts.items() if (only is None or part in only) and part not in exclude
    )


def machine_of(report: Report) -> str:
    """Where it was measured, in words."""
    machine, device = report["machine"], report["about"]["device"]
    where = f"{machine['processor']}, {machine['cores']} cores" if device == "CPU" else device
    return f"{where}, TensorFlow {machine['tensorflow']}"


def millions(value: float) -> str:
    """1234567 as 1.23 M."""
    return f"{value / 1e6:.2f} M"


def gflop(value: float) -> str:
    """Thousand millions of operations to three digits."""
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table; numbers stand on the right."""
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def _bars(axes: Any, title: str, parts: Mapping[str, float], without: Mapping[str, float]) -> None:
    """A bar for each part, the model's first part at the top; what only the graph needs has its own
    colour.
    """
    names = list(parts)[::-1]
    values = [parts[name] for name in names]
    colours = [_web(LIGHT if n in PARTS_WITHOUT_USE else GREY if n in without else VERMILLION) for n in names]
    axes.barh(range(len(names)), values, color=colours)
    for place, value in enumerate(values):
        axes.text(value, place, f" {value:.3g}", va="center", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.margins(x=0.14)
    axes.set_title(title, fontsize=11)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    for label, colour in (("detector and entities", GREY), ("with the graph only", VERMILLION)):
        axes.barh(0, 0, color=_web(colour), label=label)
    axes.legend(fontsize=8, loc="lower right", frameon=False)


def _times(axes: Any, seconds: Mapping[str, Mapping[str, float]]) -> None:
    """Seconds of an answer and of a training step, with the graph and without."""
    for shift, (name, colour) in zip((-0.2, 0.2), ((WITHOUT, GREY), (WITH, BLUE))):
        values = [both[name] for both in seconds.values()]
        places = [place + shift for place in range(len(values))]
        axes.bar(places, values, 0.38, color=_web(colour), label=f"{name} the graph")
        for place, value in zip(places, values):
            axes.text(place, value, f"{value:.3g}", ha="center", va="bottom", fontsize=8)
    axes.set_xticks(range(len(seconds)), [TASKS[task] for task in seconds], fontsize=9)
    axes.set_title("Seconds", fontsize=11)
    axes.margins(y=0.15)
    axes.tick_params(axis="y", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)


def _web(colour: Colour) -> list[float]:
    return [channel / 255 for channel in colour]
