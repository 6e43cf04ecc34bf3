"""Masks of images of the masks' data set, as the detector gives them and as the context refines them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from dsg.config import Config
from dsg.config.grounding import PREDCLS, SGDET
from dsg.models.detector.outputs import packed
from dsg.models.detector.predictions import Detected, testing_proposals
from dsg.models.grounding.boxes import BoxList
from dsg.models.grounding.detector import nodes_of_images
from dsg.models.grounding.inputs import annotated, detector_masks, known_of, node_options, regions_of
from dsg.models.grounding.model import GroundingModel
from dsg.models.grounding.motif import Known
from dsg.models.grounding.predictor import GIVEN_KEYS, IMAGE_KEYS, signature_of
from dsg.models.grounding.refine import mask_logits, of_labels


class MaskedImage(NamedTuple):
    """The objects of an image, with their masks before and after refinement."""

    plain: Detected
    refined: Detected | None  # None where refinement was not learned


class MaskPredictor:
    """The objects of a batch with masks, of the masks' categories.

    Args:
        model: with a graph stage, and a mask head.
        config: of the model: TEST.*, GROUNDING.*.
        setting: predcls: boxes and labels are given, scores are 1; sgcls: boxes are given, labels and scores
            are the detector's (the release ranks by the score of the true label); sgdet: all is detected.
        alone: batches are of one image; default: where TEST.IMS_PER_BATCH is 1.
    """

    def __init__(
        self, model: GroundingModel, config: Config, setting: str, *, alone: bool | None = None
    ) -> None:
        self._model, self._config, self._setting = model, config, setting
        alone = config.test.ims_per_batch == 1 if alone is None else alone
        self._keys = IMAGE_KEYS if setting == SGDET else GIVEN_KEYS
        signature = [signature_of(self._keys, alone)]
        self.traced = tf.function(self._answer, input_signature=signature, autograph=False)

    def __call__(self, batch: Mapping[str, Any]) -> list[MaskedImage]:
        """The objects of each image of a batch of `graph_batches.mask_evaluation_batches`."""
        said = {k: v.numpy() for k, v in self.traced({key: batch[key] for key in self._keys}).items()}
        scales, sizes = np.asarray(batch["scale"]), np.asarray(batch["original_size"])
        images = []
        for number, (scale, size) in enumerate(zip(scales, sizes)):
            own = said["image"] == number
            boxes = np.minimum(said["boxes"][own] / scale, np.tile(size[::-1], 2)).astype(np.float32)
            of_all = (boxes, said["labels"][own] + 1, said["scores"][own])
            plain = Detected(*of_all, said["masks"][own])
            refined = Detected(*of_all, said["refined"][own]) if "refined" in said else None
            images.append(MaskedImage(plain, refined))
        return images

    def _answer(self, batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        model = self._model
        pixels = tf.cast(batch["image"], self._config.test.precision)
        first = model.detector(pixels, batch["image_size"], testing_proposals(self._config))
        if self._setting == SGDET:
            regions = packed(first.proposals)
            scores = model.detector.scores(first, regions, masks=True)
            found = nodes_of_images(regions, scores, first.image_size, **node_options(self._config))
            boxes, best = found.boxes, found.scores
            known = Known(found.labels, tf.gather(scores.probabilities, found.rows))
        else:
            given = annotated(batch, first.image_size)
            boxes, scores = given.boxes, None
            if self._setting != PREDCLS:
                scores = model.detector.scores(first, regions_of(boxes), masks=True)
            known = known_of(given.labels, scores, self._setting)
            best = tf.ones_like(boxes.boxes[:, 0])
            if known.scores is not None:
                best = tf.gather(known.scores, known.labels, batch_dims=1)
        logits = detector_masks(model, first, boxes)
        said = {
            "boxes": boxes.boxes,
            "image": boxes.image,
            "labels": known.labels,
            "scores": best,
            "masks": tf.sigmoid(of_labels(logits, known.labels)),
        }
        if self._config.grounding.refine:
            said["refined"] = self._refined(first, boxes, known, tf.sigmoid(logits))
        return said

    def _refined(self, first: Any, boxes: BoxList, known: Known, shown: tf.Tensor) -> tf.Tensor:
        residual = self._model.graph.refined(self._model.maps(first), boxes, known, shown)
        return tf.sigmoid(of_labels(mask_logits(shown) + residual, known.labels))
