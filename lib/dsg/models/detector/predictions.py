"""What a detector says of images, class by class, as torchvision and as tf-faster-rcnn choose; a
`DetectorPredictor` is the one traced function that answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from dsg.boxes.choice import large_enough, suppress_in_groups
from dsg.boxes.conventions import TORCHVISION, decode_classes
from dsg.boxes.nms import nms
from dsg.boxes.paste import paste_masks
from dsg.boxes.transform import BoxCoder
from dsg.boxes.transform_np import BoxCoderNp
from dsg.config import Config
from dsg.models.detector.conventions import ORIGINAL, has_exact_boxes, region_coder
from dsg.models.detector.losses import of_class
from dsg.models.detector.model import Detector, ProposalSettings
from dsg.models.detector.outputs import Detections, FirstStage, RegionOutputs, Regions, packed
from dsg.nets.images import by_image

SMALLEST_SIDE = 1e-2
INPUTS = ("image", "image_size")  # of a batch: all that the network reads
MASK_THRESHOLD = 0.5


class Detected(NamedTuple):
    """What a detector found in an image, best first."""

    boxes: np.ndarray  # float32 [D, 4], pixels of the original image
    classes: np.ndarray  # int32 [D], from 1
    scores: np.ndarray  # float32 [D]
    masks: np.ndarray | None = None  # float32 [D, 28, 28]: probabilities, each in its box; None without masks

    def pasted(self, height: int, width: int) -> np.ndarray:
        """The masks in an image of that size: bool [D, height, width].

        Raises:
            ValueError: the detector has no masks.
        """
        if self.masks is None:
            raise ValueError("these detections have no masks")
        return paste_masks(self.masks, self.boxes, height, width) > MASK_THRESHOLD


class DetectorPredictor:
    """What a detector finds in a batch, by a function that is traced once, whatever the size of images.

    Boxes and their choice are torchvision's for pyramids and with EXACT_BOXES, else tf-faster-rcnn's.

    Args:
        model: a `Detector` of `config`.
        config: TEST.*, DETECTOR.MASKS, EXACT_BOXES.
        alone: batches are of one image, which is known to have no padding; default: where TEST.IMS_PER_BATCH
            is 1.
    """

    def __init__(self, model: Detector, config: Config, *, alone: bool | None = None) -> None:
        self._model, self._config = model, config
        self._exact = has_exact_boxes(config)
        self._coder = region_coder(config, BoxCoderNp)
        alone = config.test.ims_per_batch == 1 if alone is None else alone
        count = 1 if alone else None
        signature = {
            "image": tf.TensorSpec([count, None, None, 3], tf.float32, "image"),
            "image_size": tf.TensorSpec([count, 2], tf.float32, "image_size"),
        }
        answer = self._detect if self._exact else self._score
        self.traced = tf.function(answer, input_signature=[signature], autograph=False)

    def __call__(self, batch: Mapping[str, Any]) -> list[Detected]:
        """The detections in each image of a `dsg.pipeline.instance_batch.InstanceBatch`, of which `image`,
        `image_size`, `scale` and `original_size` are read.
        """
        arrays = [np.asarray(value) for value in self.traced({key: batch[key] for key in INPUTS})]
        scales, sizes = np.asarray(batch["scale"]), np.asarray(batch["original_size"])
        return (self._in_original if self._exact else self._choose)(arrays, scales, sizes)

    def _first_and_regions(self, batch: Mapping[str, tf.Tensor]) -> tuple[FirstStage, RegionOutputs]:
        images = tf.cast(batch["image"], self._config.test.precision)
        first = self._model(images, batch["image_size"], testing_proposals(self._config))
        return first, self._model.classify(first, packed(first.proposals))

    def _detect(self, batch: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        """Detections in pixels of the network's input, and the masks of the valid ones in one list."""
        config = self._config.test
        first, regions = self._first_and_regions(batch)
        chosen = detections(
            *(first, regions),
            threshold=config.score_threshold,
            iou=config.nms,
            limit=config.max_per_image,
            coder=region_coder(self._config),
        )
        values = (chosen.boxes, chosen.classes, chosen.scores, chosen.valid)
        if self._model.mask_head is None:
            return values
        places = tf.where(chosen.valid)
        boxes = Regions(tf.gather_nd(chosen.boxes, places), tf.cast(places[:, 0], tf.int32))
        logits = self._model.mask_logits(first, boxes)
        return (*values, class_masks(logits, tf.gather_nd(chosen.classes, places)))

    def _in_original(self, arrays: list[np.ndarray], scales: np.ndarray, sizes: np.ndarray) -> list[Detected]:
        boxes, classes, scores, valid = arrays[:4]
        starts = np.cumsum([0, *valid.sum(1)])
        edges = np.tile(sizes[:, None, ::-1], 2)  # whole pixels of the network's input may end beyond them
        boxes = np.minimum(boxes / scales[:, None, None], edges).astype(np.float32)
        return [
            Detected(
                boxes[row, : valid[row].sum()],
                classes[row, : valid[row].sum()],
                scores[row, : valid[row].sum()],
                arrays[4][starts[row] : starts[row + 1]] if len(arrays) > 4 else None,
            )
            for row in range(len(scales))
        ]

    def _score(self, batch: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        """Proposals [B, N, 4], which of them count, and scores and deltas of those in one list."""
        first, regions = self._first_and_regions(batch)
        proposals = first.proposals
        return proposals.boxes, proposals.valid, tf.nn.softmax(regions.class_logits), regions.box_deltas

    def _choose(self, arrays: list[np.ndarray], scales: np.ndarray, sizes: np.ndarray) -> list[Detected]:
        proposals, valid, scores, deltas = arrays
        starts, images = np.cumsum([0, *valid.sum(1)]), []
        for row, (scale, size) in enumerate(zip(scales, sizes)):
            own = slice(starts[row], starts[row + 1])
            height, width = size.tolist()
            boxes = boxes_in_image(proposals[row][valid[row]], deltas[own], scale, height, width, self._coder)
            chosen = image_detections(
                *(boxes, scores[own]),
                threshold=self._config.test.score_threshold,
                iou=self._config.test.nms,
                limit=self._config.test.max_per_image,
            )
            order = np.argsort(-chosen.scores, kind="stable")
            images.append(
                Detected(chosen.boxes[order], chosen.classes[order].astype(np.int32), chosen.scores[order])
            )
        return images


def testing_proposals(config: Config) -> ProposalSettings:
    """Which boxes the second stage sees in a test."""
    test = config.test
    top = test.mode == "top"
    return ProposalSettings(
        test.rpn_pre_nms_top_n,
        test.rpn_top_n if top else test.rpn_post_nms_top_n,
        test.rpn_nms_thresh,
        top=top,
        in_graph=config.use_e2e_tf,
    )


def detections(
    first: FirstStage,
    regions: RegionOutputs,
    *,
    threshold: float,
    iou: float = 0.5,
    limit: int = 100,
    coder: BoxCoder = TORCHVISION,
) -> Detections:
    """The detections of a batch whose regions are all its proposals, as torchvision chooses them.

    Args:
        first: the first stage.
        regions: of `outputs.packed(first.proposals)`.
        threshold: score that a detection exceeds.
        iou: overlap above which a better detection of the same class drops another.
        limit: detections an image.
        coder: of the boxes.
    """
    counts = tf.reduce_sum(tf.cast(first.proposals.valid, tf.int32), 1)
    starts = tf.cumsum(counts, exclusive=True)
    scores = tf.nn.softmax(regions.class_logits)
    classes = scores.shape[1]

    def choose(image: tf.Tensor | int) -> tuple[tf.Tensor, ...]:
        own = slice(starts[image], starts[image] + counts[image])
        proposals = first.proposals.boxes[image, : counts[image]]
        boxes = decode_classes(coder, proposals, regions.box_deltas[own])
        boxes = coder.clip(tf.reshape(boxes, [1, -1, 4]), first.image_size[image][None])
        chosen = choose_per_class(
            tf.reshape(boxes, [-1, classes, 4]), scores[own], threshold=threshold, iou=iou, limit=limit
        )
        count = tf.shape(chosen.scores)[0]
        rest = [[0, limit - count]]
        box, *others = chosen
        return (tf.pad(box, [*rest, [0, 0]]), *(tf.pad(values, rest) for values in others), count)

    signature = (
        tf.TensorSpec([limit, 4], tf.float32),
        tf.TensorSpec([limit], tf.int32),
        tf.TensorSpec([limit], tf.float32),
        tf.TensorSpec([limit], tf.int32),
        tf.TensorSpec([], tf.int32),
    )
    box, number, score, row, kept = by_image(choose, first.image_size, signature)
    most = tf.reduce_max(kept)
    valid = tf.sequence_mask(kept, most)
    return Detections(box[:, :most], number[:, :most], score[:, :most], row[:, :most], valid)


class Chosen(NamedTuple):
    """Detections of an image, best first."""

    boxes: tf.Tensor  # float32 [D, 4]
    classes: tf.Tensor  # int32 [D], from 1
    scores: tf.Tensor  # float32 [D]
    proposals: tf.Tensor  # int32 [D]: the proposal each came from


def choose_per_class(
    boxes: tf.Tensor, scores: tf.Tensor, *, threshold: float, iou: float, limit: int
) -> Chosen:
    """The detections among the boxes [N, C, 4] of the classes of N proposals, and their scores [N, C]."""
    places = tf.where((scores > threshold) & large_enough(boxes, SMALLEST_SIDE))
    places = tf.boolean_mask(places, places[:, 1] > 0)  # no background
    box, score = tf.gather_nd(boxes, places), tf.gather_nd(scores, places)
    kept = suppress_in_groups(box, score, tf.cast(places[:, 1], tf.int32), iou, limit)
    row, number = (tf.cast(tf.gather(places[:, axis], kept), tf.int32) for axis in range(2))
    return Chosen(tf.gather(box, kept), number, tf.gather(score, kept), row)


def class_masks(logits: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    """The mask of each region's class from logits [M, m, m, C]: probabilities [M, m, m]."""
    return tf.sigmoid(of_class(logits, classes))


class ImageDetections(NamedTuple):
    """What tf-faster-rcnn finds in an image, classes ascending, best first."""

    boxes: np.ndarray  # float32 [D, 4], pixels of the original image
    classes: np.ndarray  # int [D], from 1
    scores: np.ndarray  # float32 [D]
    proposals: np.ndarray  # int [D]


def boxes_in_image(
    proposals: np.ndarray,
    deltas: np.ndarray,
    scale: float,
    height: float,
    width: float,
    coder: BoxCoderNp = ORIGINAL,
) -> np.ndarray:
    """Boxes of every class in the original image: float32 [N, C, 4].

    As there, proposals are divided by the image's scale before they are moved, and corners are cut on their
    own side only: a box may stay outside or inverted.

    Args:
        proposals: float32 [N, 4], pixels of the network's input.
        deltas: float32 [N, 4 C], raw.
        scale: of the network's input to the image.
        height: of the image.
        width: of the image.
        coder: of the deltas.
    """
    image_boxes = (proposals / np.float32(scale)).astype(np.float32)
    boxes = coder.decode(image_boxes[:, None], deltas.reshape(len(deltas), -1, 4))
    low = np.maximum(boxes[..., :2], 0)
    high = np.minimum(boxes[..., 2:], np.array([width - 1, height - 1], np.float32))
    return np.concatenate([low, high], -1).astype(np.float32)


def image_detections(
    boxes: np.ndarray, scores: np.ndarray, *, threshold: float = 0.0, iou: float = 0.3, limit: int = 100
) -> ImageDetections:
    """The detections of an image by tf-faster-rcnn's rules: suppression from `iou` on, +1 widths; then all
    that score at least as much as the one at `limit`.

    Args:
        boxes: float32 [N, C, 4].
        scores: float32 [N, C]; class 0, the background, is left out.
        threshold: score that a detection exceeds.
        iou: overlap from which a better detection of the same class drops another.
        limit: detections, more where scores tie; 0: no limit.
    """
    parts = []
    for number in range(1, scores.shape[1]):
        rows = np.flatnonzero(scores[:, number] > threshold)
        dets = np.concatenate([boxes[rows, number], scores[rows, number, None]], 1).astype(np.float32)
        kept = nms(dets, iou)
        parts.append((dets[kept], np.full(len(kept), number), rows[kept]))
    dets, classes, rows = (np.concatenate(column) for column in zip(*parts))
    if 0 < limit < len(dets):
        enough = dets[:, 4] >= np.sort(dets[:, 4])[-limit]
        dets, classes, rows = dets[enough], classes[enough], rows[enough]
    return ImageDetections(dets[:, :4], classes, dets[:, 4], rows)
