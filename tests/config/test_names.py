"""MODEL, BACKBONE, and NET, which means both: wherever it may stand, and in files of earlier versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from dsg.config import (
    BACKBONES,
    BASELINES,
    DETECTORS,
    DSG_BACKBONES,
    GROUNDED,
    NETS,
    Config,
    dump_yaml,
    flatten,
    from_values,
    load_config,
    options,
    stored_values,
)
from dsg.errors import UserError


def both(config: Config) -> tuple[str, str]:
    return config.model, config.backbone


@pytest.mark.parametrize("net", NETS)
def test_a_net_means_model_and_backbone(tmp_path: Path, net: str) -> None:
    path = tmp_path / "net.yml"
    path.write_text(f"NET: {net}\n")
    expected = (net, "res101") if net in BASELINES else ("dsg", net)
    if net in DETECTORS:
        expected = ("detector", net[len("detector_") :])
    if net in GROUNDED:
        expected = ("grounding", net[len("grounding_") :])
    for config in (
        load_config([path]),
        load_config(overrides=["NET", net]),
        load_config(net=net),
        from_values({"NET": net}),
        load_config(overrides=["MODEL", expected[0], "BACKBONE", expected[1]]),
    ):
        assert both(config) == expected and config.net == net
    assert "NET" not in options() and {"MODEL", "BACKBONE"} <= set(flatten(config))


def test_a_later_source_wins_whatever_it_calls_them(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yml", tmp_path / "new.yml"
    old.write_text("NET: mini\n")
    new.write_text("BACKBONE: res18\n")
    assert both(load_config([old, new])) == ("dsg", "res18")
    assert both(load_config([new, old])) == ("dsg", "mini")
    assert both(load_config([old], ["BACKBONE", "res50"])) == ("dsg", "res50")
    assert both(load_config([old], net="res50")) == ("dsg", "res50")
    assert both(load_config([old], ["BACKBONE", "res152"], net="res50")) == ("dsg", "res152")
    # A baseline has no backbone of its own: that of the file before does not concern it.
    assert (
        both(load_config([old], ["MODEL", "ss"]))
        == both(load_config([old], ["NET", "ss"]))
        == ("ss", "res101")
    )
    assert both(load_config([old], ["NET", "ss"])) == ("ss", "res101")


def test_one_source_may_name_them_twice_if_it_agrees_with_itself(tmp_path: Path) -> None:
    assert both(load_config(overrides=["NET", "mini", "MODEL", "dsg", "BACKBONE", "mini"])) == ("dsg", "mini")
    path = tmp_path / "net.yml"
    path.write_text("NET: mini\nBACKBONE: res18\n")
    with pytest.raises(
        UserError, match="net.yml: NET mini means BACKBONE mini, which contradicts BACKBONE 'res18'"
    ):
        load_config([path])
    with pytest.raises(UserError, match="NET ss means MODEL ss, which contradicts MODEL 'co'"):
        load_config(overrides=["NET", "ss", "MODEL", "co"])
    with pytest.raises(UserError, match="NET ss means BACKBONE res101"):
        from_values({"NET": "ss", "BACKBONE": "mini"})


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["MODEL", "dgs"], "MODEL is one of dsg, .*, not 'dgs'; did you mean dsg"),
        (["BACKBONE", "ss"], "BACKBONE is one of res18, .*, not 'ss'"),
        (["NET", "dsg"], "NET is one of res18, .*, not 'dsg'"),
        (
            ["MODEL", "ssas", "BACKBONE", "mini"],
            "BACKBONE mini is for dsg; set BASELINE.FEATURES for ssas",
        ),
        (["NTE", "mini"], "unknown option NTE; did you mean NET"),
        (["BACKBONE", "vgg16"], "BACKBONE vgg16 is for MODEL detector; dsg has res18, res50"),
        (["NET", "detector_mini", "MODEL", "dsg"], "NET detector_mini means MODEL detector"),
        (["MODEL", "grounding", "BACKBONE", "mobile"], "BACKBONE mobile is not for MODEL grounding, which"),
        (["NET", "grounding_mini", "GROUNDING.JOINT", "False"], "GROUNDING.NODE_MASKS False"),
    ],
)
def test_mistakes(pairs: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_config(overrides=pairs)


@pytest.mark.parametrize("wrong", [3, None, ["mini"], "vgg16"])
def test_what_is_stored_of_an_unknown_net(wrong: object) -> None:
    with pytest.raises(UserError, match="NET is one of"):
        stored_values({"NET": wrong})


@pytest.mark.parametrize("net", ["mini", "vrd"])
def test_a_configuration_written_by_an_earlier_version(tmp_path: Path, net: str) -> None:
    config = load_config(overrides=["NET", net, "TRAIN.EPOCHS", "3"])
    earlier = {"NET": net, **flatten(config)}
    del earlier["MODEL"], earlier["BACKBONE"]
    stored = json.loads(json.dumps({**earlier, "GONE.SINCE": 1}))
    assert from_values(stored_values(stored)) == config
    assert list(stored_values({"NET": net, "GONE.SINCE": 1})) == ["MODEL", "BACKBONE"]
    tree = yaml.safe_load(dump_yaml(config))
    del tree["MODEL"], tree["BACKBONE"]
    path = tmp_path / "config.yml"
    path.write_text(yaml.safe_dump({"NET": net, **tree}))
    assert load_config([path]) == config


def test_every_backbone_is_one_of_the_detector_and_some_are_of_dsg() -> None:
    assert set(NETS) == {*DSG_BACKBONES, *BASELINES, *DETECTORS, *GROUNDED}
    assert set(DETECTORS) == {f"detector_{backbone}" for backbone in BACKBONES}
    assert set(DSG_BACKBONES) < set(BACKBONES)
    assert {net.partition("_")[2] for net in GROUNDED} < set(BACKBONES)
