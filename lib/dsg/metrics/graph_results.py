"""What an evaluation of scene graphs found: recall by K, per predicate, and how good the masks are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dsg.metrics.coco_ap import CocoResult
from dsg.metrics.graph_recall import KS, Recall
from dsg.metrics.report import aligned

SCORED = 20
"""The K whose mean recall snapshots are compared by."""
FIGURES = {
    "R": "recall",
    "ng-R": "unconstrained",
    "mR": "mean_recall",
    "mR_released": "mean_recall_released",
    "zsR": "zero_shot",
}
"""The figures of `Recall` by their names."""
MASK_FIGURES = ("AP", "AP50", "AP75", "APs", "APm", "APl")
BASE, NOVEL = "base", "novel"
OVERLAPS = {
    "transferred": "transferred",
    "refined": "refined",
    "nearest": "nearest category's",
    "filled": "box filled",
}
"""What is compared with true masks, by names in tables."""


@dataclass(frozen=True)
class MaskOverlaps:
    """Mean IoU with the true masks of objects whose category copies a mask (base) and of others (novel)."""

    objects: Mapping[str, int]  # base, novel -> how many
    ious: Mapping[str, Mapping[str, float]]  # a key of OVERLAPS -> base, novel -> mean IoU


@dataclass(frozen=True)
class GraphResults:
    """The outcome of an evaluation of scene graphs in a setting."""

    setting: str  # predcls, sgcls or sgdet
    images: int  # with relations
    relations: int
    recalls: Mapping[int, Recall]  # by K
    predicates: tuple[str, ...]
    counts: np.ndarray  # int [R]: relations of each predicate
    masks: CocoResult | None = None  # of the images of the data set with masks, None where not measured
    refined: CocoResult | None = None
    overlaps: MaskOverlaps | None = None  # on generated data
    skipped: Mapping[str, str] = field(default_factory=dict)  # image -> why it was not evaluated

    @property
    def score(self) -> float:
        """What snapshots are compared by: mR@20."""
        return self.recalls[SCORED].mean_recall

    def summary(self) -> dict[str, float]:
        """All figures by name; those without data are left out."""
        figures: dict[str, float] = {"images": self.images, "relations": self.relations}
        for k, recall in self.recalls.items():
            values = {name.lower().replace("-", "_"): getattr(recall, of) for name, of in FIGURES.items()}
            figures.update({f"{name}_{k}": float(value) for name, value in values.items()})
        for name, result in (("mask_ap", self.masks), ("refined_mask_ap", self.refined)):
            if result is not None:
                figures[name] = result.figures["AP"]
        if self.overlaps is not None:
            for name, kinds in self.overlaps.ious.items():
                figures.update({f"iou_{name}_{kind}": value for kind, value in kinds.items()})
        return {name: value for name, value in figures.items() if not math.isnan(value)}

    def headline(self) -> str:
        """The most important figures, for one line of a log."""
        shown = [("mR", "mean_recall"), ("R", "recall"), ("zsR", "zero_shot")]
        parts = [
            f"{title}@{k} {_text(getattr(self.recalls[k], name))}" for title, name in shown for k in KS[:2]
        ]
        return "  ".join([self.setting, *parts])

    def table(self) -> str:
        """The figures as text: of all, of masks, then of each predicate, the frequent first."""
        counts = f"{self.images:,} images, {self.relations:,} relations, {len(self.skipped)} skipped"
        lines = [f"{self.setting}: {counts}"]
        rows = [("", *(f"@{k}" for k in self.recalls))]
        for title, name in FIGURES.items():
            values = (_text(getattr(recall, name)) for recall in self.recalls.values())
            rows.append((title.replace("_", " as "), *values))
        lines += ["", *aligned(rows)]
        measured = [("No Refine", self.masks), ("+ Refine", self.refined)]
        measured = [(title, result) for title, result in measured if result is not None]
        if measured:
            rows = [("mask AP", *MASK_FIGURES)]
            rows += [(t, *(_text(one.figures[name]) for name in MASK_FIGURES)) for t, one in measured if one]
            lines += ["", *aligned(rows)]
        if self.overlaps is not None:
            kinds = (BASE, NOVEL)
            rows = [("IoU with true masks", *(f"{kind} ({self.overlaps.objects[kind]:,})" for kind in kinds))]
            for name, title in OVERLAPS.items():
                if name in self.overlaps.ious:
                    rows.append((title, *(_text(self.overlaps.ious[name][kind]) for kind in kinds)))
            lines += ["", *aligned(rows)]
        rows = [("predicate", "relations", *(f"R@{k}" for k in self.recalls))]
        for number in np.argsort(-self.counts, kind="stable").tolist():
            if self.counts[number]:
                values = (_text(recall.per_predicate[number]) for recall in self.recalls.values())
                rows.append((self.predicates[number], str(self.counts[number]), *values))
        return "\n".join([*lines, "", *aligned(rows)]) + "\n"

    def to_json(self) -> dict[str, Any]:
        """Everything, ready for `json.dump`; undefined figures are None."""
        recalls = {
            str(k): {name: _number(getattr(recall, of)) for name, of in FIGURES.items()}
            for k, recall in self.recalls.items()
        }
        content: dict[str, Any] = {
            "setting": self.setting,
            "images": self.images,
            "relations": self.relations,
            "score": _number(self.score),
            "recall": recalls,
            "predicates": {
                name: {
                    "relations": int(self.counts[number]),
                    **{
                        f"recall_{k}": _number(recall.per_predicate[number])
                        for k, recall in self.recalls.items()
                    },
                }
                for number, name in enumerate(self.predicates)
            },
            "masks": {
                name: {key: _number(value) for key, value in result.figures.items()}
                for name, result in (("no_refine", self.masks), ("refine", self.refined))
                if result is not None
            },
            "skipped": dict(self.skipped),
        }
        if self.overlaps is not None:
            ious = {
                name: {kind: _number(value) for kind, value in values.items()}
                for name, values in self.overlaps.ious.items()
            }
            content["overlaps"] = {"objects": dict(self.overlaps.objects), "iou": ious}
        return content


def _text(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
