"""Detectors that are measured: their configuration at some size, weights that keep signals at size, an answer
and a training step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.settings import ROOT
from dsg.apps.cost.contenders import LEARNING_RATE
from dsg.config import Config, flatten, from_values, load_config
from dsg.config.names import PYRAMIDS
from dsg.datasets.formats.instances import Instances
from dsg.engine.optimizers import build_optimizer
from dsg.engine.step import StepReport, build_train_step
from dsg.engine.task import trained_variables
from dsg.models.detector.build import build_detector
from dsg.models.detector.model import Detector
from dsg.models.detector.predictions import Detected, DetectorPredictor
from dsg.models.detector.task import DetectorTask
from dsg.parity.runs import detection_forward, torchvision_forward
from dsg.pipeline.examples import to_batch
from dsg.pipeline.instance_batch import InstanceBatch
from dsg.pipeline.instance_batches import inference_batch, instance_spec
from dsg.pipeline.instance_examples import InstanceExample, preprocess_instances

CFGS = ROOT / "experiments" / "cfgs" / "models"


def detector_config(net: str, size: Sequence[int], values: Mapping[str, Any]) -> Config:
    """The configuration of a detector for images of `size`, and of `values` by upper-case name.

    Args:
        net: a backbone, such as res50_fpn.
        size: height, width.
        values: of options.
    """
    shorter, longer = sorted(size)
    scales = {f"{mode}.SCALES": [shorter] for mode in ("TRAIN", "TEST")}
    longest = {f"{mode}.MAX_SIZE": longer for mode in ("TRAIN", "TEST")}
    ours = load_config([CFGS / f"detector_{net}.yml"])
    # the other metric needs a library that nothing here needs
    return from_values({**flatten(ours), **scales, **longest, "DETECTOR.METRIC": "voc", **values})


def recipe_detector(config: Config, classes: int) -> Detector:
    """The detector of `config` with the weights of its parity recipe; `classes` is with the background."""
    model = build_detector(config, classes)
    if config.backbone in PYRAMIDS:
        torchvision_forward.recipe_weights(model, 0)
    else:
        detection_forward.recipe_weights(model, config.backbone)
    return model


def answering(model: Detector, config: Config) -> Callable[[np.ndarray], Detected]:
    """From the pixels of an image uint8 [H, W, 3] in B, G, R order to what is in it."""
    predict = DetectorPredictor(model, config)
    return lambda image: predict(inference_batch([image], config))[0]


def training_batch(
    image: np.ndarray, boxes: np.ndarray, classes: np.ndarray, masks: np.ndarray | None, config: Config
) -> InstanceBatch:
    """One image, of the size that `config` resizes images to, as it comes out of the input pipeline.

    Args:
        image: uint8 [H, W, 3] in B, G, R order.
        boxes: float32 [G, 4] in its pixels.
        classes: [G], from 1.
        masks: uint8 [G, H, W] of 0 and 1; None: without.
        config: of the detector.
    """
    none = np.zeros(len(boxes), bool)
    record = Instances(
        *("generated", Path("generated"), image.shape[1], image.shape[0]),
        boxes=boxes.astype(np.float32),
        classes=classes.astype(np.int32),
        difficult=none,
        crowd=none,
    )
    # masks are given as pixels, not as the outlines that a record has
    plain = from_values({**flatten(config), "DETECTOR.MASKS": False})
    arrays = preprocess_instances(InstanceExample(image, record), plain, np.random.default_rng(0))
    if masks is not None:
        arrays["gt_masks"] = masks
    batch: Any = to_batch([arrays])
    return InstanceBatch(**{key: tf.convert_to_tensor(value) for key, value in batch.items()})  # type: ignore[typeddict-item]


def stepping(model: Detector, config: Config, batch: InstanceBatch) -> Callable[[], StepReport]:
    """A training step as training runs it, on `batch`; returns its report."""
    optimizer = build_optimizer(config, trained_variables(model))
    losses, spec = DetectorTask(config).losses, instance_spec(config)
    strategy = tf.distribute.get_strategy()
    step = build_train_step(model, optimizer, config, strategy, losses_of=losses, spec=spec)
    return lambda: step(batch, LEARNING_RATE)
