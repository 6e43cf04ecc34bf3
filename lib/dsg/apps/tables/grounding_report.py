"""A table of grounded scene graphs: what the tests of its runs found, over the seeds, as Markdown and JSON.

All figures are in percent, as the paper has them.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dsg.apps.tables.grounding_lines import Figure, Line
from dsg.apps.tables.grounding_results import IOU_NAMES, MASK_NAMES
from dsg.apps.tables.grounding_rows import (
    PUBLISHED_MASKS,
    PUBLISHED_MEAN_RECALL,
    PUBLISHED_STEPS,
    PUBLISHED_ZERO_SHOT,
    TITLES,
    X101,
)
from dsg.apps.tables.plan import PlannedRun, Request
from dsg.apps.tables.report import time_text
from dsg.apps.tables.runner import commands
from dsg.engine.session import read_sessions

Published = Mapping[str, Mapping[str, Sequence[float | None]]]
"""By backbone, then by row."""


class Column(NamedTuple):
    """Several figures in one cell."""

    title: str
    keys: tuple[str, ...]  # of `seed_figures`


class Layout(NamedTuple):
    """What a table shows."""

    columns: tuple[Column, ...]
    published: Published
    of: str  # the published figures


def _at(name: str, ks: Sequence[int], title: str = "") -> Column:
    return Column(f"{title or name}@{'/'.join(map(str, ks))}", tuple(f"{name}@{k}" for k in ks))


_ALL_KS = (20, 50, 100)
_MEAN = _at("mR", _ALL_KS)
_RELEASED = _at("mR_released", _ALL_KS, "mR as released")
LAYOUTS = {
    1: Layout(
        (_MEAN, _RELEASED, _at("R", _ALL_KS), _at("ng-R", _ALL_KS)),
        PUBLISHED_MEAN_RECALL,
        "mR@20/50/100",
    ),
    2: Layout(
        (
            Column("/".join(MASK_NAMES), MASK_NAMES),
            Column("IoU with true masks, base/novel", IOU_NAMES),
        ),
        PUBLISHED_MASKS,
        "/".join(MASK_NAMES),
    ),
    3: Layout((_at("zsR", (20, 100)), _at("zsR", (50,))), PUBLISHED_ZERO_SHOT, "zsR@20/100"),
    4: Layout(
        (_MEAN, _at("zsR", (20, 100)), _RELEASED, _at("R", _ALL_KS)),
        {X101: PUBLISHED_STEPS},
        "mR@20/50/100/zsR@20/100",
    ),
}


def to_markdown(request: Request, lines: Sequence[Line]) -> str:
    """The table for people: our figures, and beside them the published ones."""
    layout = LAYOUTS[request.table]
    ours = f"{request.dataset_name}, {request.net}"
    head = ["model", *(f"{column.title} ({ours})" for column in layout.columns)]
    head += [f"paper, {backbone}: {layout.of}" for backbone in layout.published]
    text = [
        f"# Table {request.table}. {TITLES[request.table]}",
        "",
        f"{request.dataset_name}, {request.split} split, {request.net}"
        + (f", {' '.join(request.pairs)}" if request.pairs else ""),
        "",
        "| " + " | ".join([*head, "seeds", "time"]) + " |",
        "| --- |" + " ---: |" * (len(head) + 1),
    ]
    for line in lines:
        cells = [_cell(line, column) for column in layout.columns]
        cells += [_plain(known.get(line.key)) for known in layout.published.values()]
        seeds = (
            f"{len(line.seeds)}" if len(line.seeds) == line.wanted else f"{len(line.seeds)} of {line.wanted}"
        )
        text.append("| " + " | ".join([line.title, *cells, seeds, time_text(line.seconds)]) + " |")
    return "\n".join([*text, "", *_notes(request, lines), ""])


def _notes(request: Request, lines: Sequence[Line]) -> list[str]:
    notes = [
        "In percent; ± is the spread (standard deviation) over seeds of the graph, the detectors are "
        "trained once. The paper's figures are of Visual Genome (masks: COCO). On other images compare "
        "differences between rows, not values."
    ]
    if request.table in (1, 4):
        notes.append(
            "The published mR@K contains the slip of the release: compare with *mR as released*. *mR* is "
            "the mean over predicates as it is meant."
        )
    if request.table == 4:
        notes.append(
            "BL: plain detector, no masks. Joint: the detector also learned masks, none is used. Then masks "
            "of objects (OG), of pairs (EG), and refinement (Final: SG of table 1, answering with refined "
            "masks)."
        )
    if request.table == 2 and (guesses := _guesses(lines)):
        notes.append(guesses)
    if any(len(line.seeds) < line.wanted for line in lines):
        notes.append("The table is not complete: run the command again to continue.")
    return [line for note in notes for line in (note, "")][:-1]


def _guesses(lines: Sequence[Line]) -> str:
    """What simpler masks than transferred ones would do; empty where there are no true masks."""
    first = next((line for line in lines if any("IoU novel filled" in one for one in line.seeds)), None)
    if first is None:
        return ""
    texts = {
        guess: " / ".join(_text(first.figure(f"{name} {guess}")) for name in IOU_NAMES)
        for guess in ("filled", "nearest")
    }
    return (
        "True masks, which generated data have: base categories copy a mask, novel ones mix those of others. "
        f"The whole box has an IoU of {texts['filled']}, the mask of the nearest category {texts['nearest']}."
    )


def _cell(line: Line, column: Column) -> str:
    if not line.seeds:
        return "-"
    return " / ".join(_text(line.figure(key)) for key in column.keys)


def _text(figure: Figure) -> str:
    if math.isnan(figure.mean):
        return "-"
    return f"{figure.mean:.1f}" + ("" if math.isnan(figure.spread) else f" ± {figure.spread:.1f}")


def _plain(values: Sequence[float | None] | None) -> str:
    return "-" if values is None else " / ".join("-" if value is None else f"{value:.1f}" for value in values)


def to_json(request: Request, lines: Sequence[Line]) -> dict[str, Any]:
    """Plain data for `json.dump`: every cell with its seeds, and how each run was made."""
    layout = LAYOUTS[request.table]
    return {
        "table": request.table,
        "title": TITLES[request.table],
        "dataset": request.dataset_name,
        "split": request.split,
        "net": request.net,
        "options": list(request.pairs),
        "unit": "percent",
        "complete": all(len(line.seeds) == line.wanted for line in lines),
        "rows": {line.key: _line_json(request, layout, line) for line in lines},
    }


def _line_json(request: Request, layout: Layout, line: Line) -> dict[str, Any]:
    keys = sorted({key for figures in line.seeds for key in figures})
    return {
        "title": line.title,
        "setting": line.row.kind,
        "detector": line.row.variant,
        "seeds": len(line.seeds),
        "wanted_seeds": line.wanted,
        "seconds": round(line.seconds, 1),
        "figures": {
            key: {"mean": _number(line.figure(key).mean), "spread": _number(line.figure(key).spread)}
            for key in keys
        },
        "published": {
            backbone: {"of": layout.of, "values": list(known[line.key])}
            for backbone, known in layout.published.items()
            if line.key in known
        },
        "runs": [_run_json(request, run, figures) for run, figures in zip(line.runs, line.seeds)],
    }


def _run_json(request: Request, run: PlannedRun, figures: dict[str, float]) -> dict[str, Any]:
    trained = run.needs if run.only_tests and run.needs is not None else run
    sessions = read_sessions(trained.folder)
    session = {key: value for key, value in sessions[-1].items() if key != "command"} if sessions else None
    return {
        "name": run.name,
        "seed": run.config.rng_seed,
        "commands": [_shown(request, words) for words in commands(run, request, "cpu")],
        "session": session,  # of the training: versions, commit, machine
        "figures": {key: _number(value) for key, value in figures.items()},
    }


def _shown(request: Request, words: Sequence[str]) -> str:
    """A command as it can be given elsewhere: without the places of one machine."""
    shown = ["dsg", *words[words.index("dsg") + 1 :]]
    for option in ("--gpu", "--output", "--data"):
        if option in shown:
            place = shown.index(option)
            del shown[place : place + 2]
    return shlex.join(shown).replace(str(request.output), "output")


def _number(value: float) -> float | None:
    """JSON knows no nan."""
    return None if math.isnan(value) else round(value, 4)
