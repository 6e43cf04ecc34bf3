"""The systems: which task trains and tests what MODEL names, one line a system."""

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
}


def task_of(config: Config) -> Task[Any, Any]:
    """The task of the system that MODEL names; its module is imported only now."""
    module, name = SYSTEMS[config.model].split(":")
    task: Task[Any, Any] = getattr(importlib.import_module(module), name)(config)
    return task
