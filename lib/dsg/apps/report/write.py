"""Writing a run's report into its folder."""

from __future__ import annotations

import logging
from pathlib import Path

from dsg.apps.report.contents import read_run
from dsg.apps.report.page import as_html
from dsg.apps.report.text import as_text
from dsg.errors import UserError
from dsg.runtime.files import write_text

LOG = logging.getLogger("dsg")
TEXT, PAGE = "report.txt", "report.html"


def make_report(folder: Path) -> Path:
    """Write both files again; returns the page's path.

    Raises:
        UserError: there is neither a history nor a test, or the history cannot be read, or the report not
            written.
    """
    run = read_run(folder)
    if not run.history and not run.tests:
        raise UserError(f"{folder}: no report: not a run that has finished an epoch or was tested")
    write_text(folder / TEXT, as_text(run))
    write_text(folder / PAGE, as_html(run))
    return folder / PAGE


def report_finished(folder: Path) -> None:
    """`make_report` of a run whose results are safe already: what goes wrong is one warning."""
    try:
        LOG.info("report: %s", make_report(folder))
    except UserError as error:
        LOG.warning("no report of the run: %s", error)
