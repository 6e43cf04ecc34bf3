#!/usr/bin/env python3
"""Tells whether a data set can be used: all its problems at once, its statistics, and plots.

Exit status: 0 usable, 1 not usable, 2 wrong options or no such data set. Written are report.txt,
statistics.json, statistics.png, and problems.jsonl with a line for each case. Examples:

    python tools/check_dataset.py vrd --no-images
    python tools/check_dataset.py ~/photos-rr
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dsg.apps.cli import Parser, main  # noqa: E402
from dsg.runtime.paths import expanded  # noqa: E402

NOT_USABLE_STATUS = 1


def run(arguments: Sequence[str]) -> None:
    """Parse the options, check, report."""
    assert __doc__
    parser = Parser(
        "check_dataset.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", help="its name (visualgenome, vrd, clevr, shapes), or its folder")
    parser.add_argument("--data", default="data", metavar="DIR", help="the data folder (default: data)")
    parser.add_argument("--no-images", action="store_true", help="look at the annotations only")
    parser.add_argument(
        "--sample", type=int, default=0, metavar="N", help="read only N images of each split, spread evenly"
    )
    parser.add_argument(
        "--output",
        default="output",
        metavar="DIR",
        help="the report goes to DIR/check/<name> (default: output)",
    )
    options = parser.parse_args(arguments)
    if options.sample < 0:
        parser.error("--sample needs a positive number")

    from dsg.apps.checks.command import check_dataset

    data_dir = expanded(options.data)
    dataset = str(expanded(options.dataset)) if options.dataset.startswith("~") else options.dataset
    check = check_dataset(dataset, data_dir, images=not options.no_images, sample=options.sample)
    try:
        written = check.write(Path(options.output) / "check" / check.name)
    finally:  # what took long to find is told even where it cannot be written
        print("\n".join(check.lines()))
    for path in written:
        print(path)
    if not check.usable:
        sys.exit(NOT_USABLE_STATUS)


if __name__ == "__main__":
    main(run)
