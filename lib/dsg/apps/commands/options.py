"""Print the reference of all options of the configuration."""

from __future__ import annotations

import argparse

from dsg.apps.parser import Parser
from dsg.errors import UserError
from dsg.runtime.clone import clone_root


def add_arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument("--write", action="store_true", help="write docs/configuration.md of the clone")


def run(options: argparse.Namespace) -> None:
    """Print or write."""
    from dsg.config.reference import reference

    if not options.write:
        print(reference(), end="")
        return
    root = clone_root()
    if root is None:
        raise UserError(
            "--write: docs/configuration.md exists only in a clone of the repository, and this is not one"
        )
    target = root / "docs" / "configuration.md"
    target.write_text(reference(), encoding="utf-8")
    print(target)
