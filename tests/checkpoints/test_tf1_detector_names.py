"""tf-faster-rcnn's variables and ours: each has its one name."""

from __future__ import annotations

import json

import pytest

from dsg.checkpoints.tf1_detector_names import detector_name
from dsg.models.detector.build import single_map_detector
from tests.golden import FOLDER

VARIABLES = json.loads((FOLDER / "detection_variables.json").read_text())


@pytest.mark.parametrize("net", ["res50", "vgg16", "mobile"])
def test_every_variable_has_one_name_and_its_shape(net: str) -> None:
    wanted = dict(VARIABLES[net])
    model = single_map_detector(net, 21)
    ours = {
        detector_name(name, net): list(variable.shape) for name, variable in model.named_variables().items()
    }
    assert ours == wanted


def test_other_names_have_none() -> None:
    for net in ("res50", "vgg16", "mobile"):
        assert detector_name("gpi/neighbour_mlp/0/kernel", net) is None
