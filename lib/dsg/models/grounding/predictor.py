"""What a grounded model says of images, by functions that are traced once, whatever the size of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.config import Config
from dsg.config.grounding import PREDCLS, SGDET
from dsg.models.detector.heads import MASK_SIZE
from dsg.models.detector.outputs import FirstStage, packed
from dsg.models.detector.predictions import testing_proposals
from dsg.models.grounding.answers import sorted_graph
from dsg.models.grounding.boxes import BoxList
from dsg.models.grounding.detector import nodes_of_images
from dsg.models.grounding.edge_masks import GAUSSIAN, blurred, gaussian_kernels
from dsg.models.grounding.grounded import GroundedImage
from dsg.models.grounding.inputs import (
    Annotated,
    Images,
    annotated,
    detector_masks,
    known_of,
    masks_of,
    node_options,
    regions_of,
)
from dsg.models.grounding.mask_transfer import transferred_of
from dsg.models.grounding.model import GroundingModel
from dsg.models.grounding.motif import Known, suppressed
from dsg.models.grounding.pairs import asked_pairs
from dsg.models.grounding.refine import of_labels
from dsg.models.grounding.stage import Grounded

IMAGE_KEYS = ("image", "image_size")
GIVEN_KEYS = (*IMAGE_KEYS, "gt_boxes", "gt_classes", "gt_valid")
SHOWN = ("masks", "refined", "nearest")
SHAPES: dict[str, tuple[list[int | None], Any]] = {
    "image": ([None, None, 3], tf.float32),
    "image_size": ([2], tf.float32),
    "gt_boxes": ([None, 4], tf.float32),
    "gt_classes": ([None], tf.int32),
    "gt_valid": ([None], tf.bool),
    "true_masks": ([None, MASK_SIZE, MASK_SIZE], tf.float32),
}


def signature_of(keys: tuple[str, ...], alone: bool) -> dict[str, tf.TensorSpec]:
    """The input of a traced function; `alone`: of one image, which is known to have no padding."""
    count = 1 if alone else None
    return {key: tf.TensorSpec([count, *SHAPES[key][0]], SHAPES[key][1], key) for key in keys}


class GroundedPredictor:
    """The scene graphs of a batch, with the masks of their nodes.

    Args:
        model: with a graph stage.
        config: of the model: TEST.*, GROUNDING.*.
        setting: predcls, sgcls (boxes are given, with labels or without) or sgdet; default
            GROUNDING.SETTING, for which the model was trained.
        alone: batches are of one image; default: where TEST.IMS_PER_BATCH is 1.
        attended: for so many of the first pairs also say where subject and object are looked at.
        guesses: also give the masks of the nearest categories, to compare with.
    """

    def __init__(
        self,
        model: GroundingModel,
        config: Config,
        setting: str | None = None,
        *,
        alone: bool | None = None,
        attended: int = 0,
        guesses: bool = False,
    ) -> None:
        self._model, self._config, self._guesses = model, config, guesses
        self.setting = setting or config.grounding.setting
        self._attended = attended if _has_gaussians(model, config) else 0
        detects, alone = self.setting == SGDET, config.test.ims_per_batch == 1 if alone is None else alone
        self._keys: tuple[str, ...] = IMAGE_KEYS if detects else GIVEN_KEYS
        if config.grounding.masks_from == "true":
            self._keys += ("true_masks",)
        self.traced = tf.function(
            self._detect if detects else self._read,
            input_signature=[signature_of(self._keys, alone)],
            autograph=False,
        )

    def __call__(self, batch: Mapping[str, Any]) -> list[GroundedImage]:
        """The graph of each image of a `dsg.pipeline.graph_batch.GraphBatch`; of its annotation, boxes and
        labels are read where they are given.
        """
        said = {k: v.numpy() for k, v in self.traced(self.inputs(batch)).items()}
        scales, sizes = np.asarray(batch["scale"]), np.asarray(batch["original_size"])
        counts = np.bincount(said["image"], minlength=len(scales))
        starts = np.cumsum([0, *counts])
        of_pair = said["image"][said["pairs"][:, 0]]
        return [
            self._image(said, slice(*starts[number : number + 2]), of_pair == number, scale, size)
            for number, (scale, size) in enumerate(zip(scales, sizes))
        ]

    def inputs(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """What of a batch `traced` reads."""
        return {key: batch[key] for key in self._keys}

    def _image(
        self, said: Mapping[str, np.ndarray], own: slice, pairs: np.ndarray, scale: float, size: np.ndarray
    ) -> GroundedImage:
        boxes = said["boxes"][own] / scale
        if self.setting == SGDET:  # whole pixels of the network's input may end beyond the image's
            boxes = np.minimum(boxes, np.tile(size[::-1], 2))
        graph = sorted_graph(
            *(boxes.astype(np.float32), said["labels"][own], said["scores"][own]),
            *(said["pairs"][pairs] - own.start, said["predicates"][pairs]),
        )
        masks, refined, nearest = (said[key][own] if key in said else None for key in SHOWN)
        attended = None
        if self._attended and masks is not None:
            chosen = graph.pairs[: self._attended]
            # Pairs come by rows, so that numbering them by rows finds them again.
            known, asked = ((ends @ [len(boxes), 1]) for ends in (said["pairs"][pairs] - own.start, chosen))
            kernels = said["kernels"][pairs][np.searchsorted(known, asked)]
            attended = attended_masks(masks, chosen, kernels)
        return GroundedImage(graph, masks, refined, attended, nearest)

    def _detect(self, batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Boxes that the detector finds."""
        first = self._first(batch)
        regions = packed(first.proposals)
        scores = self._model.detector.scores(first, regions)
        found = nodes_of_images(regions, scores, first.image_size, **node_options(self._config))
        known = Known(found.labels, tf.gather(scores.probabilities, found.rows), found.class_boxes)
        return self._ground(Images(first, batch), found.boxes, known, None)

    def _read(self, batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Boxes that are given."""
        first = self._first(batch)
        given: Annotated = annotated(batch, first.image_size)
        scores = None
        if self.setting != PREDCLS:
            scores = self._model.detector.scores(first, regions_of(given.boxes))
        known = known_of(given.labels, scores, self.setting)
        return self._ground(Images(first, batch), given.boxes, known, given.places)

    def _first(self, batch: Mapping[str, tf.Tensor]) -> FirstStage:
        images = tf.cast(batch["image"], self._config.test.precision)
        return self._model.detector(images, batch["image_size"], testing_proposals(self._config))

    def _ground(
        self, images: Images, boxes: BoxList, known: Known, places: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        model, options = self._model, self._config.grounding
        logits = masks_of(model, images, boxes, self._config, places)
        pairs = asked_pairs(boxes, overlapping=self.setting == SGDET)
        got: Grounded = model.graph(
            *(model.maps(images.first), boxes, known, logits, pairs), refined=options.refine
        )
        probabilities = tf.nn.softmax(got.context.object_logits)[:, :-1]
        placed = boxes.boxes
        if self.setting == SGDET:
            labels = suppressed(got.context.object_logits, known.class_boxes, boxes)
            placed = tf.gather(known.class_boxes, labels, batch_dims=1)
        else:
            labels = tf.argmax(probabilities, -1, tf.int32)
        said = {
            "boxes": placed,
            "image": boxes.image,
            "labels": labels,
            "scores": tf.gather(probabilities, labels, batch_dims=1),
            "pairs": pairs,
            "predicates": tf.nn.softmax(got.predicate_logits),
        }
        if logits is None and model.detector.mask_head is not None:
            logits = detector_masks(model, images.first, boxes)  # to be shown, though the graph ignores them
        if logits is not None:
            said["masks"] = transferred_of(logits, model.transfer, labels)
            if self._guesses:
                nearest = tf.argmax(tf.convert_to_tensor(model.transfer), 0, tf.int32)
                said["nearest"] = tf.sigmoid(of_labels(logits, tf.gather(nearest, labels)))
            if got.residual is not None:
                said["refined"] = transferred_of(logits + got.residual, model.transfer, labels)
        if self._attended:
            said["kernels"] = self._kernels(known, pairs)
        return said

    def _kernels(self, known: Known, pairs: tf.Tensor) -> tf.Tensor:
        """The Gaussians of subject and object of each pair: [P, 2, 7, 7]."""
        scores = known.scores
        if scores is None:
            scores = tf.one_hot(known.labels, self._model.graph.sizes.context.labels)
        ends = tf.gather(scores, pairs[:, 0]), tf.gather(scores, pairs[:, 1])
        return gaussian_kernels(self._model.graph.edge_mask.shapes(*ends))


def attended_masks(masks: np.ndarray, pairs: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """Masks [N, m, m] of the nodes of pairs int [A, 2], each blurred by its Gaussian [A, 2, 7, 7]: float32
    [A, 2, m, m].
    """
    flat = masks[pairs.reshape(-1)][..., None]
    shown = blurred(tf.constant(flat), tf.constant(kernels.reshape(-1, *kernels.shape[2:])))
    return shown.numpy()[..., 0].reshape(*pairs.shape, *masks.shape[1:])


def _has_gaussians(model: GroundingModel, config: Config) -> bool:
    return model.graph is not None and config.grounding.edge_mask == GAUSSIAN
