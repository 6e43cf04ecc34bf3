"""The words of train_sg.sh and test_sg.sh, and what is said when they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsg.apps.main import parser_of
from dsg.apps.script_words import Place, commands_of, usage
from dsg.errors import UserError


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "here", tmp_path)


def pairs_of(command: list[str]) -> dict[str, str]:
    """The KEY VALUE pairs of a command, which the program takes."""
    parser_of(command[0]).parse(command[1:])
    words = command[command.index("--set") + 1 :]
    return dict(zip(words[::2], words[1::2]))


def test_the_detector_and_a_graph_on_it(place: Place) -> None:
    words = ["cpu", "shapes150", "mini", "joint", "--stage", "detector", "TRAIN.EPOCHS", "3"]
    train, test = commands_of("train_sg", words, place)
    assert train[:5] == ["train", "--dataset", "shapes150", "--net", "grounding_mini_detector"]
    assert "--then-test" in train and test[0] == "test" and "--reuse" in test
    assert pairs_of(train) == {"TRAIN.EPOCHS": "3"}
    assert commands_of("train_sg", [*words[:3], "motif", *words[3:]], place) == [train, test]
    run = place.root / "output" / "grounding_mini_detector" / "shapes150_train" / "joint"
    words = ["cpu", "Shapes_150", "mini", "vctree", "first", "WEIGHTS", "joint", "--setting", "sgcls"]
    assert pairs_of(commands_of("train_sg", words, place)[0])["WEIGHTS"] == "joint"  # no such run
    run.mkdir(parents=True)
    train, _ = commands_of("train_sg", words, place)
    assert train[:5] == ["train", "--dataset", "shapes150", "--net", "grounding_mini"]
    assert train[train.index("--name") + 1] == "first"
    given = {"GROUNDING.CONTEXT": "vctree", "GROUNDING.SETTING": "sgcls", "WEIGHTS": str(run)}
    assert pairs_of(train) == given


def test_a_snapshot_is_tested(place: Place) -> None:
    (test,) = commands_of(
        "test_sg", ["0", "vg150", "vgg16", "mine_iter_0", "sgdet", "TEST.PICTURES", "0"], place
    )
    assert test[test.index("--snapshot") + 1] == "mine_iter_0" and "grounding_vgg16" in test
    assert pairs_of(test) == {"GROUNDING.TEST_SETTING": "sgdet", "TEST.PICTURES": "0"}
    (test,) = commands_of("test_sg", ["0", "vg150", "vgg16", "mine_iter_0", "--stage", "detector"], place)
    assert "grounding_vgg16_detector" in test and not pairs_of(test)
    (test,) = commands_of("train_sg", ["cpu", "vg150", "res101", "motif", "mine_iter_2"], place)
    assert test[0] == "test" and pairs_of(test) == {"GROUNDING.CONTEXT": "motif"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cpu", "shapes150", "mini"], "behind the net comes what reads .*: one of motif, vctree, imp, dsg"),
        (["cpu", "shapes150", "mini", "moti", "x"], "not 'moti'"),
        (["cpu", "shapes150", "mini", "motif", "x"], "add WEIGHTS and its snapshot, or the name of a run"),
        (["cpu", "shapes150", "min", "motif", "x"], "unknown net 'min': did you mean mini"),
        (
            ["cpu", "vrd", "mini", "motif", "x"],
            "vrd is for train.sh and test.sh: give one of vg150 shapes150",
        ),
        (["cpu", "coco", "mini", "motif", "x"], r"coco is for detectors \(train_faster_rcnn.sh\)"),
        (["cpu", "shapes150", "mini", "x", "--stage", "graphs"], "--stage is one of graph, detector"),
        (["cpu", "shapes150", "mini", "imp", "x", "--setting", "all"], "the setting is one of predcls"),
        (["cpu", "vg150"], "usage: train_sg.sh <gpu> <dataset> <net> motif"),
    ],
)
def test_mistakes(place: Place, words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        commands_of("train_sg", words, place)


def test_graphs_are_not_for_other_scripts(place: Place) -> None:
    with pytest.raises(UserError, match=r"vg150 is for scene graphs \(train_sg.sh\)"):
        commands_of("train", ["cpu", "vg150", "mini", "x"], place)
    with pytest.raises(UserError, match="the setting is one of predcls, sgcls, sgdet, not 'sgcl'"):
        commands_of("test_sg", ["cpu", "vg150", "mini", "x_iter_0", "sgcl"], place)
    assert "grounding_" not in usage("train") and "x101_32x8d_fpn" in usage("test_sg")
