"""What `shapes` are generated from, and how a folder remembers it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from dsg.datasets.shapes.pictures import CLEVR
from dsg.datasets.shapes.scene import PALETTES
from dsg.errors import UserError

VERSION = 1  # of the pictures: raised when the same settings give other ones
SETTINGS_FILE = "shapes.json"


def settings_of(
    train: int, test: int, size: tuple[int, int], seed: int, objects: tuple[int, int], palette: str
) -> dict[str, Any]:
    """The settings as they are stored.

    Raises:
        UserError: one is invalid.
    """
    if train < 1 or test < 1:
        raise UserError(f"shapes: {train} train and {test} test images; each split needs at least one")
    if min(size) < 48 or max(size) > 4096:
        raise UserError(f"shapes: images of {size[0]} x {size[1]}; sides must be from 48 to 4096 pixels")
    if not 2 <= objects[0] <= objects[1] <= 10:
        raise UserError(
            f"shapes: {objects[0]} to {objects[1]} objects; give 2 to 10, the smaller number first"
        )
    if seed < 0:
        raise UserError(f"shapes: seed {seed}; it must not be negative")
    return {
        "version": VERSION,
        "train": train,
        "test": test,
        "size": list(size),
        "seed": seed,
        "objects": list(objects),
        **({"palette": palette} if palette != CLEVR else {}),  # older data sets do not say theirs
    }


def stored_settings(folder: Path) -> dict[str, Any]:
    """The settings of a data set, if this version makes the same pictures of them.

    Raises:
        UserError: it does not.
    """
    try:
        stored = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
        given = {key: stored[key] for key in ("train", "test", "size", "seed", "objects")}
        settings = settings_of(**given, palette=stored.get("palette", CLEVR))
        same = settings == stored and settings.get("palette", CLEVR) in PALETTES
    except (OSError, ValueError, KeyError, TypeError, AttributeError, UserError):
        same = False
    if not same:
        raise UserError(
            f"{folder / SETTINGS_FILE}: not the settings of this version, so masks cannot be added; generate "
            f"the data set again with `dsg shapes {shlex.quote(str(folder))} --force`"
        )
    return settings
