"""Files of tf-faster-rcnn's detector: test mode, training, and PASCAL VOC's average precision."""

from __future__ import annotations

from typing import Any

from dsg.parity.checks import Checks
from dsg.parity.golden import Golden


def run(golden: Golden, models: Any = None, settings: Any = None) -> Checks:
    """Every stage of the file; the detector's weights are made here, `models` and `settings` are not used."""
    if "thresholds_07" in golden:
        from dsg.parity.runs import voc_ap

        return voc_ap.run(golden)
    if "grad_l2" in golden:
        from dsg.parity.runs import detection_training

        return detection_training.run(golden)
    from dsg.parity.runs import detection_forward

    return detection_forward.run(golden)
