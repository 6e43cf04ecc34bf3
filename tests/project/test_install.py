"""How requirements are installed: uv is told what pip is configured with, and pip does what uv cannot."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.shared import ROOT

PROGRAM = ROOT / "tools" / "install.py"


@pytest.fixture(scope="module")
def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_environment_wins_over_files(program: ModuleType) -> None:
    listing = "\n".join(
        [
            ":env:.index-url='https://near/simple'",
            "global.index-url='https://far/simple'",
            "global.extra-index-url='https://a/simple https://b/simple'",
            "user.find-links='/one\\n/two'",
            "a line that is no setting",
        ]
    )
    assert program.pip_settings(listing) == {
        "index-url": ["https://near/simple"],
        "extra-index-url": ["https://a/simple", "https://b/simple"],
        "find-links": ["/one", "/two"],
    }


def test_uv_looks_where_pip_does(program: ModuleType, tmp_path: Path) -> None:
    settings = {
        "index-url": ["https://near/simple"],
        "extra-index-url": [f"file://{tmp_path}", "file:///absent/simple"],
        "find-links": ["/one", "/two"],
        "timeout": ["180"],
    }
    assert program.uv_variables(settings) == {
        "UV_DEFAULT_INDEX": "https://near/simple",
        "UV_INDEX": f"file://{tmp_path}",
        "UV_FIND_LINKS": "/one,/two",
    }
    assert program.uv_variables({}) == {}


@pytest.mark.parametrize("setting", ["no-index", "trusted-host", "proxy", "only-binary"])
def test_pip_installs_where_it_is_told_what_uv_is_not(program: ModuleType, setting: str) -> None:
    assert program.uv_variables({setting: ["whatever"], "index-url": ["https://near/simple"]}) is None


def test_what_cannot_be_installed_ends_with_pips_status(tmp_path: Path) -> None:
    environment = {**os.environ, "DSG_INSTALLER": "pip"}
    wanted = tmp_path / "requirements.txt"
    for text, status in (("", 0), ("./no-such-folder\n", 1)):
        wanted.write_text(text)
        done = subprocess.run(
            [sys.executable, str(PROGRAM), str(wanted)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stderr
    assert "no-such-folder" in done.stderr
