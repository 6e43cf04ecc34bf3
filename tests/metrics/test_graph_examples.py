"""The recalls that docs/graph-metrics.md works by hand are those that are computed."""

from __future__ import annotations

import doctest

from tests.shared import ROOT


def test_the_documented_examples() -> None:
    result = doctest.testfile(str(ROOT / "docs" / "graph-metrics.md"), module_relative=False)
    assert result.attempted > 12 and not result.failed
