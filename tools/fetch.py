#!/usr/bin/env python3
"""Fetches data sets and weights to where training and testing look for them.

What is there already is verified and left alone; an interrupted download goes on with the same command.
`./experiments/scripts/fetch.sh` is the same, and sets up the environment first. Examples:

    python tools/fetch.py visualgenome                      # annotations, images.zip, images2.zip
    python tools/fetch.py visualgenome --only annotations
    python tools/fetch.py imagenet_weights --only res101 --data /disk/datasets
    python tools/fetch.py clevr --from ~/Downloads          # the archives are here already
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dsg.apps.cli import Parser, main  # noqa: E402
from dsg.runtime.paths import expanded  # noqa: E402


def run(arguments: Sequence[str]) -> None:
    """Parse the options and fetch."""
    from dsg.apps.fetch.catalogue import catalogue

    assert __doc__
    parts = "\n".join(f"  {name}: {', '.join(items)}" for name, items in catalogue().items())
    parser = Parser(
        "fetch.py",
        description=__doc__,
        epilog=f"names, and their parts for --only:\n{parts}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", help="what to fetch: " + ", ".join(catalogue()))
    parser.add_argument(
        "--from",
        dest="source",
        default="",
        metavar="FOLDER_OR_URL",
        help="a folder that has the files, or an address below which they lie, in place of the known mirrors",
    )
    parser.add_argument("--data", default="data", metavar="DIR", help="the data folder (default: data)")
    parser.add_argument(
        "--only", action="append", default=[], metavar="PART", help="only this part; may be repeated"
    )
    parser.add_argument("--keep", action="store_true", help="keep downloaded archives after unpacking")
    parser.add_argument(
        "--verify", action="store_true", help="compare what is there with checksums, not only sizes"
    )
    options = parser.parse_args(arguments)

    import signal

    from dsg.apps.fetch.command import fetch
    from dsg.runtime.interrupt import Interrupted

    def stop(number: int, _: object) -> None:
        raise Interrupted(number)

    signal.signal(signal.SIGTERM, stop)  # what fetch.sh makes of Ctrl-C
    fetch(
        options.name,
        expanded(options.data),
        source=options.source,
        only=options.only,
        keep=options.keep,
        thorough=options.verify,
    )


if __name__ == "__main__":
    main(run)
