"""The examples in docstrings do what they say, to the word: also the messages of errors."""

from __future__ import annotations

import doctest
import importlib

import pytest

from tests.shared import ROOT

LIBRARY = ROOT / "lib"
MODULES = [
    ".".join(path.relative_to(LIBRARY).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((LIBRARY / "dsg").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the root of the clone, whose bundled data and model they read."""
    monkeypatch.chdir(ROOT)
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted and not result.failed


def test_examples_are_found() -> None:
    assert {"dsg", "dsg.api", "dsg.models.dsg.trained", "dsg.models.dsg.query_words"} <= set(MODULES) and len(
        MODULES
    ) > 30
