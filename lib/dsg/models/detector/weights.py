"""What a new training run of a detector starts from."""

from __future__ import annotations

from pathlib import Path

from dsg.checkpoints.tf1 import LoadReport
from dsg.config import Config
from dsg.datasets.records import Vocabulary
from dsg.models.detector.model import Detector
from dsg.models.weights import load_initial_weights


def load_initial(
    model: Detector, config: Config, vocabulary: Vocabulary, folder: str | Path = "data"
) -> LoadReport:
    """Fills a detector with what WEIGHTS names (a snapshot, a detector of torchvision or tf-faster-rcnn,
    ImageNet weights), or with the ImageNet weights kept for its backbone: `load_initial_weights`, where class
    k is `vocabulary.objects[k - 1]`.

    Raises:
        UserError: the weights are not there, damaged or hostile, or not those of this net.
    """
    return load_initial_weights(model, config, folder, vocabulary)
