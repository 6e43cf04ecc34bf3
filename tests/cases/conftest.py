"""What the tests of this folder share."""

from __future__ import annotations

from tests.cases.programs import program

__all__ = ["program"]
