"""The systems: the task that trains and tests each value of MODEL, one line per system."""

from __future__ import annotations

import importlib
from typing import Any

from dsg.config import Config
from dsg.engine.task import Task

SYSTEMS = {
    "dsg": "dsg.models.dsg.task:DsgTask",
    "ss": "dsg.models.baselines.task:BaselineTask",
    "co": "dsg.models.baselines.task:BaselineTask",
    "vrd": "dsg.models.baselines.task:BaselineTask",
    "ssas": "dsg.models.baselines.task:BaselineTask",
    "detector": "dsg.models.detector.task:DetectorTask",
    "grounding": "dsg.models.grounding.task:grounding_task",
}


def task_of(config: Config) -> Task[Any, Any]:
    """The task of the system that MODEL names; its module is imported only here."""
    module, name = SYSTEMS[config.model].split(":")
    task: Task[Any, Any] = getattr(importlib.import_module(module), name)(config)
    return task
