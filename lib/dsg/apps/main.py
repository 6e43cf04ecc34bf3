"""The program `dsg`: finds the command, parses its options, runs it."""

from __future__ import annotations

import difflib
import importlib
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from dsg.apps.commands import COMMANDS
from dsg.apps.parser import USER_ERROR_STATUS, Parser
from dsg.apps.process import run_process, status_of
from dsg.errors import UserError
from dsg.version import __version__

USAGE = "usage: dsg COMMAND ...\n\nDifferentiable scene graphs and referring relationships.\n"
END = "`dsg COMMAND --help` explains a command, `dsg --version` prints the version."


def main(arguments: Sequence[str] | None = None, *, called: str = "") -> int:
    """Run a command; its exit status: 0, 2 for a user's mistake, 128 + N if signal N interrupted it.

    Args:
        arguments: the command and its options; default: those of the process.
        called: how the user calls this, for help and messages; default: `dsg COMMAND`.

    Example:
        >>> main(["--version"])
        dsg 0.1.0
        0
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    return status_of(lambda: _run(words, called))


def console() -> NoReturn:
    """The console script `dsg`."""
    run_process(main)


def door(command: str, *before: str) -> NoReturn:
    """A program of tools/: a command under an older name.

    Args:
        command: its name.
        before: words to put before those of the command line.
    """
    called = Path(sys.argv[0]).name
    run_process(lambda words: main([command, *before, *words], called=called))


def overview() -> str:
    """What `dsg --help` prints."""
    width = max(map(len, COMMANDS))
    rows = [f"  {name.ljust(width)}  {text}" for name, text in COMMANDS.items()]
    return "\n".join([USAGE, *rows, "", END])


def module_of(command: str) -> ModuleType:
    """The module with a command's description, `add_arguments` and `run`."""
    return importlib.import_module(f"dsg.apps.commands.{command}")


def parser_of(command: str, called: str = "") -> Parser:
    """The parser of a command."""
    module = module_of(command)
    parser = Parser(
        called or f"dsg {command}",
        description=module.__doc__,
        epilog=getattr(module, "EPILOG", None),
        bare=getattr(module, "BARE", ""),
    )
    module.add_arguments(parser)
    return parser


def _run(words: Sequence[str], called: str) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(overview())
        return 0 if words else USER_ERROR_STATUS
    if words[0] == "--version":
        print(f"dsg {__version__}")
        return 0
    command, rest = words[0], words[1:]
    if command not in COMMANDS:
        near = difflib.get_close_matches(command, COMMANDS, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "`dsg --help` lists the commands"
        raise UserError(f"unknown command {command!r}; {hint}")
    options = parser_of(command, called).parse(rest)
    options.command = shlex.join([*(called or f"dsg {command}").split(), *rest])

    from dsg.runtime.logs import console_messages

    with console_messages():
        return module_of(command).run(options) or 0
