"""A table of results: what the tests of its runs found, over the seeds, as Markdown and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

from dsg.apps.tables.plan import PlannedRun, Request
from dsg.apps.tables.rows import PUBLISHED_ERRORS, PUBLISHED_SPLITS, TITLES, Row, published
from dsg.errors import UserError
from dsg.metrics.box_accuracy import ANSWER, AT_HALF
from dsg.metrics.box_accuracy import ROLES as BOX_ROLES
from dsg.runtime.progress import duration

SETS = ("all", "ambiguous")
CONVENTIONS = ("dsg", "rr")
ROLES = ("subject", "object")
Figures = dict[tuple[str, str, str], "Figure"]
"""By convention, set of queries, and role."""


@dataclass(frozen=True)
class Figure:
    """A mean IoU or accuracy over the seeds; nan where undefined."""

    mean: float
    stderr: float  # over queries: sample deviation / sqrt(n), mean of the seeds'; nan of accuracies
    spread: float  # sample deviation of the seeds' means; nan for one seed


@dataclass(frozen=True)
class RowResult:
    """What is known of a row."""

    row: Row
    seeds: int  # that are finished
    wanted: int
    queries: dict[str, int]  # by set
    figures: Figures  # empty if no seed is finished
    seconds: float  # of all its runs
    runs: tuple[str, ...]  # folders of the finished ones
    # accuracy of boxes by subject, object and both; empty without boxes, or if a test did not measure it
    boxes: dict[str, Figure]


def row_results(
    runs: Sequence[PlannedRun], finished: Sequence[bool], seconds: Sequence[float]
) -> list[RowResult]:
    """The rows of the table with what their finished runs found, in the table's order.

    Raises:
        UserError: a results file cannot be read.
    """
    found = []
    for row in dict.fromkeys(run.row for run in runs):
        places = [place for place, run in enumerate(runs) if run.row is row]
        done = [place for place in places if finished[place]]
        results = [read_results(runs[place]) for place in done]
        queries = {name: int(results[0]["iou"]["dsg"][name]["queries"]) if results else 0 for name in SETS}
        found.append(
            RowResult(
                row,
                len(done),
                len(places),
                queries,
                figures_of(results),
                sum(seconds[place] for place in done),
                tuple(str(runs[place].folder) for place in done),
                box_figures(results),
            )
        )
    return found


def read_results(run: PlannedRun) -> dict[str, Any]:
    """The results of a run's test.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        found = json.loads(run.results.read_text(encoding="utf-8"))
        assert isinstance(found["iou"]["dsg"]["all"]["subject"], dict)
        return dict(found)
    except (OSError, ValueError, KeyError, TypeError, AssertionError, RecursionError) as error:
        raise UserError(
            f"{run.results}: not the results of a test; delete it, and the table tests again"
        ) from error


def figures_of(results: Sequence[dict[str, Any]]) -> Figures:
    """Means over the results of several seeds."""
    figures: Figures = {}
    for convention in CONVENTIONS if results else ():
        for name in SETS:
            for role in ROLES:
                cells = [one["iou"][convention][name][role] for one in results]
                means = [_number(cell["mean"]) for cell in cells]
                errors = [_number(cell["stderr"]) for cell in cells]
                figures[convention, name, role] = Figure(fmean(means), fmean(errors), _spread(means))
    return figures


def box_figures(results: Sequence[dict[str, Any]]) -> dict[str, Figure]:
    """Accuracies of the most probable boxes at IoU 0.5 over all queries, means over several seeds."""
    found = [one.get("box_accuracy") for one in results]
    if not found or not all(found):
        return {}
    answers = [one["exclusive"]["all"][ANSWER] for one in found if one]
    values = {role: [_number(one[role][AT_HALF]["accuracy"]) for one in answers] for role in BOX_ROLES}
    return {role: Figure(fmean(ones), math.nan, _spread(ones)) for role, ones in values.items()}


def _spread(means: Sequence[float]) -> float:
    return stdev(means) if len(means) > 1 and all(map(math.isfinite, means)) else math.nan


def to_json(request: Request, rows: Sequence[RowResult]) -> dict[str, Any]:
    """Plain data for `json.dump`."""
    return {
        "table": request.table,
        "title": TITLES[request.table],
        "dataset": request.dataset_name,
        "split": request.split,
        "net": request.net,
        "options": list(request.pairs),
        "complete": all(row.seeds == row.wanted for row in rows),
        "rows": {row.row.key: _row_json(request, row) for row in rows},
    }


def to_markdown(request: Request, rows: Sequence[RowResult]) -> str:
    """The table for people: our numbers, and beside them the published ones where the paper has them."""
    known = published(request.table, request.dataset_name)
    head = ["model", "subject", "object", "ambiguous subject", "ambiguous object", "rr subject", "rr object"]
    head += ["rr amb. subject", "rr amb. object"] + [f"box {role}" for role in BOX_ROLES]
    head += ["paper subject", "paper object"] if known else []
    lines = [
        f"# Table {request.table}. {TITLES[request.table]}",
        "",
        f"{request.dataset_name}, {request.split} split, {request.net}"
        + (f", {' '.join(request.pairs)}" if request.pairs else ""),
        "",
        "| " + " | ".join(head) + " | queries | seeds | time |",
        "| --- |" + " ---: |" * (len(head) + 2),
    ]
    for row in rows:
        cells = [
            _cell(row.figures.get((convention, name, role)))
            for convention in CONVENTIONS
            for name in SETS
            for role in ROLES
        ]
        cells += [_cell(row.boxes.get(role)) for role in BOX_ROLES]
        if known:
            cells += _published_cells(request.table, known, row.row.key)
        seeds = str(row.seeds) if row.seeds == row.wanted else f"{row.seeds} of {row.wanted}"
        queries = f"{row.queries['all']:,} ({row.queries['ambiguous']:,})" if row.seeds else "-"
        lines.append(
            "| " + " | ".join([row.row.title, *cells, queries, seeds, time_text(row.seconds)]) + " |"
        )
    return "\n".join([*lines, "", *_notes(request, bool(known), rows), ""])


def _notes(request: Request, known: bool, rows: Sequence[RowResult]) -> list[str]:
    notes = [
        "Mean IoU of 14 x 14 maps ± standard error over queries; after a slash, the spread (standard "
        "deviation) over seeds where there are several. In brackets: ambiguous queries. Columns rr count the "
        "cells and roles of a box as Referring Relationships does, the others as the release of DSG does.",
        "Columns box: how often the most probable box is right at box IoU 0.5 (both: as a pair).",
    ]
    if known:
        split = PUBLISHED_SPLITS[request.table]
        note = f"Paper: {split} split" + (", ± standard error." if request.table == 2 else ".")
        if request.table == 1:
            note += " SS, CO, VRD, SSAS compare with the columns rr."
        if request.split != split:
            note += f" Ours is on another split: --split {split} tests on that one."
        notes.append(note)
    if any(row.seeds < row.wanted for row in rows):
        notes.append("The table is not complete: run the command again to continue.")
    return [line for note in notes for line in (note, "")][:-1]


def _cell(figure: Figure | None) -> str:
    if figure is None or math.isnan(figure.mean):
        return "-"
    text = f"{figure.mean:.3f}"
    text += "" if math.isnan(figure.stderr) else f" ± {figure.stderr:.3f}"
    return text + ("" if math.isnan(figure.spread) else f" / {figure.spread:.3f}")


def _published_cells(table: int, known: dict[str, tuple[float, float]], key: str) -> list[str]:
    errors = PUBLISHED_ERRORS.get(key) if table == 2 else None
    return [
        f"{value:.3f}" + (f" ± {errors[side]:.4f}" if errors else "") for side, value in enumerate(known[key])
    ]


def _row_json(request: Request, row: RowResult) -> dict[str, Any]:
    values: dict[str, Any] = {
        "title": row.row.title,
        "seeds": row.seeds,
        "wanted_seeds": row.wanted,
        "queries": row.queries,
        "seconds": round(row.seconds, 1),
        "runs": list(row.runs),
    }
    for convention in CONVENTIONS if row.figures else ():
        values[convention] = {
            name: {role: _plain(row.figures[convention, name, role]) for role in ROLES} for name in SETS
        }
    if row.boxes:
        values["box_accuracy"] = {role: _plain(figure) for role, figure in row.boxes.items()}
    known = published(request.table, request.dataset_name).get(row.row.key)
    if known:
        values["published"] = {**dict(zip(ROLES, known)), "split": PUBLISHED_SPLITS[request.table]}
        errors = PUBLISHED_ERRORS.get(row.row.key) if request.table == 2 else None
        values["published"]["stderr"] = dict(zip(ROLES, errors)) if errors else None
    return {"published": None, **values}


def _plain(figure: Figure) -> dict[str, float | None]:
    """JSON knows no nan."""
    return {key: None if math.isnan(value) else value for key, value in asdict(figure).items()}


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def time_text(seconds: float) -> str:
    return duration(seconds) if seconds else "-"
