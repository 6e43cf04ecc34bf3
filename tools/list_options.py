#!/usr/bin/env python3
"""Print the reference of all options, or write it to docs/configuration.md with --write."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dsg.apps.cli import Parser, main  # noqa: E402
from dsg.config.reference import reference  # noqa: E402

TARGET = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"


def run(arguments: Sequence[str]) -> None:
    """Parse the options and print or write."""
    parser = Parser("list_options.py", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/configuration.md instead")
    if parser.parse_args(arguments).write:
        TARGET.write_text(reference(), encoding="utf-8")
        print(TARGET)
    else:
        print(reference(), end="")


if __name__ == "__main__":
    main(run)
