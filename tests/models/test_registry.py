"""The registry has a task for every system."""

from __future__ import annotations

import pytest

from dsg.config import MODELS, load_config
from dsg.models.registry import SYSTEMS, task_of


def test_there_is_a_line_for_every_model() -> None:
    assert list(SYSTEMS) == list(MODELS)


@pytest.mark.parametrize("model", MODELS)
def test_the_task_of_a_model(model: str) -> None:
    if model in ("detector", "grounding"):  # its metric is COCO's
        pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
    task = task_of(load_config(overrides=["MODEL", model]))
    names = {"dsg": "DsgTask", "detector": "DetectorTask", "grounding": "GraphTask"}
    assert type(task).__name__ == names.get(model, "BaselineTask")
