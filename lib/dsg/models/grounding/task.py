"""The tasks of grounded scene graphs: of their detector, and of the graph on it."""

from __future__ import annotations

from typing import Any

from dsg.config import Config
from dsg.config.grounding import DETECTOR_STAGE
from dsg.engine.task import Task
from dsg.models.grounding.detector_task import JointDetectorTask


def grounding_task(config: Config) -> Task[Any, Any]:
    """The task of the stage that GROUNDING.STAGE names."""
    if config.grounding.stage == DETECTOR_STAGE:
        return JointDetectorTask(config)
    from dsg.models.grounding.graph_task import GraphTask

    return GraphTask(config)
