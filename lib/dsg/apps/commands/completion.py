"""Print a script that completes the commands and options of `dsg` in bash or zsh.

Examples:

    dsg completion bash > ~/.local/share/bash-completion/completions/dsg
    dsg completion zsh > ~/.zsh/completions/_dsg      # a folder in $fpath
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from dsg.apps.parser import Parser

SHELLS = ("bash", "zsh")


def add_arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=" or ".join(SHELLS))


def run(options: argparse.Namespace) -> None:
    """Print."""
    import shtab

    print(shtab.complete(whole_parser(), shell=options.shell))


def whole_parser() -> Parser:
    """One parser with all commands, and options that say whether they take files or folders."""
    from dsg.apps.commands import COMMANDS
    from dsg.apps.main import module_of

    whole = Parser("dsg")
    commands = whole.add_subparsers(dest="command", metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text)
        module_of(name).add_arguments(command)
        _tell_files(command)
    return whole


def _tell_files(parser: Any) -> None:
    import shtab

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for nested in action.choices.values():
                _tell_files(nested)
        elif action.metavar == "DIR":
            action.complete = shtab.DIRECTORY
        elif action.type is Path or action.metavar in ("FILE", "FILE.npz", "SNAPSHOT", "IMAGE_OR_QUERY"):
            action.complete = shtab.FILE
