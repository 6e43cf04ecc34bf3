"""pycocotools, asked for where it is needed: COCO's own masks and average precision."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from dsg.errors import UserError


def has_cocotools() -> bool:
    """Whether it is installed."""
    return importlib.util.find_spec("pycocotools") is not None


def cocotools(module: str) -> Any:
    """`pycocotools.<module>`: `mask`, `coco` or `cocoeval`.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module(f"pycocotools.{module}")
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("pycocotools"):
            raise
        raise UserError(
            "pycocotools is not installed, which reads COCO's masks and computes its average precision: "
            "pip install -r requirements-coco.txt"
        ) from None
