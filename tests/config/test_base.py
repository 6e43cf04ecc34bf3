"""A configuration that starts from another one, and what is wrong with such files."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsg.config import flatten, load_config
from dsg.errors import UserError
from tests.shared import ROOT

CFGS = ROOT / "experiments" / "cfgs"


def write(folder: Path, **texts: str) -> Path:
    """Files of these names, such as `a_yml` for a.yml; returns the first."""
    paths = [folder / name.replace("__", "/").replace("_yml", ".yml") for name in texts]
    for path, text in zip(paths, texts.values()):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return paths[0]


def test_what_a_file_states_wins_over_its_base_and_over_files_before(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        a_yml="BASE: below/b.yml\nTRAIN: {EPOCHS: 1}\n",
        below__b_yml="BASE: c.yml\nTRAIN: {EPOCHS: 2, GAMMA: 0.2}\n",
        below__c_yml="NET: mini\nTRAIN: {EPOCHS: 3, GAMMA: 0.3, PATIENCE: 7}\n",
        before_yml="TRAIN: {PATIENCE: 1, MOMENTUM: 0.4}\n",
    )
    config = load_config([tmp_path / "before.yml", path], ["TRAIN.GAMMA", "0.9"])
    train = config.train
    assert (config.net, train.epochs, train.gamma, train.patience, train.momentum) == ("mini", 1, 0.9, 7, 0.4)


def test_a_variant_of_the_base_gives_way_to_what_the_file_states(tmp_path: Path) -> None:
    path = write(tmp_path, a_yml="BASE: b.yml\nLOSS: {RR_BASELINE: 0.7}\n", b_yml="VARIANT: no_dsg\n")
    config = load_config([path])
    assert (config.variant, config.loss.rr_baseline, config.loss.rr) == ("no_dsg", 0.7, 0)


def test_a_file_elsewhere_may_start_from_one_of_the_project(tmp_path: Path) -> None:
    path = write(tmp_path, a_yml=f"BASE: {CFGS / 'mini_best.yml'}\nTRAIN: {{EPOCHS: 77}}\n")
    config = load_config([path])
    best = {**flatten(load_config([CFGS / "mini_best.yml"])), "TRAIN.EPOCHS": 77}
    assert flatten(config) == best


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("BASE: a.yml\n", "a.yml: BASE leads in a circle"),
        ("BASE: b.yml\n", r"a.yml: BASE leads in a circle \(.*a.yml, .*b.yml, .*a.yml\)"),
        ("BASE: absent.yml\n", "a.yml: BASE absent.yml: no such file"),
        ("BASE: ../elsewhere.yml\n", "a.yml: BASE ../elsewhere.yml leads out of "),
        ("BASE: /etc/passwd\n", "a.yml: BASE /etc/passwd leads out of .*experiments/cfgs"),
        ("BASE: link.yml\n", "a.yml: BASE link.yml leads out of "),
        ("BASE: .\n", "a.yml: BASE . leads out of "),
        ("BASE: below\n", "a.yml: BASE below: no such file"),
        ("BASE: 3\n", "a.yml: BASE takes the name of a file, such as mini.yml, not 3"),
        ("BASE:\n", "a.yml: BASE takes the name of a file, such as mini.yml, not None"),
        ('BASE: "\\0"\n', "a.yml: BASE takes the name of a file"),
        ("BASE: bad.yml\n", "bad.yml: unknown option EPOCHS; did you mean TRAIN.EPOCHS"),
        ("TRAIN: {BASE: b.yml}\n", "a.yml: unknown option TRAIN.BASE"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, message: str) -> None:
    folder = tmp_path / "mine"
    (folder / "below").mkdir(parents=True)
    (tmp_path / "elsewhere.yml").write_text("NET: mini\n")
    (folder / "link.yml").symlink_to(tmp_path / "elsewhere.yml")
    path = write(folder, a_yml=text, b_yml="BASE: a.yml\n", bad_yml="EPOCHS: 1\n")
    with pytest.raises(UserError, match=message) as caught:
        load_config([path])
    assert "\n" not in str(caught.value)


def test_a_base_is_for_files() -> None:
    with pytest.raises(UserError, match="BASE works only in configuration files"):
        load_config(overrides=["BASE", "mini.yml"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NET: mini\nTRAIN: {EPOCHS: 1}\nNET: res18\n", "a.yml: NET in line 3 is already given in line 1"),
        ("TRAIN:\n  EPOCHS: 1\n  GAMMA: 0.5\n  EPOCHS: 1\n", "EPOCHS in line 4 is already given in line 2"),
        ("TRAIN: {EPOCHS: 1}\nTEST: {PICTURES: 1}\nTRAIN: {GAMMA: 0.5}\n", "TRAIN in line 3 .* line 1"),
        ("TRAIN: {EPOCHS: 1}\nTRAIN.EPOCHS: 2\n", "a.yml: TRAIN.EPOCHS is given twice"),
        ("BASE: b.yml\nBASE: c.yml\n", "BASE in line 2 is already given in line 1"),
    ],
)
def test_a_key_given_twice_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_config([write(tmp_path, a_yml=text)])


def test_one_key_in_two_groups_is_no_double(tmp_path: Path) -> None:
    config = load_config([write(tmp_path, a_yml="TRAIN: {SCALES: [48]}\nTEST: {SCALES: [64]}\n")])
    assert (config.train.scales, config.test.scales) == ((48,), (64,))
    merged = "TEST: &both {SCALES: [64], MAX_SIZE: 128}\nTRAIN:\n  <<: *both\n  SCALES: [48]\n"
    config = load_config([write(tmp_path, a_yml=merged)])
    assert (config.train.scales, config.train.max_size) == ((48,), 128)
