"""What a parity run says: a table for people, a dictionary for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dsg.parity.checks import Checks, Row


def format_table(checks: Checks, every_row: bool = False) -> str:
    """One line a stage: largest absolute error, error as the tolerance means it, tolerance, and whether it
    holds.

    Rows of a group share a line that shows the worst of them, unless they fail or `every_row` is requested.
    """
    lines = [_line(("stage", "max abs", "error", "tolerance", ""))]
    groups: dict[str, list[Row]] = {}
    for row in checks.rows:
        alone = every_row or not row.ok
        groups.setdefault(f"{row.key}\0alone" if alone else row.group, []).append(row)
    for name, rows in groups.items():
        label = name.split("\0")[0]
        lines.append(_row_line(f"{label} ({len(rows)})" if len(rows) > 1 else label, rows))
    reasons: dict[str, list[str]] = {}
    for key, reason in checks.notes.items():
        reasons.setdefault(reason, []).append(key)
    for reason, keys in reasons.items():
        shown = ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
        lines.append(f"not compared: {shown}: {reason}")
    return "\n".join(lines)


def summary(checks: Checks, seconds: float) -> str:
    """The file's verdict in a line."""
    failing = sum(not row.ok for row in checks.rows)
    if checks.ok:
        verdict = "all hold"
    else:
        verdict = f"{failing} DO NOT HOLD" if failing else "DOES NOT HOLD: no result is in it to compare"
    what = f"{checks.golden.kind}, {len(checks.rows)} comparisons"
    return f"{checks.golden.path}: {what}, {verdict} ({seconds:.1f} s)"


def as_dict(checks: Checks, seconds: float) -> dict[str, Any]:
    """The same for JSON; errors that are no number become null."""
    rows = [
        {
            "key": row.key,
            "group": row.group,
            "max_abs_error": _finite(row.absolute),
            "error": _finite(row.error),
            "tolerance": row.tolerance,
            "ok": row.ok,
            "note": row.note,
        }
        for row in checks.rows
    ]
    return {
        "file": str(checks.golden.path),
        "kind": checks.golden.kind,
        "ok": checks.ok,
        "seconds": round(seconds, 2),
        "rows": rows,
        "not_compared": checks.notes,
    }


def _row_line(label: str, rows: Sequence[Row]) -> str:
    worst = max(rows, key=lambda row: math.inf if math.isnan(row.error) else row.error)
    absolute = max(row.absolute for row in rows)
    verdict = "ok" if all(row.ok for row in rows) else f"FAIL {worst.note}".rstrip()
    return _line((label, _number(absolute), _number(worst.error), worst.tolerance, verdict))


def _line(cells: Sequence[str]) -> str:
    name, *numbers, verdict = cells
    return f"{name:<58} {numbers[0]:>9} {numbers[1]:>9}  {numbers[2]:<18}  {verdict}".rstrip()


def _number(value: float) -> str:
    return "0" if value == 0 else "-" if math.isnan(value) else f"{value:.1e}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
