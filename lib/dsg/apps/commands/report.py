"""Write report.txt and report.html of runs again from the files in their folders.

Example:

    dsg report output/mini/shapes_train/quickstart
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dsg.apps.parser import Parser


def add_arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folder of a run")


def run(options: argparse.Namespace) -> None:
    """Write."""
    from dsg.apps.report.write import make_report

    for folder in options.runs:
        print(make_report(Path(folder)))
