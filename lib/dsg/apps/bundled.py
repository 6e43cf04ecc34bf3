"""What a clone includes: a small trained model, and images with known answers."""

from __future__ import annotations

from pathlib import Path

from dsg.errors import UserError
from dsg.runtime.clone import clone_root


def bundled_folder() -> Path | None:
    """`data/demo` of the clone; None without a clone."""
    root = clone_root()
    return root / "data" / "demo" if root else None


def snapshot_or_bundled(given: Path | None) -> Path:
    """The given snapshot, or the bundled one.

    Raises:
        UserError: neither exists.
    """
    if given is not None:
        return given
    folder = bundled_folder()
    if folder is None:
        raise UserError("only a clone of the repository has a bundled model: give --snapshot FILE")
    return folder / "mini.npz"
