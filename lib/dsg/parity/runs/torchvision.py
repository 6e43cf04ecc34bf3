"""Files of torchvision's detectors: evaluation, training, and the body with grouped convolutions."""

from __future__ import annotations

from typing import Any

from dsg.parity.checks import Checks
from dsg.parity.golden import Golden
from dsg.parity.runs import torchvision_forward, torchvision_training


def run(golden: Golden, models: Any = None, settings: Any = None) -> Checks:
    """Every stage of the file; the detector's weights are made here, `models` and `settings` are not used."""
    if "layer1.0/conv1.shape" in golden:
        return torchvision_forward.run_resnext(golden)
    if "trainable" in golden:
        return torchvision_training.run(golden)
    return torchvision_forward.run(golden)
