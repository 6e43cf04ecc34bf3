"""The cost of masks in a grounded scene graph as people read it. No TensorFlow here."""

from __future__ import annotations

from typing import Any

from dsg.apps.cost.report import TASKS, compared, gflop, machine_of, millions, table

OPERATIONS = ("GFLOP, answer without masks", "with", "GFLOP, training step")


def format_grounded(report: dict[str, Any], name: str) -> str:
    """Markdown under the `name` of the configuration: totals, then the parts."""
    about = report["about"]
    width, height = about["size"]
    sums = {
        kind: {variant: sum(parts.values()) for variant, parts in report[kind].items()}
        for kind in ("parameters", "inference_gflop", "training_gflop")
    }
    rows = [
        ("parameters", *compared(sums["parameters"], millions)),
        ("GFLOP of an answer", *compared(sums["inference_gflop"], gflop)),
        ("GFLOP of a training step", *compared(sums["training_gflop"], gflop)),
    ]
    for kind, heading in (("seconds", "seconds of"), ("processor_seconds", "processor seconds of")):
        for task, both in report[kind].items():
            rows.append((f"{heading} {TASKS[task]}", *compared(both, lambda value: f"{value:.3g}")))
    lines = [
        f"# Cost of grounding: {name}",
        "",
        f"One image of {width} x {height} pixels with {about['boxes']} given boxes and all their pairs, in "
        f"training {about['pairs']} of them; {machine_of(report)}. Without masks is the same with "
        "`GROUNDING.NODE_MASKS False`, `GROUNDING.EDGE_MASK none` and a detector without masks.",
        "",
        *table(("", "without masks", "with", "masks add"), rows),
        "",
        "Operations are those of convolutions and matrix products outside of loops; a multiplication and an "
        "addition count as two, and a convolution as its direct form. The recurrent products of a context, "
        "which are small, are in loops.",
        "",
        "## By part",
        "",
        *table(("part", "parameters", "of these trained", *OPERATIONS), _by_part(report)),
    ]
    return "\n".join(lines) + "\n"


def _by_part(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """With masks; operations of an answer also without."""
    columns = [
        report["inference_gflop"]["without"],
        report["inference_gflop"]["with"],
        report["training_gflop"]["with"],
    ]
    trained = report["trained"]["with"]
    return [
        (part, f"{count:,}", f"{trained.get(part, 0):,}", *(gflop(column.get(part, 0)) for column in columns))
        for part, count in report["parameters"]["with"].items()
    ]
