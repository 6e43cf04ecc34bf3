"""The clone that this package runs from, for what an installed wheel does not carry."""

from __future__ import annotations

import os
from pathlib import Path


def clone_root() -> Path | None:
    """The clone's top folder; None if the package is installed without one."""
    root = Path(os.path.abspath(__file__)).parents[3]
    return root if (root / "experiments" / "cfgs").is_dir() else None
