"""The weights of the reference cases: each a function of its TensorFlow 1 name and shape alone.

Values are standard normal float64 numbers from PCG64 seeded with the crc32 of the name, scaled by kind of
variable and rounded to float32. Kernels are scaled by a gain times sqrt(2 / fan_in); the gains keep
activations of a random net in a sensible range.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np

# (pattern of the name, gain); the first that matches counts, 1 where none does
KERNEL_GAINS = (
    (r"^resnet_v1_\d+/conv1/weights$", 0.01),
    (r"/rpn_conv/3x3/weights$", 0.5),
    (r"^resnet_v1_50/rpn_cls_score/weights$", 1.3),
    (r"/rpn_cls_score/weights$", 0.22),
    (r"/rpn_bbox_pred/weights$", 0.1),
    (r"^(conv2d|pw)/kernel$", 0.4),
    (r"_atten/2/weights$", 1.5),
    (r"/bbox_pred__new/weights$", 0.15),
    (r"^gpi/(gt_)?(ent|rel)_score/", 0.5),
    (r"/cls_score2__new/weights$", 0.5),
)


def recipe_value(name: str, shape: Sequence[int]) -> np.ndarray:
    """float32 value of the TensorFlow 1 variable `name` of `shape`."""
    noise = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()))).standard_normal(
        tuple(map(int, shape))
    )
    kind = name.rsplit("/", 1)[-1]
    if kind in ("weights", "kernel"):
        gain = next((gain for pattern, gain in KERNEL_GAINS if re.search(pattern, name)), 1.0)
        value = noise * (gain * np.sqrt(2.0 / np.prod(shape[:-1])))
    elif kind == "gamma":
        value = (1.0 + 0.1 * noise) * (0.25 if "/conv3/" in name else 1.0)
    elif kind == "moving_variance":
        value = 1.0 + 0.1 * np.abs(noise)
    elif kind in ("beta", "moving_mean"):
        value = 0.1 * noise
    elif kind in ("biases", "bias"):
        value = 0.05 * noise
    else:
        raise ValueError(f"no rule for the variable {name}")
    return value.astype(np.float32)
