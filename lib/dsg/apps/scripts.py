"""Runs what experiments/scripts/*.sh hand on: the script's name and its words.

The scripts find the environment. What is wrong with the words is said before one is set up, by any Python:
only the standard library is loaded for it.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dsg.apps.main import main as run_command
from dsg.apps.process import run_process, status_of
from dsg.apps.script_words import Command, Place, commands_of, usage
from dsg.errors import UserError

HELP_GIVEN = 3
"""Status of `--check` where help was asked for, and given."""


def main(words: Sequence[str]) -> int:
    """Run a script: its name, then its words; `--check` before them only looks at them. The exit status."""
    only_check = words[:1] == ["--check"]
    name, *rest = words[1:] if only_check else words
    if "-h" in rest or "--help" in rest:
        print(usage(name))
        return HELP_GIVEN if only_check else 0
    commands: list[Command] = []
    place = Place(Path(os.environ.get("DSG_START") or "."), Path.cwd())
    status = status_of(lambda: commands.extend(commands_of(name, rest, place)))
    if only_check or status:
        return status
    if name == "serve":
        status = status_of(_install_page)
    for command in commands:
        if status == 0:
            print("+ " + shlex.join([*_program(), *command]), flush=True)
            status = run_command(command)
    return status


def _program() -> list[str]:
    """How `dsg` can be started by hand."""
    script = Path(sys.executable).with_name("dsg")
    return [str(script)] if script.is_file() else [sys.executable, "-m", "dsg"]


def _install_page() -> None:
    """What the page needs, where it is missing.

    Raises:
        UserError: it cannot be installed.
    """
    if importlib.util.find_spec("gradio") is not None:
        return
    command = [sys.executable, "tools/install.py", "requirements-serve.txt"]
    print("+ " + shlex.join(command), flush=True)
    if subprocess.run(command, check=False).returncode:
        raise UserError("gradio cannot be installed; by hand: pip install -r requirements-serve.txt")


if __name__ == "__main__":
    run_process(main)
