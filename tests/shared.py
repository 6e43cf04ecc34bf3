"""Real images, annotations and photographs that are not ours to publish; tests that need them skip where they
are absent.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("DSG_SHARED", ROOT.parent / "shared"))


def shared_path(*parts: str) -> Path:
    """The path of a shared file, e.g. `shared_path("data", "clevr")`."""
    return SHARED.joinpath(*parts)


def needs_shared(*parts: str) -> pytest.MarkDecorator:
    """A mark that skips a test, saying what is missing, where the shared file is absent."""
    path = shared_path(*parts)
    return pytest.mark.skipif(
        not path.exists(), reason=f"{'/'.join(('shared', *parts))} is not beside this checkout"
    )
