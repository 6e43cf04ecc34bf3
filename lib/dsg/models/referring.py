"""What the systems have in common that answer referring relationships."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from dsg.engine.task import M, Pictures
from dsg.metrics.report import QUERIES, write_queries
from dsg.metrics.results import EvaluationResults
from dsg.models.drawing import Drawings, DrawingTask, Evaluate, Observer
from dsg.visualize.iou_curves import CURVES, draw_iou_curves, save_iou_curves

__all__ = ["Drawings", "Evaluate", "Observer", "ReferringTask"]

E = TypeVar("E", bound=EvaluationResults)


class ReferringTask(DrawingTask[M, E]):
    """The common part of a `dsg.engine.task.Task`."""

    def curves(self, results: E) -> Pictures:
        return {"validation_iou_curves": draw_iou_curves(results.iou_curves())}

    def write(self, results: E, folder: Path) -> None:
        write_queries(results, folder / QUERIES)
        save_iou_curves(results.iou_curves(), folder / CURVES)

    def score_text(self, score: float) -> str:
        return f"IoU {score:.4f}"

    def to_be_lowered(self, summary: Mapping[str, float]) -> float:
        """The loss, or the lack of IoU where no loss was measured."""
        if "loss" in summary:
            return summary["loss"]
        return 1.0 - (summary.get("subject_iou", 0.0) + summary.get("object_iou", 0.0)) / 2
