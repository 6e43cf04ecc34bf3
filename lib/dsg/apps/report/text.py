"""`report.txt`: the report for terminals and mails."""

from __future__ import annotations

from dsg.apps.report.contents import RunFiles, Tested
from dsg.apps.report.rows import (
    Rows,
    best_line,
    box_rows,
    epoch_rows,
    facts,
    option_rows,
    score_rows,
    total_time,
)
from dsg.metrics.report import aligned


def as_text(run: RunFiles) -> str:
    """The whole report; pictures are named, not shown."""
    parts = [run.title, _facts(facts(run))]
    if run.history:
        below = [best_line(run), f"time of all steps: {total_time(run)}"]
        below += [f"curves: {run.curves.name}"] * run.curves.is_file()
        parts.append("Epochs\n\n" + _table(epoch_rows(run)) + "\n\n" + "\n".join(filter(None, below)))
    parts += [_test(run, tested) for tested in run.tests]
    if run.config:
        parts.append("Options that are not at their defaults\n\n" + _words(option_rows(run)))
    return "\n\n".join(parts) + "\n"


def _test(run: RunFiles, tested: Tested) -> str:
    place = f"test/{tested.name}"
    lines = [f"Test of {tested.name}", ""]
    for rows in filter(None, (score_rows(tested.results), box_rows(tested.results))):
        lines += [_table(rows), ""]
    lines.append(f"more: {place}/table.txt" + f", {place}/{tested.curves.name}" * tested.curves.is_file())
    return "\n".join(lines)


def _table(rows: Rows) -> str:
    return "\n".join(aligned(rows))


def _words(rows: Rows) -> str:
    """A table to be read rather than compared, so set to the left."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _facts(rows: Rows) -> str:
    """Labels beside texts, further lines of a text below its first."""
    width = max(len(label) for label, _ in rows)
    lines = []
    for label, text in rows:
        first, *rest = text.splitlines() or [""]
        lines += [f"{label:<{width}}  {first}".rstrip(), *(" " * (width + 2) + line for line in rest)]
    return "\n".join(lines)
