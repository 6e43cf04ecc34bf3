"""The task of grounded scene graphs: of their detector, and of the graph on it."""

from __future__ import annotations

from dsg.config import Config
from dsg.datasets.records import Vocabulary
from dsg.models.grounding.joint import build_joint_detector
from dsg.models.grounding.model import GroundingModel


class GroundingTask:
    """The task of a `GroundingModel`."""

    free_options = ("DETECTOR.METRIC", "GROUNDING.MOST_BOXES")

    def __init__(self, config: Config) -> None:
        self._config = config

    def build_model(self, vocabulary: Vocabulary) -> GroundingModel:
        return GroundingModel(build_joint_detector(self._config, vocabulary))
