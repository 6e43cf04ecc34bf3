"""Paths as people type them."""

from __future__ import annotations

from pathlib import Path

from dsg.errors import UserError


def expanded(path: str | Path) -> Path:
    """The path with a leading `~` or `~user` replaced, where no shell has done so (`--data=~/data`).

    Raises:
        UserError: there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"{path}: begins with the home folder of an unknown user") from None
