"""What a clone brings along: a small trained model, and pictures with known answers."""

from __future__ import annotations

from pathlib import Path

from dsg.errors import UserError
from dsg.runtime.clone import clone_root


def bundled_folder() -> Path | None:
    """`data/demo` of the clone; None without a clone."""
    root = clone_root()
    return root / "data" / "demo" if root else None


def snapshot_or_bundled(given: Path | None) -> Path:
    """The snapshot that was given, else the bundled one.

    Raises:
        UserError: none was given, and none is bundled.
    """
    if given is not None:
        return given
    folder = bundled_folder()
    if folder is None:
        raise UserError("no trained model lies here, as it does in a clone: give --snapshot FILE")
    return folder / "mini.npz"
