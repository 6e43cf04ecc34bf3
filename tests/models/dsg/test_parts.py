"""The table of parts, and what weights know of themselves: trained, decayed."""

from __future__ import annotations

import pytest

from dsg.config import load_config
from dsg.models.dsg.build import build_model
from dsg.models.dsg.parts import make_parts, part_table
from tests.models.dsg.cases import ENTITIES, PREDICATES, TINY, tiny_config

STATISTICS = ("gamma", "beta", "moving_mean", "moving_variance")


def test_names_and_order_of_making_are_settled() -> None:
    """Names are those on disk and in their order there; initial values follow from the order of making."""
    table = part_table(load_config())
    assert list(table) == [
        *("trunk", "pyramid", "rpn", "box_head", "box_predictor", "regions", "geometry", "gpi"),
        *("role_classifier", "query_attention", "box_refiner"),
        *("labels", "gt_labels", "matching", "role_baseline", "box_baseline"),
    ]
    assert sorted(table, key=lambda name: table[name].order) == [
        *("pyramid", "box_head", "box_predictor"),  # which no net of one map has
        *("trunk", "regions", "gpi", "rpn", "role_baseline", "box_baseline", "role_classifier"),
        *("box_refiner", "labels", "gt_labels", "matching", "geometry", "query_attention"),
    ]


@pytest.mark.parametrize("options", [(), ("RR.MATCHING", "True", "GPI.GEOMETRY", "4"), ("VARIANT", "no_dsg")])
def test_parts_that_are_wanted_are_made(options: tuple[str, ...]) -> None:
    config = tiny_config(*options)
    wanted = [name for name, part in part_table(config).items() if part.wanted]
    assert list(make_parts(config, ENTITIES, PREDICATES)) == wanted


@pytest.mark.parametrize(
    "options",
    [
        ("NET", "mini", "RR.MATCHING", "True", "RR.QUERY_ATTENTION", "6", "GPI.GEOMETRY", "4"),
        ("NET", "mini", "RESNET.FIXED_BLOCKS", "2", "TRAIN.BIAS_DECAY", "True", "REFINER_FINE", "2"),
        ("NET", "res18", "RESNET.FIXED_BLOCKS", "3"),
        ("NET", "res18", "TRAIN.FREEZE_DETECTOR", "True", "VARIANT", "two_step"),
        ("NET", "res50", "TRAIN.BIAS_DECAY", "True"),
        ("NET", "res50", "RESNET.FIXED_BLOCKS", "0", "VARIANT", "no_dsg"),
    ],
)
def test_what_is_trained_and_decayed(options: tuple[str, ...]) -> None:
    """By name, as a reader of the configuration would say it."""
    config = load_config(overrides=[*TINY, *options])
    model = build_model(config, ENTITIES, PREDICATES)
    names = list(model.named_variables())
    blocks = config.resnet.fixed_blocks
    fixed = [f"trunk/block{number}/" for number in range(1, blocks + 1)]
    if blocks or config.net == "res50":  # the release never trains conv1
        fixed.append("trunk/conv1/")
    if config.train.freeze_detector:
        fixed += ["trunk/", "rpn/"]
    trained = [n for n in names if not n.startswith(tuple(fixed)) and n.split("/")[-1] not in STATISTICS]
    assert model.trainable_names() == trained
    leaves = ("kernel", "bias") if config.train.bias_decay else ("kernel",)
    exempt = ("regions/entity/project/", "regions/relation/project/")
    decayed = [n for n in names if n.split("/")[-1] in leaves and not n.startswith(exempt)]
    assert model.regularised_names() == decayed
