"""A detector's failures on a split: counted by kind, for people (Markdown, a page) and programs (JSON)."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dsg.apps.failures.objects import CLASS, MEANINGS, MISSED
from dsg.apps.report.page import render

TEMPLATE = Path(__file__).with_name("objects.html")
PAIRS = 10  # of classes that are taken for each other


@dataclass(frozen=True)
class NamedFailure:
    """A failure in words."""

    image: str
    kind: str  # of `MEANINGS`
    found_as: str  # class of the detection; empty where an object was missed
    truth: str  # class of the object that it is on or near, or that was missed; empty for background
    score: float | None  # of the detection
    iou: float
    box: tuple[float, ...]  # x1 y1 x2 y2 in pixels of the image: of the detection, or of the missed object

    def text(self) -> str:
        """The failure for a list."""
        if self.kind == MISSED:
            return f"missed: {self.truth}"
        near = f", {self.truth} at IoU {self.iou:.2f}" if self.truth else ""
        return f"{self.kind}: {self.found_as} {self.score:.2f}{near}"


@dataclass(frozen=True)
class WorstImage:
    """One of the images with the most failures."""

    name: str
    picture: Path
    failures: tuple[NamedFailure, ...]

    @property
    def title(self) -> str:
        """Name and numbers of failures by kind."""
        counts = collections.Counter(failure.kind for failure in self.failures)
        return f"{self.name}: {', '.join(f'{counts[kind]} {kind}' for kind in MEANINGS if counts[kind])}"


@dataclass(frozen=True)
class ObjectReport:
    """All failures of a detector on a split."""

    about: str
    score: float  # that a detection has at least
    on: float  # IoU from which a detection is on an object
    images: int
    objects: int  # that count
    right: int  # detections that found one
    headline: str  # average precision
    failures: tuple[NamedFailure, ...]
    skipped: Mapping[str, str]  # image -> why it was not looked at

    def counts(self) -> dict[str, int]:
        """Failures of each kind."""
        counts = collections.Counter(failure.kind for failure in self.failures)
        return {kind: counts[kind] for kind in MEANINGS}

    def confusions(self) -> list[tuple[str, str, int]]:
        """Which class was taken for which, and how often, the most frequent first."""
        pairs = collections.Counter((one.truth, one.found_as) for one in self.failures if one.kind == CLASS)
        return [(*pair, count) for pair, count in sorted(pairs.items(), key=lambda item: (-item[1], item[0]))]

    def summary(self) -> str:
        """One line about all of them."""
        detections = self.right + sum(failure.kind != MISSED for failure in self.failures)
        return (
            f"{self.about}: {self.right:,} of {self.objects:,} objects in {self.images:,} images are found, "
            f"with {detections:,} detections (score {self.score:g} or more, IoU {self.on:g} or more)"
        )

    def rows(self) -> list[tuple[str, ...]]:
        """A table of the kinds, the first row its titles."""
        counts, total = self.counts(), max(len(self.failures), 1)
        titles = ("failure", "number", "share", "what it is")
        rows = [(k, f"{counts[k]:,}", f"{100 * counts[k] / total:.1f}%", MEANINGS[k]) for k in MEANINGS]
        return [titles, *rows]

    def confusion_rows(self) -> list[tuple[str, ...]]:
        """The most frequent of `confusions`, the first row its titles; empty without any."""
        pairs = self.confusions()[:PAIRS]
        rows = [(truth, found, str(count)) for truth, found, count in pairs]
        return [("object", "found as", "number"), *rows] if rows else []

    def to_json(self) -> dict[str, Any]:
        """Plain data for `json.dump`."""
        return {
            "about": self.about,
            "score": self.score,
            "iou": self.on,
            "images": self.images,
            "objects": self.objects,
            "right": self.right,
            "failed": self.counts(),
            "confusions": self.confusions(),
            "skipped": dict(self.skipped),
            "failures": [asdict(failure) for failure in self.failures],
        }

    def to_markdown(self) -> str:
        """Tables of the kinds, and of classes that are taken for each other."""
        tables = [_markdown(rows) for rows in (self.rows(), self.confusion_rows()) if rows]
        return "\n\n".join([f"{self.summary()}. {self.headline}", *tables]) + "\n"

    def to_html(self, worst: Sequence[WorstImage]) -> str:
        """A page that opens without other files: the tables, and the images with the most failures."""
        return render(TEMPLATE, report=self, worst=worst)


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *rest = rows
    lines = [head, ["---" if place in (0, len(head) - 1) else "---:" for place in range(len(head))], *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
