"""Comparing with golden arrays as their tolerances are meant."""

from __future__ import annotations

from typing import Any

import numpy as np


def error(value: Any, wanted: Any) -> float:
    """Largest deviation over the largest reference value; infinity where shapes differ."""
    value, wanted = np.asarray(value, np.float64), np.asarray(wanted, np.float64)
    if value.shape != wanted.shape:
        return np.inf
    if not wanted.size:
        return 0.0
    return float(np.abs(value - wanted).max() / max(np.abs(wanted).max(), 1e-30))
