"""The mask head at full width, of the pyramid and of VGG."""

from __future__ import annotations

import tensorflow as tf

from dsg.models.detector.heads import MaskHead
from dsg.models.grounding.mask_transfer import transferred
from dsg.nets.initial import unfilled
from dsg.parity.checks import Checks, Tolerance
from dsg.parity.runs.grounding.reading import numbers, transfer_of
from dsg.parity.runs.grounding.weights import MASK_LAYERS, fill, renamed

CLOSE = Tolerance("relative", 2e-5)
CATEGORIES = 80
FORMS = {"x101": ("", 256, 4), "vgg": ("vgg/", 512, 0)}  # prefix of the names, channels, convolutions


def compare(checks: Checks) -> None:
    """All of `mask_head.npz`."""
    checks.given(r".*/roi\.recipe")
    matrix = transfer_of(checks.golden)
    for form, (prefix, channels, convs) in FORMS.items():
        with unfilled():
            head = MaskHead(channels, CATEGORIES, convs=convs)
        fill(head, renamed(f"{prefix}mask_head/", MASK_LAYERS))
        crops = tf.constant(numbers(checks.golden, f"{form}/roi"))
        maps = head.maps(crops)
        for number, level in enumerate(maps, 1):
            checks.compare(f"{form}/mask_fcn{number}", level, CLOSE)
        checks.compare(f"{form}/deconv", head.up([crops, *maps][-1]), CLOSE)
        logits = head(crops)
        checks.compare(f"{form}/logits", logits, CLOSE)
        checks.compare(f"{form}/masks_sg", transferred(logits, matrix), CLOSE)
