"""What the options of a run mean: configuration files, pairs, snapshots by words, names of runs."""

from __future__ import annotations

import pytest

from dsg.apps.configurations import DATASETS, files_of, known_nets
from dsg.apps.main import main, parser_of
from dsg.apps.run_options import meaning_of
from dsg.apps.snapshot_choice import snapshot_name
from dsg.config import load_config
from dsg.datasets.catalogue import CATALOGUE
from dsg.errors import UserError
from tests.shared import ROOT


def meaning(*words):
    return meaning_of(parser_of("train").parse(["--dataset", "shapes", *words]), "train")


def test_files_of_data_set_and_net_are_found():
    found = meaning("--net", "mini")
    files = [ROOT / "experiments" / "cfgs" / name for name in ("shapes.yml", "mini.yml")]
    assert found.config == load_config(files) and (found.net, found.split) == ("mini", "train")
    assert meaning("--net", "mini", "--no-cfg").config == load_config(overrides=["NET", "mini"])
    assert meaning("--net", "mini_best").config != found.config


def test_what_comes_later_wins(tmp_path):
    (tmp_path / "mine.yml").write_text("TRAIN: {EPOCHS: 7, GAMMA: 0.1}\n")
    words = ["--cfg", str(tmp_path / "mine.yml"), "--net", "mini", "--data", str(tmp_path)]
    found = meaning(*words, "--set", "TRAIN.GAMMA", "0.2")
    assert (found.config.net, found.config.train.epochs, found.config.train.gamma) == ("mini", 7, 0.2)
    assert found.data_dir == tmp_path and found.pairs[-2:] == ["TRAIN.GAMMA", "0.2"]
    bare = meaning("TRAIN.GAMMA", "0.3", *words, "TRAIN.RPN_POSITIVE_WEIGHT", "-1e-1")
    assert (bare.config.train.gamma, bare.config.train.rpn_positive_weight) == (0.3, -0.1)


def test_the_split():
    assert meaning("--split", "val").split == "validation"
    assert meaning("--imdb", "shapes_test").split == "test"
    assert meaning("--imdb", "shapes_test", "--split", "train").split == "train"


def test_names_that_help_lists_are_those_that_are_known():
    assert tuple(CATALOGUE) == DATASETS
    assert {"mini", "mini_best", "res101_paper", "vrd", "ssas"} <= set(known_nets())
    assert not set(DATASETS) - {"vrd"} & set(known_nets())
    for net in known_nets():
        load_config(files_of("visualgenome", net))


@pytest.mark.parametrize("name", ["", "-1", "-x", "a/b", "..", "a_iter_0"])
def test_names_that_no_run_may_have(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--dataset", "shapes", "--net", "mini", f"--name={name}"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {name!r} ") and said.count("\n") == 1
    assert not list(tmp_path.iterdir())  # before anything is made


def test_best_and_last(tmp_path):
    assert snapshot_name("other_iter_3", "mine", tmp_path) == "other_iter_3"
    assert snapshot_name("best", "mine", tmp_path) == "mine_iter_0"
    assert snapshot_name("last", "mine", tmp_path) == "mine_last"
    (tmp_path / "mine").mkdir()
    for epoch in (0, 9, 10):
        (tmp_path / "mine" / f"mine_iter_{epoch}.npz").touch()
    assert snapshot_name("last", "mine", tmp_path) == "mine_iter_10"
    (tmp_path / "mine" / "mine_last.npz").touch()
    assert snapshot_name("last", "mine", tmp_path) == "mine_last"
    with pytest.raises(UserError, match="cannot be the name"):
        snapshot_name("best", "../mine", tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--dataset", "shapes"], "--net is missing: one of "),
        (["train", "--dataset", "shapes", "--net", "minj"], "unknown net 'minj': did you mean mini?"),
        (["test", "--dataset", "shapes"], "--net is missing"),
        (["test", "--dataset", "shapes", "--snapshot", "a.npz"], "a.npz: no such file"),
        (
            ["test", "--dataset", "shapes", "--net", "mini", "--split", "tset"],
            "--split 'tset' does not end in a split",
        ),
        (["train", "--dataset", "shapes", "--net", "mini", "TRAIN.EPOCHS"], "no value"),
        (["train", "--dataset", "shapes", "--net", "mini", "--epochs", "x"], "TRAIN.EPOCHS takes a whole"),
        (["train", "--dataset", "shapes", "--net", "mini", "--gpu", "first"], "give a GPU number"),
    ],
)
def test_mistakes_are_one_line(words, message, capsys):
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and message in said
