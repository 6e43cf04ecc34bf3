"""Names of runs and of their snapshots. Only the standard library is loaded."""

from __future__ import annotations

import re
from pathlib import Path

from dsg.errors import UserError
from dsg.runtime.weight_files import PRETRAINED

SNAPSHOT_NAME = re.compile(r"(?P<run>.+)_(iter_\d+|last)")


def is_snapshot_name(name: str) -> bool:
    """Whether a name is a snapshot's (`<name>_iter_N`, `dsg_pretrained`) rather than a run's."""
    return name == PRETRAINED or SNAPSHOT_NAME.fullmatch(name) is not None


def check_run_name(name: str) -> str:
    """The name, if a run may have it.

    Raises:
        UserError: it is empty, leads elsewhere, looks like an option, or is that of a snapshot.
    """
    plain = name.strip() == name and name == Path(name).name and name.isprintable()
    if not name or not plain or name.startswith((".", "-")):
        raise UserError(f"{name!r} cannot be the name of a run: give a plain name without '/' or leading '-'")
    if is_snapshot_name(name):
        raise UserError(f"{name!r} is a snapshot's name; to train, give a run's name, such as default")
    return name
