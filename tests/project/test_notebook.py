"""The notebook runs, cell by cell in one namespace, without Jupyter; it is kept without results."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from tests.shared import ROOT

NOTEBOOK = ROOT / "docs" / "notebooks" / "quick_start.ipynb"


def cells(kind: str) -> list[dict[str, Any]]:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_notebook_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(NOTEBOOK.parent)
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(cells("code"), start=1):
        exec(compile("".join(cell["source"]), f"{NOTEBOOK.name}, cell {number}", "exec"), names)
    printed = capsys.readouterr().out
    assert "subject: box (" in printed and "behind" in printed
    assert len(names["graph"].nodes) >= 2
    for picture in (names["picture"], names["graph_picture"]):
        assert picture.dtype == np.uint8 and picture.shape[2] == 3 and picture.std() > 10


def test_notebook_is_kept_without_results() -> None:
    for cell in cells("code"):
        assert cell["outputs"] == [] and cell["execution_count"] is None


def test_links_of_the_notebook_lead_somewhere() -> None:
    for cell in cells("markdown"):
        for target in re.findall(r"\]\(([^)\s#]+)", "".join(cell["source"])):
            assert (NOTEBOOK.parent / target).exists(), target
