"""The map of names: every variable of the release once, and nothing beside them."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest

from dsg.checkpoints.tf1 import BOOKKEEPING
from dsg.checkpoints.tf1_names import release_name
from dsg.parity.recipe import recipe_value
from tests.golden import FOLDER
from tests.models.dsg.cases import unfilled_case


def listed() -> dict[str, list[int]]:
    return json.loads((FOLDER / "dsg_pretrained_variables.json").read_text())


def test_every_variable_of_the_released_checkpoint_is_matched() -> None:
    variables = unfilled_case("res101")[2].named_variables()
    ours = {release_name(name, "res101"): list(variable.shape) for name, variable in variables.items()}
    left = {name: shape for name, shape in listed().items() if name not in ours}
    assert len(ours) == 636
    assert {name: shape for name, shape in listed().items() if name in ours} == ours
    assert len([name for name in left if name.endswith("/Momentum")]) == 165
    assert [name for name in left if not name.endswith("/Momentum")] == ["Variable"]
    assert all(BOOKKEEPING.search(name) for name in left)


def test_no_model_variable_is_taken_for_bookkeeping() -> None:
    for net in ("res50", "res101"):
        names = [release_name(name, net) for name in unfilled_case(net)[2].named_variables()]
        assert not [name for name in names if name is None or BOOKKEEPING.search(name)]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("trunk/conv1/kernel", "resnet_v1_50/conv1/weights"),
        ("trunk/conv1/gamma", "resnet_v1_50/conv1/BatchNorm/gamma"),
        ("trunk/block1/0/shortcut/kernel", "resnet_v1_50/block1/unit_1/bottleneck_v1/shortcut/weights"),
        (
            "trunk/block3/11/conv2/moving_mean",
            "resnet_v1_50/block3/unit_12/bottleneck_v1/conv2/BatchNorm/moving_mean",
        ),
        ("rpn/conv/bias", "resnet_v1_50/rpn_conv/3x3/biases"),
        (
            "regions/relation/block4/units/2/conv3/kernel",
            "resnet_v1_50_pw/block4/unit_3/bottleneck_v1/conv3/weights",
        ),
        ("regions/entity/project/kernel", "conv2d/kernel"),
        ("regions/relation/project/bias", "pw/bias"),
        # the release's scopes of these two are swapped
        ("labels/entities/kernel", "gpi/rel_score/0/weights"),
        ("labels/predicates/0/bias", "gpi/ent_score/0/biases"),
        ("gt_labels/entities/kernel", "gpi/gt_ent_score/0/weights"),
        ("gpi/graph_attention/2/bias", "gpi/nn_phi2_atten/2/biases"),
        ("role_classifier/mlp/1/kernel", "resnet_v1_50/gpi/cls_score2__new/weights"),
        ("box_baseline/linear/kernel", "resnet_v1_50/baseline/bbox_pred__new/weights"),
        ("matching/scale", None),
    ],
)
def test_names(ours: str, theirs: str | None) -> None:
    assert release_name(ours, "res50") == theirs


def test_the_recipe_on_this_numpy() -> None:
    sums = json.loads((FOLDER / "recipe_crc32.json").read_text())
    shapes = listed()
    for name in [name for name in sums if np.prod(shapes[name]) < 300_000][::5]:
        assert zlib.crc32(recipe_value(name, shapes[name]).tobytes()) == int(sums[name], 16), name


def test_the_recipe_knows_only_names_of_its_kind() -> None:
    with pytest.raises(ValueError, match="no rule"):
        recipe_value("gpi/nn_phi/0/Momentum", [3])
