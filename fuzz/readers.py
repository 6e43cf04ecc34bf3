"""All readers, by name; modules are loaded when they are asked for, as some load TensorFlow."""

from __future__ import annotations

import importlib

from fuzz.reader import Reader

MODULES = ("annotations", "masks", "settings", "pictures", "weights", "archives", "page")


def all_readers() -> dict[str, Reader]:
    """Every reader by its name, in the order of the table."""
    modules = [importlib.import_module(f"fuzz.{name}") for name in MODULES]
    return {reader.name: reader for module in modules for reader in module.READERS}
