"""What to say where a file passed all checks of its arrays and a computation refused them nevertheless."""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path

from dsg.errors import UserError

RUNS = "dsg.parity.runs."  # the modules whose functions are the stages


def file_errors() -> tuple[type[Exception], ...]:
    """What libraries raise for arrays that they cannot compute with; a lack of memory is none of these."""
    kinds: tuple[type[Exception], ...] = (ValueError, IndexError, KeyError, TypeError, json.JSONDecodeError)
    tensorflow = sys.modules.get("tensorflow")  # some files need none
    return kinds if tensorflow is None else (*kinds, tensorflow.errors.InvalidArgumentError)


def refused(path: str | Path, kind: str | None, error: Exception) -> UserError:
    """One line for `error`, raised while the file `path` was run: the stage, and the error's first line."""
    reason = " ".join(str(error).split())[:160]
    return UserError(
        f"{path}: cannot be computed as a file of the kind {kind}: {stage(error)} ended with "
        f"{type(error).__name__} ({reason}); --traceback shows where"
    )


def stage(error: BaseException) -> str:
    """The function of `dsg.parity.runs` in which `error` came up, such as `layers.run`."""
    found = "opening it"
    for frame, _ in traceback.walk_tb(error.__traceback__):
        module, function = str(frame.f_globals.get("__name__", "")), frame.f_code.co_name
        if module.startswith(RUNS) and not function.startswith("<"):
            found = f"{module[len(RUNS) :]}.{function}"
    return found
