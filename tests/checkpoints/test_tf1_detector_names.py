"""tf-faster-rcnn's variables and ours: each has its one name."""

from __future__ import annotations

import json

import pytest

from dsg.checkpoints.tf1_detector_names import detector_name
from dsg.models.detector.build import single_map_detector
from dsg.models.detector.losses import decay_factors
from tests.golden import FOLDER

TRAINING = json.loads((FOLDER / "detection_training.json").read_text())
VARIABLES = json.loads((FOLDER / "detection_variables.json").read_text())


@pytest.mark.parametrize("net", ["res50", "vgg16", "mobile"])
def test_every_variable_has_one_name_and_its_shape(net: str) -> None:
    wanted = dict(VARIABLES[net])
    model = single_map_detector(net, 21)
    ours = {
        detector_name(name, net): list(variable.shape) for name, variable in model.named_variables().items()
    }
    assert ours == wanted


@pytest.mark.parametrize("net", ["res50", "vgg16", "mobile"])
def test_what_is_trained_and_decayed(net: str) -> None:
    model, wanted = single_map_detector(net, 21), TRAINING[net]
    assert {detector_name(name, net) for name in model.trainable_names()} == set(wanted["trainable"])
    factors = {detector_name(name, net): value for name, value in decay_factors(model, 1e-4).items()}
    assert factors == pytest.approx(wanted["weight_decay"])


def test_other_names_have_none() -> None:
    for net in ("res50", "vgg16", "mobile"):
        assert detector_name("gpi/neighbour_mlp/0/kernel", net) is None
