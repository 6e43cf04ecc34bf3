"""One table, from whatever is there to files: what is missing is run; after each run the table is written."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

from dsg.apps.tables import grounding_report
from dsg.apps.tables.account import Account, check_epochs
from dsg.apps.tables.grounding_lines import table_lines
from dsg.apps.tables.grounding_plan import plan_graphs
from dsg.apps.tables.plan import PlannedRun, Request, plan_runs
from dsg.apps.tables.plot import draw_table
from dsg.apps.tables.report import row_results, to_json, to_markdown
from dsg.apps.tables.runner import run_all
from dsg.engine.runs import Run
from dsg.errors import UserError
from dsg.runtime.files import write_text

LOG = logging.getLogger("dsg")


def make_table(request: Request, gpu: str, *, report_only: bool = False) -> str:
    """Run what the table lacks; print it, and write `table<N>.md`, `.json` and, of DSG's, `.png` to
    `request.folder`.

    Args:
        request: which table, of what.
        gpu: as `dsg train` takes it.
        report_only: run nothing.

    Returns:
        The table as Markdown.

    Raises:
        UserError: an option is wrong, a run has been trained for longer than asked for, or runs failed; those
            that did not are in the table.
        Interrupted: when asked to stop; the same command resumes.
    """
    runs = plan_graphs(request) if request.grounded else plan_runs(request)
    check_epochs(runs)
    Run(request.folder, request.tag).make_folder()
    with Run(request.folder, request.tag).lock():
        account = Account(request.folder / "runs.json")
        failed: list[PlannedRun] = []

        def write() -> None:
            write_table(request, runs, account)

        if not report_only:
            failed = run_all(runs, request, account, gpu, write)
        text = write_table(request, runs, account)
    LOG.info("\n%s\n%s/table%d.*", text, request.folder, request.table)
    if failed:
        names = ", ".join(f"{run.row.title} ({run.net} {run.name})" for run in failed)
        raise UserError(
            f"{len(failed)} of {len(runs)} runs failed: {names}; run the command again to repeat them"
        )
    return text


def write_table(request: Request, runs: Sequence[PlannedRun], account: Account) -> str:
    """Write the table of what is finished; its Markdown."""
    finished = [account.finished(run) for run in runs]
    seconds = [account.seconds(run) for run in runs]
    stem = request.folder / f"table{request.table}"
    if request.grounded:
        lines = table_lines(request, runs, finished, seconds)
        text, stored = grounding_report.to_markdown(request, lines), grounding_report.to_json(request, lines)
    else:
        rows = row_results(runs, finished, seconds)
        text, stored = to_markdown(request, rows), to_json(request, rows)
        draw_table(request, rows, stem.with_suffix(".png"))
    write_text(stem.with_suffix(".md"), text)
    write_text(stem.with_suffix(".json"), json.dumps(stored, indent=1) + "\n")
    return text
