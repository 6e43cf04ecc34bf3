"""The compiled kernels where they are built, and a notice, once, where they are not."""

from __future__ import annotations

import functools
import importlib
import logging
from types import ModuleType

KERNELS = ("_overlaps", "_nms")
"""Names of the extension modules in this package."""


def load(name: str) -> ModuleType:
    """The extension module `dsg.boxes.<name>`; ImportError where it is not built for this interpreter."""
    return importlib.import_module(f"dsg.boxes.{name}")


@functools.cache
def kernel(name: str) -> ModuleType | None:
    """The extension module `dsg.boxes.<name>`, or None (and a one-line notice) where it is not built."""
    try:
        return load(name)
    except ImportError as error:
        _notice(str(error))
        return None


@functools.cache
def _notice_once() -> None:
    logging.getLogger("dsg.boxes").warning(
        "the compiled box operations are not built, NumPy takes their place and is slower: run make"
    )


def _notice(reason: str) -> None:
    logging.getLogger("dsg.boxes").debug("%s", reason)
    _notice_once()
