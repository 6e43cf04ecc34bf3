"""The figures of a test of a grounded scene graph, by their names in tables, in percent."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dsg.errors import UserError

MASK_NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl")
IOU_NAMES = ("IoU base", "IoU novel")  # with true masks, of categories that copy a mask, and of others
REFINED = "refined "  # before the names of figures of refined masks
MASK_KINDS = {"transferred": ("", ""), "refined": (REFINED, "")}  # in results -> around the names of figures


def seed_figures(path: Path) -> dict[str, float]:
    """Figures such as `mR@20`, `AP` (of the detector's masks), `refined AP`, `IoU novel`, `refined IoU novel`
    and, to compare with, `IoU novel filled`; nan where undefined.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        figures = {
            f"{name}@{k}": _percent(value)
            for k, row in stored["recall"].items()
            for name, value in row.items()
            if not isinstance(value, (dict, list))
        }
        masks: Mapping[str, Any] = stored.get("masks") or {}
        for start, kind in (("", "no_refine"), (REFINED, "refine")):
            figures |= {start + name: _percent(value) for name, value in (masks.get(kind) or {}).items()}
        ious: Mapping[str, Any] = (stored.get("overlaps") or {}).get("iou") or {}
        for kind, values in ious.items():
            start, end = MASK_KINDS.get(kind, ("", f" {kind}"))
            figures |= {f"{start}IoU {name}{end}": _percent(value) for name, value in values.items()}
        return figures
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: not the results of a test of a scene graph; delete it, and the table tests again"
        ) from error


def refined(figures: Mapping[str, float]) -> dict[str, float]:
    """Of refined masks, under the names of the others."""
    return {key[len(REFINED) :]: value for key, value in figures.items() if key.startswith(REFINED)}


def _percent(value: float | None) -> float:
    return math.nan if value is None else 100 * float(value)
