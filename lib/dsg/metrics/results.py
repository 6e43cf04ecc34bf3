"""What an evaluation found: means with standard errors over sets of queries, per-query values, box coverage.

`EvaluationResults` is filled by `dsg.metrics.evaluation.Evaluator`, answers questions (`score`, `scores`,
`summary`) and goes out as JSON (`to_json`); `dsg.metrics.report` writes it for people.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from dsg.metrics.box_accuracy import Accuracies, accuracies, accuracies_json
from dsg.metrics.iou_curves import THRESHOLDS, iou_curves

HEADLINE = (  # label and key of `EvaluationResults.summary`
    ("subject IoU", "subject_iou"),
    ("object IoU", "object_iou"),
    ("ambiguous subject", "ambiguous_subject_iou"),
    ("ambiguous object", "ambiguous_object_iou"),
    ("RPN recall", "rpn_recall_50"),
)


@dataclass(frozen=True)
class Mean:
    """A mean and its standard error, sample deviation / sqrt(n); nan where undefined (n = 0; n < 2)."""

    mean: float
    stderr: float

    @staticmethod
    def of(values: np.ndarray) -> Mean:
        """The mean of a float array [n]."""
        count = len(values)
        deviation = float(np.std(values, ddof=1)) / math.sqrt(count) if count > 1 else math.nan
        return Mean(float(np.mean(values)) if count else math.nan, deviation)

    def __str__(self) -> str:
        if math.isnan(self.mean):
            return "-"
        return f"{self.mean:.3f}" + ("" if math.isnan(self.stderr) else f" +- {self.stderr:.3f}")


@dataclass(frozen=True)
class RoleScores:
    """Subject and object IoU over one set of queries."""

    queries: int
    subject: Mean
    object: Mean


@dataclass(frozen=True)
class Coverage:
    """How well boxes cover the ground truth (+1 widths): recall by IoU threshold, mean best IoU."""

    recall: dict[float, float]
    mean_best_iou: float


@dataclass(frozen=True)
class QueryColumns:
    """Per-query values, S queries in the order of evaluation."""

    image: np.ndarray  # [S] int64, position in EvaluationResults.image_names
    query: np.ndarray  # [S, 3] int64, subject category, predicate, object category
    ambiguous: np.ndarray  # [S] bool
    # convention -> subject IoU [S], object IoU [S], float64; nan if it does not ask the query
    iou: dict[str, tuple[np.ndarray, np.ndarray]]
    # counting of widths -> IoU of boxes [4, 3, S], see `dsg.metrics.box_accuracy`; empty without boxes
    boxes: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class EvaluationResults:
    """The outcome of an evaluation, in the conventions 'dsg' and 'rr' (see `dsg.metrics.raster`)."""

    predicates: tuple[str, ...]
    entities: tuple[str, ...] | None
    image_names: tuple[str, ...]
    columns: QueryColumns
    gt_boxes: int
    proposals: Coverage | None
    refined: Coverage | None
    skipped: dict[str, str] = field(default_factory=dict)  # image name -> why it was not evaluated

    @property
    def queries(self) -> int:
        """The number of queries evaluated."""
        return len(self.columns.image)

    @property
    def score(self) -> float:
        """What snapshots are compared by: (subject + object IoU) / 2 over all queries; nan without any."""
        scores = self.scores()
        return (scores.subject.mean + scores.object.mean) / 2

    def scores(
        self, convention: str = "dsg", ambiguous: bool | None = None, predicate: int | None = None
    ) -> RoleScores:
        """Means over ambiguous (True), unambiguous (False) or all (None) queries, of a predicate or all."""
        subject, object_ = self.columns.iou[convention]
        chosen = ~np.isnan(subject)
        if ambiguous is not None:
            chosen &= self.columns.ambiguous == ambiguous
        if predicate is not None:
            chosen &= self.columns.query[:, 1] == predicate
        return RoleScores(int(chosen.sum()), Mean.of(subject[chosen]), Mean.of(object_[chosen]))

    def box_accuracy(self, counting: str = "exclusive", ambiguous: bool | None = None) -> Accuracies | None:
        """How often the most probable box is right, over ambiguous (True), unambiguous (False) or all (None)
        queries; None for systems that predict no boxes.
        """
        return self._accuracies(counting, ambiguous) if counting in self.columns.boxes else None

    def _accuracies(self, counting: str, ambiguous: bool | None) -> Accuracies:
        columns = self.columns
        chosen = np.ones(self.queries, bool) if ambiguous is None else columns.ambiguous == ambiguous
        return accuracies(columns.boxes[counting][:, :, chosen], columns.image[chosen], self.image_names)

    def predicates_by_count(self) -> list[int]:
        """The predicates that occur in the queries, most frequent first."""
        counts = np.bincount(self.columns.query[:, 1], minlength=len(self.predicates))
        return [int(index) for index in np.argsort(-counts, kind="stable") if counts[index]]

    def iou_curves(self) -> dict[str, Any]:
        """'thresholds', and of each convention the share of queries whose IoU is at least these: see
        `dsg.metrics.iou_curves`.
        """
        flags = self.columns.ambiguous
        found = {name: iou_curves(*pair, flags) for name, pair in self.columns.iou.items()}
        return {"thresholds": list(THRESHOLDS), **found}

    def summary(self) -> dict[str, float]:
        """The headline figures in a flat dictionary, for logs and curves; those without data are left out."""
        figures: dict[str, float] = {"images": len(self.image_names), "queries": self.queries}
        for prefix, scores in (
            ("", self.scores()),
            ("ambiguous_", self.scores(ambiguous=True)),
            ("rr_", self.scores("rr")),
        ):
            figures[f"{prefix}subject_iou"] = scores.subject.mean
            figures[f"{prefix}object_iou"] = scores.object.mean
        for name, coverage in (("rpn", self.proposals), ("refined", self.refined)):
            if coverage is not None:
                for threshold, value in coverage.recall.items():
                    figures[f"{name}_recall_{round(100 * threshold)}"] = value
                figures[f"{name}_best_iou"] = coverage.mean_best_iou
        return {key: value for key, value in figures.items() if not math.isnan(value)}

    def headline(self) -> str:
        """The most important figures of `summary`, for one line of a log."""
        figures = self.summary()
        return "  ".join(f"{label} {figures[key]:.4f}" for label, key in HEADLINE if key in figures)

    def to_json(self) -> dict[str, Any]:
        """Everything but the per-query values, ready for `json.dump`; undefined figures are None."""
        conventions = {
            convention: {
                "all": asdict(self.scores(convention)),
                "ambiguous": asdict(self.scores(convention, ambiguous=True)),
                "unambiguous": asdict(self.scores(convention, ambiguous=False)),
                "predicates": {
                    self.predicates[index]: {
                        "all": asdict(self.scores(convention, predicate=index)),
                        "ambiguous": asdict(self.scores(convention, ambiguous=True, predicate=index)),
                    }
                    for index in self.predicates_by_count()
                },
            }
            for convention in self.columns.iou
        }
        return _without_nan(
            {
                "images": len(self.image_names),
                "queries": self.queries,
                "skipped": dict(self.skipped),
                "score": self.score,
                "iou": conventions,
                "iou_curves": self.iou_curves(),
                "gt_boxes": self.gt_boxes,
                "proposals": _coverage_json(self.proposals),
                "refined": _coverage_json(self.refined),
                "box_accuracy": self._box_accuracy_json(),
            }
        )

    def _box_accuracy_json(self) -> dict[str, Any] | None:
        sets = {"all": None, "ambiguous": True, "unambiguous": False}
        found = {
            counting: {name: self._accuracies(counting, flag) for name, flag in sets.items()}
            for counting in self.columns.boxes
        }
        return accuracies_json(found) if found else None


def _coverage_json(coverage: Coverage | None) -> dict[str, Any] | None:
    if coverage is None:
        return None
    recalls = {f"{threshold:g}": value for threshold, value in coverage.recall.items()}
    return {"recall": recalls, "mean_best_iou": coverage.mean_best_iou}


def _without_nan(value: Any) -> Any:
    """The same JSON value with None for nan, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
