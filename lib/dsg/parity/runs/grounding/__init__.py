"""Files of segmentation-grounded scene graphs, a module a subject."""

from __future__ import annotations

import importlib
from typing import Any

from dsg.parity.checks import Checks
from dsg.parity.golden import GROUNDING_KEYS, Golden


def run(golden: Golden, models: Any = None, settings: Any = None) -> Checks:
    """Every stage of the file; weights are made here, `models` and `settings` are not used."""
    subject = next(subject for subject, key in GROUNDING_KEYS.items() if key in golden)
    checks = Checks(golden)
    importlib.import_module(f"{__name__}.{subject}").compare(checks)
    return checks.finish()
