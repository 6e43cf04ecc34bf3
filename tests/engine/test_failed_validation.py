"""A validation that fails costs no training."""

from __future__ import annotations

import pytest

from dsg.engine.runs import Run
from dsg.engine.train import Trainer, train
from tests.baselines.small_runs import settings
from tests.tiny import make_tiny_shapes


def test_the_epoch_is_kept(tmp_path, monkeypatch):
    data = make_tiny_shapes(tmp_path, train=14, test=3)
    run = Run.of(tmp_path / "output", "co", "shapes", "run")
    config, *splits = settings("co", data, "TRAIN.IMS_PER_BATCH", "8", "TRAIN.EPOCHS", "1")
    steps: list[int] = []
    with monkeypatch.context() as patched:

        def fail(*_):
            raise MemoryError("no memory for so large an image")

        patched.setattr(Trainer, "_history_entry", fail)
        with pytest.raises(MemoryError):
            train(config, *splits, run, after_step=steps.append)
    trained = list(steps)
    assert trained and run.last.is_file() and not run.epochs()
    train(config, *splits, run, after_step=steps.append)
    assert steps == trained and run.epochs() == [1] and not run.last.exists()
