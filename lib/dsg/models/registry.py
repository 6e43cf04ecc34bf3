"""The systems: which task trains and tests the network that a configuration describes."""

from __future__ import annotations

from dsg.config import BASELINES, Config
from dsg.engine.task import Task


def task_of(config: Config) -> Task:
    """The task of the network that `config` describes."""
    if config.net in BASELINES:
        from dsg.models.baselines.task import BaselineTask

        return BaselineTask(config)
    from dsg.models.dsg.task import DsgTask

    return DsgTask(config)
