#!/usr/bin/env python3
"""Write report.txt and report.html of runs anew, from the files in their folders. Example:

python tools/report.py output/mini/shapes_train/quickstart
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dsg.apps.cli import Parser, main  # noqa: E402


def run(arguments: Sequence[str]) -> None:
    """Parse the options and write."""
    parser = Parser("report.py", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folder of a run")
    options = parser.parse_args(arguments)

    from dsg.apps.report.write import make_report

    for folder in options.runs:
        print(make_report(Path(folder)))


if __name__ == "__main__":
    main(run)
