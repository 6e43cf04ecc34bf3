"""What a training and its test leave in the run's folder, on the quickest network that there is."""

from __future__ import annotations

import pytest

from dsg.engine.runs import Run
from dsg.engine.train import train
from tests.baselines.small_runs import settings
from tests.tiny import make_tiny_shapes

STEPS = ("TRAIN.IMS_PER_BATCH", "8")  # samples: an epoch has a few steps


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_tiny_shapes(tmp_path_factory.mktemp("data"), train=14, test=3)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """One epoch under the profiler; then another one of the same run without."""
    made = Run.of(tmp_path_factory.mktemp("output"), "co", "shapes", "run")
    for epochs, profiled in (("1", "2"), ("2", "0")):
        config, *splits = settings("co", data, *STEPS, "TRAIN.EPOCHS", epochs, "TRAIN.PROFILE", profiled)
        train(config, *splits, made)
    return made


def test_the_profile_lies_beside_the_scalars(run):
    assert len(list((run.folder / "tensorboard").glob("plugins/profile/*/*.xplane.pb"))) == 1
