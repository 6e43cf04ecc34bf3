"""Completion of commands and options in bash and zsh."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from dsg.apps.commands import COMMANDS
from dsg.apps.main import main

pytest.importorskip("shtab")
needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
ASK = """
source "$1"
complete -p dsg >/dev/null || exit 1
COMP_WORDS=("${@:2}")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_shtab_dsg dsg "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("completion") / "dsg"
    with pytest.MonkeyPatch.context() as patch, open(path, "w") as stream:
        patch.setattr("sys.stdout", stream)
        assert main(["completion", "bash"]) == 0
    return path


def offered(script, *words):
    """What bash offers for the last word."""
    done = subprocess.run(["bash", "-c", ASK, "bash", script, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@needs_bash
def test_bash_takes_the_script(script):
    done = subprocess.run(["bash", "-n", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@needs_bash
def test_commands_and_options_are_completed(script):
    assert offered(script, "dsg", "tr") == {"train"}
    assert offered(script, "dsg", "") >= set(COMMANDS)
    assert offered(script, "dsg", "train", "--da") == {"--dataset", "--data"}
    assert "--imdb" not in offered(script, "dsg", "train", "--")
    assert offered(script, "dsg", "convert", "c") == {"coco"}


def test_zsh(capsys):
    assert main(["completion", "zsh"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("#compdef dsg") and all(command in text for command in COMMANDS)
    if shutil.which("zsh"):
        assert subprocess.run(["zsh", "-n"], input=text, text=True).returncode == 0
