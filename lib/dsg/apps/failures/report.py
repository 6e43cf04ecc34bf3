"""The failed answers of a split: counted by class, for people (Markdown, bars) and programs (JSON)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dsg.apps.failures.classes import CLASSES, MEANINGS, PUBLISHED
from dsg.visualize.figure import new_figure


@dataclass(frozen=True)
class Failure:
    """One side of a query that failed."""

    image: str
    query: str  # in words
    role: str  # subject, object
    iou: float
    ambiguous: bool
    classes: tuple[str, ...]  # that fit; the first counts


@dataclass(frozen=True)
class FailureReport:
    """All failed answers of a split."""

    about: str
    below: float  # IoU under which an answer has failed
    answers: int  # subjects and objects that were asked for
    ambiguous_answers: int
    failures: tuple[Failure, ...]

    def shares(self, ambiguous: bool | None = None) -> dict[str, float]:
        """Of each class, its part of the failed answers; 0 without any."""
        chosen = self._chosen(ambiguous)
        return {name: sum(f.classes[0] == name for f in chosen) / max(len(chosen), 1) for name in CLASSES}

    def to_json(self) -> dict[str, Any]:
        """Plain data for `json.dump`."""
        sets = {"all": None, "ambiguous": True, "unambiguous": False}
        return {
            "about": self.about,
            "failed_below_iou": self.below,
            "answers": self.answers,
            "ambiguous_answers": self.ambiguous_answers,
            "failed": {name: self._counts(flag) for name, flag in sets.items()},
            "published_shares": PUBLISHED,
            "failures": [asdict(failure) for failure in self.failures],
        }

    def to_markdown(self) -> str:
        """A table of the classes, with their meaning and the paper's shares."""
        failed = self._counts(None)
        ambiguous = self._counts(True)
        share = 100 * failed["count"] / max(self.answers, 1)
        lines = [
            f"Failed answers: {self.about}. {failed['count']:,} of {self.answers:,} subjects and objects "
            f"({share:.1f}%) have an IoU below {self.below:g}; of {self.ambiguous_answers:,} ambiguous ones "
            f"{ambiguous['count']:,}.",
            "",
            "| class | failed | share | of ambiguous | also fits | paper | what it is |",
            "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
        ]
        for name in CLASSES:
            also = failed["fitting"][name] - failed["by_class"][name]
            lines.append(
                f"| {name} | {failed['by_class'][name]:,} | {100 * self.shares()[name]:.1f}% "
                f"| {100 * self.shares(True)[name]:.1f}% | {also:,} | {100 * PUBLISHED[name]:.1f}% "
                f"| {MEANINGS[name]} |"
            )
        lines += [
            "",
            "A failed answer is in the first class that applies. The paper's shares come from a few failed "
            "answers on Visual Genome, classified by eye.",
            "",
        ]
        return "\n".join(lines)

    def _chosen(self, ambiguous: bool | None) -> Sequence[Failure]:
        return [f for f in self.failures if ambiguous is None or f.ambiguous == ambiguous]

    def _counts(self, ambiguous: bool | None) -> dict[str, Any]:
        chosen = self._chosen(ambiguous)
        return {
            "count": len(chosen),
            "by_class": {name: sum(f.classes[0] == name for f in chosen) for name in CLASSES},
            "fitting": {name: sum(name in f.classes for f in chosen) for name in CLASSES},
        }


def draw_report(report: FailureReport, out_png: Path) -> None:
    """Bars of the classes' shares: all failed answers, the ambiguous ones, and the paper's.

    Raises:
        UserError: when the picture cannot be written.
    """
    from dsg.visualize.canvas import BLUE, GREY, ORANGE
    from dsg.visualize.curves import plain_text, save_figure

    figure, canvas = new_figure(figsize=(8.2, 3.9), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    groups = (
        ("all queries", report.shares(), BLUE),
        ("ambiguous queries", report.shares(True), ORANGE),
        ("paper, Visual Genome", PUBLISHED, GREY),
    )
    width = 0.8 / len(groups)
    for number, (label, shares, colour) in enumerate(groups):
        places = [place + (number - 1) * width for place in range(len(CLASSES))]
        bars = axes.bar(
            places,
            [100 * shares[name] for name in CLASSES],
            width * 0.92,
            label=label,
            color=[channel / 255 for channel in colour],
        )
        axes.bar_label(bars, fmt="%.0f", fontsize=8, padding=1)
    axes.set_xticks(range(len(CLASSES)), CLASSES)
    axes.set_ylabel("% of failed answers")
    title = f"Failed answers (IoU below {report.below:g}): {report.about}"
    axes.set_title(plain_text(title), fontsize=10)
    axes.margins(y=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    save_figure(canvas, out_png)
