"""The report's tables as rows of text, the same for text and page; the first row has the titles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from dsg.apps.report.contents import RunFiles
from dsg.metrics.box_accuracy import ANSWER, AT_HALF, MEAN, ROLES, Accuracy
from dsg.metrics.report import BOX_LIMITS, BOX_TITLE
from dsg.metrics.results import Mean
from dsg.runtime.limits import is_figure
from dsg.runtime.progress import duration

Rows = list[tuple[str, ...]]

NOTHING = "-"
LONGEST = 1e10  # seconds of an epoch; beyond, they are damaged
VERSIONS = ("dsg", "python", "tensorflow")
SCORES = (
    ("subject IoU", "subject_iou"),
    ("object IoU", "object_iou"),
    ("ambiguous subject", "ambiguous_subject_iou"),
    ("ambiguous object", "ambiguous_object_iou"),
)
PRECISIONS = (
    ("AP", "ap"),
    ("AP50", "ap_50"),
    ("AP75", "ap_75"),
    ("mask AP", "mask_ap"),
    ("VOC AP", "voc_ap"),
)
EPOCH_COLUMNS: tuple[tuple[str, str, tuple[str, ...]], ...] = (  # title, form, place in the history's entry
    ("epoch", "d", ("epoch",)),
    ("loss", ".4g", ("total",)),
    *((title, ".4f", ("validation", key)) for title, key in (*SCORES, *PRECISIONS)),
    ("validation loss", ".4g", ("validation", "loss")),
    ("RPN recall", ".4f", ("validation", "rpn_recall_50")),
    ("refined recall", ".4f", ("validation", "refined_recall_50")),
    ("learning rate", ".3g", ("learning_rate",)),
    ("seconds", ".1f", ("seconds",)),
)


def facts(run: RunFiles) -> Rows:
    """What was run, where and when: label and text, which may have several lines. Without titles."""
    if not run.sessions:
        return [("folder", str(run.folder))]
    first, last = run.sessions[0], run.sessions[-1]
    listed = last.get("gpus")
    gpus = ", ".join(map(str, listed if isinstance(listed, list) else [])) or "no GPU"
    found: Rows = [
        ("command", str(last.get("command") or NOTHING)),
        ("folder", str(run.folder)),
        ("training data", str(last.get("training", NOTHING))),
        ("validation data", str(last.get("validation", NOTHING))),
        ("images a step", str(last.get("images_per_step", NOTHING))),
        ("versions", ", ".join(f"{name} {last.get(name, NOTHING)}" for name in VERSIONS)),
        ("machine", f"{last.get('processor', NOTHING)}, {last.get('cores', NOTHING)} cores, {gpus}"),
        ("system", str(last.get("system", NOTHING))),
        ("began", str(first.get("started", NOTHING))),
    ]
    for session in run.sessions[1:]:
        place = f"after epoch {session.get('epoch', NOTHING)}, step {session.get('step', NOTHING)}"
        found.append(("went on", f"{session.get('started', NOTHING)}, {place}"))
    return found


def option_rows(run: RunFiles) -> Rows:
    """The options that are not at their defaults."""
    changed = [tuple(map(_value, item)) for item in run.changed_options()]
    return [("option", "value", "default"), *changed]


def epoch_rows(run: RunFiles) -> Rows:
    """A row for each epoch; a column that no epoch has is left out."""
    columns = [
        (title, [_number(_at(entry, *place), form) for entry in run.history])
        for title, form, place in EPOCH_COLUMNS
    ]
    known = [(title, cells) for title, cells in columns if any(cell != NOTHING for cell in cells)]
    return [tuple(title for title, _ in known), *zip(*(cells for _, cells in known))]


def score_rows(results: Mapping[str, Any]) -> Rows:
    """The means of a test over all, ambiguous and unambiguous queries, in both conventions; of a detector its
    average precision.
    """
    if "voc" in results:
        return precision_rows(results)
    rows: Rows = [("", "queries", "subject IoU", "object IoU", "rr subject", "rr object")]
    for name in ("all", "ambiguous", "unambiguous"):
        cells = [
            _mean(results, "iou", convention, name, role)
            for convention in ("dsg", "rr")
            for role in ("subject", "object")
        ]
        count = _at(results, "iou", "dsg", name, "queries")
        rows.append((f"{name} queries", _value(count), *cells))
    return rows


def box_rows(results: Mapping[str, Any]) -> Rows:
    """How often the most probable box of a test is right, and what limits that; empty where the system
    predicts no boxes, or the test was made before this was measured.
    """
    if not _at(results, "box_accuracy"):
        return []
    shown = [(f"{name} queries", name, ANSWER) for name in ("all", "ambiguous", "unambiguous")]
    shown += [(title.strip(), "all", case) for title, case in BOX_LIMITS]
    rows: Rows = [(BOX_TITLE, *(f"{role} at IoU {at}" for at in (AT_HALF, MEAN) for role in ROLES))]
    for title, name, case in shown:
        cells = [
            _accuracy(results, "box_accuracy", "exclusive", name, case, role, at)
            for at in (AT_HALF, MEAN)
            for role in ROLES
        ]
        rows.append((title, *cells))
    return rows


def precision_rows(results: Mapping[str, Any]) -> Rows:
    """The average precision of a test: of boxes, of masks, and of each class that has objects."""
    rows: Rows = [("", "objects", "AP", "AP50", "AP75", "mask AP", "VOC AP")]
    figures = [_at(results, "coco", "boxes", name) for name in ("AP", "AP50", "AP75")]
    figures += [_at(results, "coco", "masks", "AP"), _at(results, "voc", "ap")]
    rows.append(("all", _value(_at(results, "objects")), *(_number(value, ".3f") for value in figures)))
    classes = _at(results, "classes") or {}
    for name in classes if isinstance(classes, Mapping) else ():
        own = [_at(classes, name, key) for key in ("ap", "", "", "mask_ap", "voc_ap")]
        if _at(classes, name, "objects"):
            count = _value(_at(classes, name, "objects"))
            rows.append((str(name), count, *(_number(value, ".3f") for value in own)))
    return rows


def best_line(run: RunFiles) -> str:
    """The best epoch and its validation, in words; empty if it is not known."""
    entries = [entry for entry in run.history if entry.get("epoch") == run.best_epoch]
    if not entries:
        return ""
    scores = entries[-1].get("validation")
    named = [
        f"{title} {_number(_at(scores, key), '.4f')}"
        for title, key in (*SCORES[:2], *PRECISIONS)
        if is_figure(_at(scores, key))
    ]
    return f"best epoch on validation: {run.best_epoch}" + (f", {', '.join(named)}" if named else "")


def total_time(run: RunFiles) -> str:
    """The time of all training steps."""
    seconds: list[Any] = [entry.get("seconds") for entry in run.history]
    return duration(sum(value for value in seconds if is_figure(value) and abs(value) < LONGEST))


def _at(tree: Any, *keys: str) -> Any:
    """A value inside nested dictionaries; None if there is none."""
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


def _number(value: Any, form: str) -> str:
    if not is_figure(value):
        return NOTHING
    return format(int(value) if form == "d" else value, form)


def _mean(results: Mapping[str, Any], *keys: str) -> str:
    """A mean with its standard error as in the table of a test."""
    return str(Mean(*(_known(_at(results, *keys, key)) for key in ("mean", "stderr"))))


def _accuracy(results: Mapping[str, Any], *keys: str) -> str:
    """A share with its interval as in the table of a test."""
    ends = _at(results, *keys, "interval")
    low, high = ends if isinstance(ends, list) and len(ends) == 2 else (None, None)
    return str(Accuracy(*map(_known, (_at(results, *keys, "accuracy"), low, high))))


def _known(value: Any) -> float:
    return value if is_figure(value) else math.nan


def _value(value: Any) -> str:
    """An option's value as one would write it."""
    if value is None:
        return NOTHING
    return f"[{', '.join(map(str, value))}]" if isinstance(value, (list, tuple)) else str(value)
