"""Grounded models at work: `load_grounding` reads a snapshot, `TrainedGrounding.graphs` describes images.

No data set and no ground truth are needed: the file carries the network, its options and its vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from dsg.config import Config, from_values, stored_values
from dsg.config.grounding import PREDCLS, SGCLS, SGDET
from dsg.datasets.records import Vocabulary
from dsg.engine.snapshots import load_snapshot, restore
from dsg.errors import UserError
from dsg.models.grounding.build import build_grounding
from dsg.models.grounding.model import GroundingModel
from dsg.models.grounding.predictor import GroundedPredictor
from dsg.models.grounding.scene import GroundedGraph
from dsg.models.kinds import check_grounds
from dsg.nets.initial import unfilled
from dsg.pipeline.images import read_image
from dsg.pipeline.instance_batches import inference_batch

TRACING_PAYS = 12  # images


class Given(NamedTuple):
    """What is known of an image beforehand."""

    boxes: np.ndarray  # [G, 4]: x1 y1 x2 y2 in pixels of the image
    labels: np.ndarray | None = None  # int [G], from 0; None: they are to be found (sgcls)


@dataclass(frozen=True, eq=False)
class TrainedGrounding:
    """A trained model and what belongs to it."""

    model: GroundingModel
    config: Config
    vocabulary: Vocabulary
    _predictors: dict[tuple[Any, ...], GroundedPredictor] = field(
        init=False, default_factory=dict, repr=False
    )

    def graphs(
        self,
        images: Sequence[np.ndarray | str | Path],
        given: Sequence[Given] | None = None,
        *,
        attended: int = 0,
        traced: bool = True,
    ) -> list[GroundedGraph]:
        """The scene graphs of images, TEST.IMS_PER_BATCH images at a time.

        Where nothing is given the model detects objects; their labels are the detector's if it was trained
        with labels given (predcls).

        Args:
            images: files, or uint8 [H, W, 3] in B, G, R order.
            given: of each image boxes, or boxes and labels; of all images the same.
            attended: of so many relations, the best, also the regions that they attend to.
            traced: the first call takes seconds longer, every other call a fraction of the time; this pays
                from about `TRACING_PAYS` images on.

        Returns:
            For each image its graph, in pixels of the original image.

        Raises:
            UserError: an image cannot be read; the model sees only true masks, which no photograph has.
        """
        if self.config.grounding.masks_from == "true":
            raise UserError(
                "this model was trained on true masks (GROUNDING.MASKS_FROM true), which are known of "
                "generated data alone"
            )
        graphs: list[GroundedGraph] = []
        size = self.config.test.ims_per_batch
        for first in range(0, len(images), size):
            chosen = images[first : first + size]
            pixels = [image if isinstance(image, np.ndarray) else read_image(image) for image in chosen]
            batch: dict[str, Any] = dict(inference_batch(pixels, self.config))
            setting = SGDET
            if given is not None:
                known = given[first : first + size]
                setting = SGCLS if known[0].labels is None else PREDCLS
                batch = _with(batch, known)
            found = self._predictor(setting, len(pixels) == 1, attended)(batch, traced=traced)
            for image, pixel in zip(found, pixels):
                graphs.append(GroundedGraph(pixel.shape[1], pixel.shape[0], image, self.vocabulary))
        return graphs

    def _predictor(self, *options: Any) -> GroundedPredictor:
        """One that is traced once for a setting, images alone or several, and a number of regions."""
        if options not in self._predictors:
            setting, alone, attended = options
            self._predictors[options] = GroundedPredictor(
                self.model, self.config, setting, alone=alone, attended=attended
            )
        return self._predictors[options]


def load_grounding(path: str | Path) -> TrainedGrounding:
    """The model of a snapshot (`<name>_iter_N.npz`, or the folder of its run), folded.

    Raises:
        UserError: the file is missing, damaged, or of another system or stage.
    """
    snapshot = load_snapshot(Path(path))
    check_grounds(path, snapshot.meta)
    meta = snapshot.meta
    config = from_values(stored_values(meta.config))
    vocabulary = Vocabulary(tuple(meta.objects), tuple(meta.predicates), tuple(meta.mask_objects))
    with unfilled():
        model = build_grounding(config, vocabulary)
    restore(snapshot, model)
    model.fold()
    return TrainedGrounding(model, config, vocabulary)


def _with(batch: Mapping[str, Any], given: Sequence[Given]) -> dict[str, Any]:
    """The batch with boxes and labels as those of an annotation."""
    most = max(len(one.boxes) for one in given)
    boxes, classes = np.zeros((len(given), most, 4), np.float32), np.zeros((len(given), most), np.int32)
    valid = np.zeros((len(given), most), bool)
    for row, (one, scale) in enumerate(zip(given, batch["scale"].numpy())):
        count = len(one.boxes)
        boxes[row, :count], valid[row, :count] = one.boxes * scale, True
        if one.labels is not None:
            classes[row, :count] = one.labels
    annotated = {"gt_boxes": boxes, "gt_classes": classes, "gt_valid": valid}
    return {**batch, **{key: tf.constant(value) for key, value in annotated.items()}}
