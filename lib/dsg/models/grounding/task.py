"""The task of grounded scene graphs: of their detector, and of the graph on it."""

from __future__ import annotations

from dsg.config import Config


class GroundingTask:
    """The task of a `GroundingModel`."""

    free_options = ("DETECTOR.METRIC", "GROUNDING.MOST_BOXES")

    def __init__(self, config: Config) -> None:
        self._config = config
