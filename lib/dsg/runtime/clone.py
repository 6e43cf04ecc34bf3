"""The clone that this package runs from, for what an installed wheel does not carry."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def clone_root() -> Path | None:
    """The clone's top folder; None if the package is installed without one."""
    root = Path(os.path.abspath(__file__)).parents[3]
    return root if (root / "experiments" / "cfgs").is_dir() else None


def commit() -> str | None:
    """The commit that the clone is at; None without a clone, or without git."""
    root = clone_root()
    if root is None:
        return None
    try:
        asked = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip()
