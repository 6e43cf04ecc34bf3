"""The weights of the detectors' and the scene graphs' reference cases: each a function of its published name
and shape, and a seed.

Values are standard normal float64 numbers from PCG64 seeded with the crc32 of the name (and the seed of the
case), scaled by kind of variable, and rounded to float32. Every filter of the detectors sums to zero.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np

Gains = Sequence[tuple[str, float]]
# (pattern of the name, gain); the first that matches counts
SLIM_GAINS: Gains = (
    (r"^(resnet_v1_\d+/conv1|MobilenetV1/Conv2d_0)/", 0.02),
    (r"^vgg_16/conv1/conv1_1/", 0.01),
    (r"^resnet_v1_\d+/(rpn_conv/3x3|rpn_cls_score)/", 0.5),
    (r"^(resnet_v1_\d+|MobilenetV1)/rpn_bbox_pred/", 0.1),
    (r"^resnet_v1_\d+/cls_score/", 2.5),
    (r"^resnet_v1_\d+/bbox_pred/", 1.2),
    (r"^(vgg_16|MobilenetV1)/rpn_conv/3x3/", 1.2),
    (r"^(vgg_16/rpn_cls_score|MobilenetV1/bbox_pred)/", 1.0),
    (r"^vgg_16/rpn_bbox_pred/", 0.3),
    (r"^vgg_16/cls_score/", 2.0),
    (r"^(vgg_16/bbox_pred|MobilenetV1/cls_score)/", 1.5),
    (r"^MobilenetV1/rpn_cls_score/", 0.35),
    (r"^vgg_16/", 1.2),
    (r"", 1.4),
)
TORCH_GAINS: Gains = (
    (r"(^|\.)fpn\.inner_blocks\.", 0.7),
    (r"(^|\.)fpn\.layer_blocks\.0\.", 0.20),
    (r"(^|\.)fpn\.layer_blocks\.1\.", 0.28),
    (r"(^|\.)fpn\.layer_blocks\.2\.", 0.45),
    (r"(^|\.)fpn\.layer_blocks\.3\.|^rpn\.head\.conv\.", 1.0),
    (r"^rpn\.head\.cls_logits\.", 0.5),
    (r"^rpn\.head\.bbox_pred\.", 0.20),
    (r"^roi_heads\.(box_head\.fc6|mask_head\.0)\.", 1.8),
    (r"^roi_heads\.box_head\.\d\.", 1.6),
    (r"^roi_heads\.box_predictor\.cls_score\.", 1.5),
    (r"^roi_heads\.", 1.0),
    (r"", 0.17),
)
GROUNDING_GAINS: Gains = (
    (r"edge/gauss/kernel$", 12.0),
    (r"decoder/out/kernel$", 6.0),
    (r"vision_prior/kernel$", 0.6),
    (r"predicate/out/kernel$", 2.0),
    (r"(mask_head|refiner)/predictor/kernel$", 3.0),
    (r"box_predictor/(vg|coco)_cls/kernel$", 5.0),
    (r"box_predictor/(vg|coco)_box/kernel$", 0.6),
    (r"(mask_fcn\d|deconv|reduce|conv|fc\d|score_\w+)/kernel$", 1.4),
    (r"", 1.0),
)
KERNELS = ("kernel", "recurrent_kernel")
# kind of variable -> mean, deviation
GROUNDING_SPREADS = {
    "embeddings": (0.0, 0.4),
    "table": (-3.0, 1.5),
    "gamma": (1.0, 0.1),
    **dict.fromkeys(("moving_mean", "bias", "bias_ih", "bias_hh", "beta"), (0.0, 0.1)),
}


def slim_value(name: str, shape: Sequence[int]) -> np.ndarray:
    """float32 value of tf-faster-rcnn's TensorFlow 1 variable `name`."""
    noise, kind = _noise(name, shape, 0), name.rsplit("/", 1)[-1]
    if kind == "depthwise_weights":
        noise -= 0.7 * noise.mean((0, 1))
        value = noise * (1.4 * np.sqrt(2.0 / np.prod(shape[:2])))
    elif kind == "weights":
        noise -= noise.mean(tuple(range(noise.ndim - 1)))
        value = noise * (_gain(SLIM_GAINS, name) * np.sqrt(2.0 / np.prod(shape[:-1])))
    elif kind == "gamma":
        value = (1.0 + 0.1 * noise) * (0.25 if "/conv3/" in name else 1.0)
    elif kind == "moving_variance":
        value = 1.0 + 0.1 * np.abs(noise)
    else:
        value = {"beta": 0.03, "moving_mean": 0.03, "biases": 0.05}[kind] * noise
    return value.astype(np.float32)


def torch_value(name: str, shape: Sequence[int], seed: int = 0) -> np.ndarray:
    """float32 value of the entry `name` of torchvision's state dict, in torch's layout."""
    noise, kind = _noise(name, shape, seed), name.rsplit(".", 1)[-1]
    if kind == "weight" and len(shape) > 1:
        # a transposed convolution is [in, out, h, w]
        axes = (0,) if name.endswith("conv5_mask.weight") else tuple(range(1, noise.ndim))
        noise -= noise.mean(axes, keepdims=True)
        fan = np.prod([shape[axis] for axis in axes])
        value = noise * (_gain(TORCH_GAINS, name) * np.sqrt(2.0 / fan))
    elif kind == "weight":
        value = (1.0 + 0.1 * noise) * (0.35 if name.endswith(".bn3.weight") else 1.0)
    elif kind == "running_var":
        scale = 1.0 if re.search(r"fpn\.|roi_heads\.", name) else 0.02
        value = scale * (1.0 + 0.3 * np.abs(noise))
    else:
        value = {"running_mean": 0.01, "bias": 0.05}[kind] * noise
    return value.astype(np.float32)


def grounding_value(name: str, shape: Sequence[int]) -> np.ndarray:
    """float32 value of the variable `name` of the scene graphs' cases, in our layout.

    Raises:
        KeyError: the recipe has no variable of this kind.
    """
    noise, kind = _noise(name, shape, 0), name.rsplit("/", 1)[-1]
    if kind in KERNELS:
        # a transposed convolution is [2, 2, out, in], and each of its results sees `in` values
        fan = shape[-1] if name.endswith("deconv/kernel") else np.prod(shape[:-1])
        value = noise * (_gain(GROUNDING_GAINS, name) / np.sqrt(fan))
    elif kind == "moving_variance":
        value = 0.5 + 0.2 * np.abs(noise)
    else:
        mean, deviation = GROUNDING_SPREADS[kind]
        value = mean + deviation * noise
    return value.astype(np.float32)


def grounding_input(name: str, shape: Sequence[int], kind: str) -> np.ndarray:
    """float32 input `name` of the scene graphs' cases.

    Args:
        name: of the input.
        shape: of the array.
        kind: uniform (from 0 to 1), scores (peaked probabilities along the last axis, which sum to 1), or
            normal, with a deviation behind it that is not 1, such as normal2.
    """
    name = f"input/{name}"
    if kind == "uniform":
        return _generator(zlib.crc32(name.encode())).random(tuple(shape)).astype(np.float32)
    noise = _noise(name, shape, 0)
    if kind == "scores":
        noise = 3.0 * noise
        noise[..., -1] += 2.0
        value = np.exp(noise - noise.max(-1, keepdims=True))
        return (value / value.sum(-1, keepdims=True)).astype(np.float32)
    return (noise * float(kind[len("normal") :] or 1)).astype(np.float32)


def permutation(count: int) -> np.ndarray:
    """The order in which the samplers of torchvision's cases took `count` rows."""
    return np.random.RandomState(count).permutation(count)


def _noise(name: str, shape: Sequence[int], seed: int) -> np.ndarray:
    crc = zlib.crc32(name.encode())
    return _generator([crc, seed] if seed else crc).standard_normal(tuple(map(int, shape)))


def _generator(seed: int | list[int]) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def _gain(gains: Gains, name: str) -> float:
    return next(gain for pattern, gain in gains if re.search(pattern, name))
