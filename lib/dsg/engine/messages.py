"""What training says while it runs, one line each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dsg.engine.state import TrainState
from dsg.engine.step import StepReport
from dsg.runtime.progress import duration

IMAGES_NAMED = 4
SCORES = (  # label and key of `EvaluationResults.summary`
    ("subject IoU", "subject_iou"),
    ("object IoU", "object_iou"),
    ("ambiguous subject", "ambiguous_subject_iou"),
    ("ambiguous object", "ambiguous_object_iou"),
    ("RPN recall", "rpn_recall_50"),
)


def progress_line(report: StepReport, state: TrainState) -> str:
    """The losses of a step and the speed of its epoch."""
    terms = " ".join(f"{name} {value:.3g}" for name, value in report.losses.items() if name != "total")
    speed = f" {state.current.speed:.2f} images/s" if state.current.speed else ""
    return f"epoch {state.epoch + 1} total {report.losses['total']:.4g} ({terms}){speed}"


def progress_brief(report: StepReport, state: TrainState) -> str:
    """The same beside a progress bar."""
    speed = f" {state.current.speed:.1f} images/s" if state.current.speed else ""
    return f"epoch {state.epoch + 1} loss {report.losses['total']:.3g}{speed}"


def bad_step_line(report: StepReport, images: Sequence[str]) -> str:
    """What of a step was not finite, and on which images."""
    spoilt = [term for term, value in report.losses.items() if not math.isfinite(value)] or ["gradient"]
    shown = ", ".join(images[:IMAGES_NAMED]) + (", ..." if len(images) > IMAGES_NAMED else "")
    return f"not finite: {', '.join(spoilt)}; images: {shown}"


def epoch_line(entry: dict[str, Any]) -> str:
    """An entry of the history: loss and validation scores of an epoch."""
    parts = [f"epoch {entry['epoch']}:"]
    if entry["total"] is not None:
        parts.append(f"loss {entry['total']:.4g}")
    scores = entry["validation"]
    parts += [f"{label} {scores[key]:.4f}" for label, key in SCORES if key in scores]
    parts.append(f"({entry['images_per_second']:.2f} images/s, {duration(entry['seconds'])})")
    return "  ".join(parts)
