"""What a new training starts from: the weights of a detector, joint or of one data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dsg.checkpoints.tf1 import LoadReport
from dsg.config import Config
from dsg.config.grounding import GRAPH_STAGE
from dsg.datasets.records import Vocabulary
from dsg.errors import UserError
from dsg.models.grounding.model import GroundingModel
from dsg.models.weight_choice import NO_WEIGHTS
from dsg.models.weights import load_initial_weights

BOX = 4


def load_initial(
    model: GroundingModel, config: Config, vocabulary: Vocabulary, folder: str | Path = "data"
) -> LoadReport:
    """Fills a new model with what WEIGHTS names: a snapshot of a joint detector, or of another; a detector of
    torchvision or tf-faster-rcnn; ImageNet weights, which are also what it starts from if WEIGHTS is empty.

    Of a detector of one data set the joint one takes trunk, region proposals, box head and mask head, and by
    word the outputs of both predictors and of the masks.

    Raises:
        UserError: the weights are not there, damaged or hostile, or not those of this net; the graph is to be
            learned on no trained detector.
    """
    if config.grounding.stage == GRAPH_STAGE and config.weights.lower() in ("", NO_WEIGHTS):
        raise UserError(
            "a graph is learned on a trained detector: give its snapshot as WEIGHTS "
            "(train_sg.sh ... --stage detector trains one)"
        )
    report = load_initial_weights(model, config, folder, vocabulary, convert=of_one_data_set)
    if config.grounding.stage == GRAPH_STAGE:
        lacking = {name.partition(" ")[0] for name in report.missing} & set(model.detector.named_weights())
        if lacking:
            raise UserError(
                f"{config.weights}: lacks {len(lacking)} weights of the detector, such as {min(lacking)}; a "
                "graph is learned on the detector of GROUNDING.STAGE detector, trained on the same categories"
            )
    return report


def of_one_data_set(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights of a detector of one data set in the joint detector's layout: there the background is class
    0 of everything, here the last one of the scores alone. One box or mask for all classes is left out.
    """
    converted = dict(values)
    for leaf in ("kernel", "bias"):
        classes = converted.pop(f"predictor/coco_cls/{leaf}", None)
        boxes = converted.pop(f"predictor/coco_box/{leaf}", None)
        masks = converted.pop(f"mask_branch/masks/{leaf}", None)
        if classes is None:
            continue
        count = classes.shape[-1]
        for own in ("coco", "vg"):
            converted[f"predictor/{own}_cls/{leaf}"] = np.roll(classes, -1, -1)
            if boxes is not None and boxes.shape[-1] == BOX * count:
                converted[f"predictor/{own}_box/{leaf}"] = boxes[..., BOX:]
        if masks is not None and masks.shape[-1] == count:
            converted[f"mask_branch/masks/{leaf}"] = masks[..., 1:]
    return converted
