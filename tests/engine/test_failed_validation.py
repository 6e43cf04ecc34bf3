"""A validation that fails costs no training, and what else ends a run is not taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from dsg.engine.callbacks.callback import AfterStep
from dsg.engine.resume import state_of
from dsg.engine.runs import Run
from dsg.engine.snapshots import Meta, save_snapshot
from dsg.engine.state import TrainState
from dsg.engine.train import train
from dsg.errors import UserError
from dsg.models.registry import task_of
from tests.models.baselines.small_runs import settings
from tests.tiny import make_tiny_shapes

pytestmark = pytest.mark.usefixtures("untraced_module")


def test_the_epoch_is_kept(tmp_path, monkeypatch):
    data = make_tiny_shapes(tmp_path, train=14, test=3)
    run = Run.of(tmp_path / "output", "co", "shapes", "run")
    config, *splits = settings("co", data, "TRAIN.IMS_PER_BATCH", "8", "TRAIN.EPOCHS", "1")
    steps: list[int] = []
    with monkeypatch.context() as patched:

        def fail(*_):
            raise MemoryError("no memory for so large an image")

        patched.setattr(TrainState, "entry", fail)
        with pytest.raises(MemoryError):
            train(task_of(config), config, *splits, run, callbacks=[AfterStep(steps.append)])
    trained = list(steps)
    assert trained and run.last.is_file() and not run.epochs()
    train(task_of(config), config, *splits, run, callbacks=[AfterStep(steps.append)])
    assert steps == trained and run.epochs() == [1] and not run.last.exists()


def test_bad_steps_up_to_the_last_of_an_epoch_are_no_failed_validation(tmp_path):
    """Else the next start would validate, and count the epoch."""
    data = make_tiny_shapes(tmp_path, train=14, test=3)
    run = Run.of(tmp_path / "output", "co", "shapes", "run")
    options = ("TRAIN.LEARNING_RATE", "1e30", "TRAIN.STEPS_PER_EPOCH", "3", "TRAIN.MAX_BAD_STEPS", "2")
    config, *splits = settings("co", data, "TRAIN.IMS_PER_BATCH", "8", *options)
    steps: list[int] = []
    with pytest.raises(UserError, match="stopped after 2 steps in a row .*under another name"):
        train(task_of(config), config, *splits, run, callbacks=[AfterStep(steps.append)])
    assert steps == [1, 2] and not run.last.exists()


def test_what_is_to_be_beaten_is_the_best_snapshot_that_is_there(tmp_path):
    """A run that is killed behind it repeats its epoch, and does not come to the same where threads race."""
    run = Run.of(tmp_path, "mini", "shapes", "run")
    run.make_folder()
    for file, epoch, best in ((1, 1, (1, 0.5)), (0, 2, (2, 0.7))):
        meta = Meta(net="mini", epoch=epoch, step=epoch, best_epoch=best[0], best_score=best[1])
        save_snapshot(run.snapshot(file), {"w": np.zeros(1, np.float32)}, {}, meta)
    saved = run.resume()
    assert saved is not None and saved.meta.epoch == 1
    state = state_of(saved, run)
    assert (state.epoch, state.best_epoch, state.best_score) == (1, 2, 0.7)
    assert not state.finish_epoch({}, 0.6) and state.best_epoch == 2
