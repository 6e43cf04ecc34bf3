"""That a run which goes on ends as one that was never interrupted, whatever the system."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from dsg.config import Config
from dsg.datasets import Dataset
from dsg.engine.runs import Run
from dsg.engine.snapshots import load_snapshot
from dsg.engine.train import train
from dsg.models.registry import task_of
from tests.eager import untraced


def check_resuming(config: Config, training: Dataset, validation: Dataset, folder: Path) -> None:
    """Train two epochs, and the second once more from the snapshot of the first: weights and slots are equal.

    Untraced, which takes a fraction of the time: what is read back and what a step computes is the same.
    """
    whole, resumed = (Run.of(folder / name, config.net, "shapes", "tiny") for name in ("whole", "resumed"))
    with untraced():
        train(task_of(config), config, training, validation, whole)
        resumed.make_folder()
        shutil.copy(whole.snapshot(1), resumed.snapshot(1))
        train(task_of(config), config, training, validation, resumed)
    first, second = (load_snapshot(run.snapshot(2)) for run in (whole, resumed))
    for kind in ("variables", "slots"):
        expected, found = getattr(first, kind), getattr(second, kind)
        assert list(expected) == list(found)
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)
