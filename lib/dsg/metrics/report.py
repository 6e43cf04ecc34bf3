"""Results of an evaluation for people and spreadsheets: a table, and a row per query (JSON lines, CSV)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dsg.metrics.box_accuracy import (
    ANSWER,
    AT_HALF,
    BEST_BOX,
    BEST_PROPOSAL,
    CASES,
    MEAN,
    ROLES,
    TRUE_BOXES,
)
from dsg.metrics.results import EvaluationResults
from dsg.runtime.files import write_text

QUERIES = "queries.jsonl"  # file of a test
BOX_TITLE = "most probable box"
BOX_LIMITS = (  # titles of what limits the accuracy of boxes
    ("  best of its boxes", BEST_BOX),
    ("  best of the proposals", BEST_PROPOSAL),
    ("  its choice, true boxes", TRUE_BOXES),
)
BOX_NOTE = "(in brackets: 95% of the shares of resampled images)"


def format_table(results: EvaluationResults, max_predicates: int | None = None) -> str:
    """The results as text: all, ambiguous and unambiguous queries, each predicate, how well boxes cover
    the truth, how often the most probable ones are right.

    Args:
        results: what to show.
        max_predicates: only so many of the most frequent (a closing line counts the others).
    """
    order = results.predicates_by_count()
    shown = order[:max_predicates]
    sets: list[tuple[str, bool | None, int | None]] = [
        ("all queries", None, None),
        ("  ambiguous", True, None),
        ("  unambiguous", False, None),
    ]
    for index in shown:
        sets += [(results.predicates[index], None, index), ("  ambiguous", True, index)]
    rows: list[Sequence[str]] = [
        ("", "queries", "subject IoU", "object IoU", "rr subject", "rr object"),
    ]
    for label, ambiguous, predicate in sets:
        dsg, rr = (results.scores(convention, ambiguous, predicate) for convention in ("dsg", "rr"))
        if dsg.queries or predicate is None:
            rows.append(
                (label, str(dsg.queries), *map(str, (dsg.subject, dsg.object, rr.subject, rr.object)))
            )
    images = f"{len(results.image_names)} images, {len(results.skipped)} skipped"
    lines = [f"{images}, {results.queries} queries", ""]
    lines += aligned(rows)
    if len(shown) < len(order):
        lines.append(f"({len(order) - len(shown)} rarer predicates not shown)")
    lines.append("")
    for name, coverage in (("RPN proposals", results.proposals), ("refined boxes", results.refined)):
        if coverage is not None:
            recalls = ", ".join(f"{value:.3f} at IoU {t:g}" for t, value in coverage.recall.items())
            best = f"mean best IoU {coverage.mean_best_iou:.3f}"
            lines.append(f"{name:<13}  recall {recalls}; {best} ({results.gt_boxes} boxes)")
    return "\n".join([*lines, *_box_lines(results)]).rstrip() + "\n"


def _box_lines(results: EvaluationResults) -> list[str]:
    """Accuracy of the most probable boxes and what limits it; nothing for systems without boxes."""
    whole, unsure = results.box_accuracy(), results.box_accuracy(ambiguous=True)
    if whole is None or unsure is None:
        return []
    rows: list[Sequence[str]] = [(BOX_TITLE, *ROLES)]
    for at in (AT_HALF, MEAN):
        shown = [(f"right at IoU {at}", whole[ANSWER]), ("  ambiguous", unsure[ANSWER])]
        shown += [(title, whole[case]) for title, case in BOX_LIMITS]
        rows += [(title, *(str(found[role][at]) for role in ROLES)) for title, found in shown]
    return ["", *aligned(rows), BOX_NOTE]


def query_rows(results: EvaluationResults) -> Iterator[dict[str, object]]:
    """One flat dictionary per query: image, indices (and names), ambiguous, IoUs in both conventions; of
    systems with boxes also the IoU of the most probable ones (widths x2 - x1), of subject, object and both.
    """
    columns = results.columns
    for row in range(results.queries):
        subject, predicate, object_ = (int(value) for value in columns.query[row])
        record: dict[str, object] = {
            "image": results.image_names[columns.image[row]],
            "subject": subject,
            "predicate": predicate,
            "object": object_,
        }
        if results.entities is not None:
            names = (results.entities[subject], results.predicates[predicate], results.entities[object_])
            record["text"] = " ".join(names)
        record["ambiguous"] = bool(columns.ambiguous[row])
        for convention, (subject_iou, object_iou) in columns.iou.items():
            prefix = "" if convention == "dsg" else f"{convention}_"
            for role, iou in (("subject", subject_iou), ("object", object_iou)):
                asked = not np.isnan(iou[row])
                record[f"{prefix}{role}_iou"] = float(iou[row]) if asked else None
        if "exclusive" in columns.boxes:
            for role, iou in zip(ROLES, columns.boxes["exclusive"][CASES.index(ANSWER), :, row]):
                record[f"box_{role}_iou"] = float(iou)
        yield record


def write_queries(results: EvaluationResults, path: str | Path) -> None:
    """Write `query_rows` to a file, in one step: CSV where its name ends in .csv, else JSON lines.

    Raises:
        UserError: when the file cannot be written.
    """
    path = Path(path)
    rows = list(query_rows(results))
    text = io.StringIO(newline="")
    if path.suffix == ".csv":
        writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else ["image"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        text.writelines(json.dumps(row) + "\n" for row in rows)
    write_text(path, text.getvalue(), "the per-query results")


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as text: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]
