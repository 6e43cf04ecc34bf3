"""Runs the scripts experiments/scripts/*.sh, which pass their name and their words.

The scripts find the environment. Any Python can report wrong words before an environment is set up, because
that loads only the standard library.
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
"""Status of `--check` if it printed help."""


def main(words: Sequence[str]) -> int:
    """Run a script: its name, then its words; `--check` before them only checks them. The exit status."""
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
    """How to start `dsg` by hand."""
    script = Path(sys.executable).with_name("dsg")
    return [str(script)] if script.is_file() else [sys.executable, "-m", "dsg"]


def _install_page() -> None:
    """Install what the page needs if it is missing.

    Raises:
        UserError: it cannot be installed.
    """
    if importlib.util.find_spec("gradio") is not None:
        return
    command = [sys.executable, "tools/install.py", "requirements-serve.txt"]
    print("+ " + shlex.join(command), flush=True)
    if subprocess.run(command, check=False).returncode:
        raise UserError("gradio could not be installed; try: pip install -r requirements-serve.txt")


if __name__ == "__main__":
    run_process(main)
