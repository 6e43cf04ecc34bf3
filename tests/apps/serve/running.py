"""The page, running for the tests that visit it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import dsg
from dsg.apps.serve.command import find_examples, free_port, opened
from dsg.apps.serve.page import import_gradio
from dsg.apps.serve.service import Service
from dsg.apps.serve.upload import Limits
from tests.shared import ROOT

DEMO = ROOT / "data" / "demo"
HERE = "127.0.0.1"
LIMITS = Limits(megabytes=0.3, megapixels=1.0)


def gradio_there() -> bool:
    """Whether gradio of a version that the page knows is installed."""
    if importlib.util.find_spec("gradio") is None:
        return False
    from importlib.metadata import version

    return int(version("gradio").split(".")[0]) >= 6


needs_gradio = pytest.mark.skipif(
    not gradio_there(), reason="gradio is not installed (requirements-serve.txt)"
)


@contextmanager
def running() -> Iterator[str]:
    """The address of a page with the bundled model and pictures."""
    model = dsg.load(DEMO / "mini.npz")
    gradio = import_gradio()
    port = free_port(HERE, 0)
    with opened(gradio, Service(model, LIMITS), find_examples(model, DEMO), HERE, port) as url:
        yield url
