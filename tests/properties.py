"""Hypothesis for the tests: the same examples in every run, few enough to be quick; nothing stays on disk."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

__all__ = ["given", "st"]

settings.register_profile("dsg", derandomize=True, max_examples=100, deadline=None, database=None)
settings.load_profile("dsg")
