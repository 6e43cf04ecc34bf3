"""How an option of the configuration is written down."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def option(default: Any, text: str, choices: tuple[Any, ...] | None = None) -> Any:
    """A dataclass field with a default, a sentence for the documentation and, optionally, the only values it
    may take.
    """
    return field(default=default, metadata={"text": text, "choices": choices})
