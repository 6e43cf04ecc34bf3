"""The library's detector as its programs use it: the net's configuration, the input pipeline, the traced
predictor, the training step.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.detector_models import detector_config, stepping, training_batch
from benchmarks.peers.settings import CLASSES, Case, PeerSettings
from benchmarks.peers.side import Contender, Found
from benchmarks.peers.subject import WEIGHTS, masks_of, read_subject
from dsg.checkpoints.torchvision import for_pixels_bgr, read_torchvision
from dsg.config import Config
from dsg.models.detector.build import build_detector
from dsg.models.detector.model import Detector
from dsg.models.detector.predictions import DetectorPredictor
from dsg.pipeline.instance_batches import inference_batch

FIRST_KERNEL = "trunk/conv1/kernel"
VERSIONS = {"tensorflow": tf.__version__}


def contender(case: Case, settings: PeerSettings, folder: Path) -> Contender:
    """The detector in this process."""
    tf.config.threading.set_intra_op_parallelism_threads(settings.threads)
    tf.config.threading.set_inter_op_parallelism_threads(settings.threads)
    subject = read_subject(folder)
    config = case_config(case, settings, (settings.height, settings.width))
    smaller = case_config(case, settings, settings.compared)
    model = build_detector(config, CLASSES)
    _load(model, folder / WEIGHTS)
    if case.step:
        masks = masks_of(subject) if case.masks else None
        batch = training_batch(subject.picture[:, :, ::-1], subject.boxes, subject.classes, masks, config)
        step = stepping(model, config, batch)

        def loss() -> float:
            losses = step().losses  # without weight decay, which is no loss on the other side
            return losses["total"] - losses.get("regularization", 0.0)

        return Contender(loss, lambda: {"loss": np.array(loss())}, VERSIONS)
    model.fold()  # as for every model that only answers
    predict = DetectorPredictor(model, config)

    def found(picture: np.ndarray) -> Found:
        own = config if picture is subject.picture else smaller
        detected = predict(inference_batch([picture[:, :, ::-1]], own))[0]
        arrays = {"boxes": detected.boxes, "classes": detected.classes, "scores": detected.scores}
        if case.masks:
            arrays["masks"] = detected.pasted(*picture.shape[:2])
        return arrays

    return Contender(
        lambda: len(found(subject.picture)["scores"]),
        lambda: found(subject.compared),
        VERSIONS,
    )


def case_config(case: Case, settings: PeerSettings, size: tuple[int, int]) -> Config:
    """The net's configuration with the numbers that both sides have."""
    return detector_config(
        "res50_fpn",
        size,
        {
            "DETECTOR.MASKS": case.masks,
            "TEST.PRECISION": case.precision,
            "TRAIN.PRECISION": case.precision,
            "TEST.RPN_PRE_NMS_TOP_N": settings.candidates,
            "TEST.RPN_POST_NMS_TOP_N": settings.proposals,
            "TRAIN.RPN_PRE_NMS_TOP_N": settings.train_proposals,
            "TRAIN.RPN_POST_NMS_TOP_N": settings.train_proposals,
            "TRAIN.BATCH_SIZE": settings.regions,
            "TEST.SCORE_THRESHOLD": settings.threshold,
            "TEST.MAX_PER_IMAGE": settings.detections,
        },
    )


def _load(model: Detector, path: Path) -> None:
    """The other side's weights, for pixels in this library's order."""
    variables = model.named_variables()
    values, _ = read_torchvision(path, {name: variable.shape for name, variable in variables.items()})
    values[FIRST_KERNEL] = for_pixels_bgr(values[FIRST_KERNEL])
    for name, variable in variables.items():
        variable.assign(values[name])
