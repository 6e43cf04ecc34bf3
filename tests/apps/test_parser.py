"""The argument parser: old spellings, bare words, unknown options."""

from __future__ import annotations

import pytest

from dsg.apps.parser import Parser


@pytest.fixture
def parser():
    made = Parser("test", bare="set")
    made.add_argument("--dataset", old=("--imdb",), required=True, help="which")
    made.add_argument("--name", default="default")
    return made


def test_old_spellings_are_understood_and_not_shown(parser):
    assert parser.parse(["--imdb", "vrd"]).dataset == parser.parse(["--imdb=vrd"]).dataset == "vrd"
    assert "--imdb" not in parser.format_help() and "--dataset" in parser.format_help()


def test_bare_words_stand_anywhere(parser):
    found = parser.parse(["A", "1", "--dataset", "vrd", "--set", "B", "-2.5", "--name", "x", "C", "-1e-3"])
    assert (found.set, found.name) == (["A", "1", "B", "-2.5", "C", "-1e-3"], "x")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dataset", "vrd", "--nmae", "x"], "unknown option --nmae; did you mean --name?"),
        (["--dataset", "vrd", "-x"], "unknown option -x"),
        (["--dataset"], "--dataset needs a value"),
        ([], "--dataset"),
    ],
)
def test_mistakes_are_one_line(parser, words, message, capsys):
    with pytest.raises(SystemExit) as left:
        parser.parse(words)
    said = capsys.readouterr().err
    assert left.value.code == 2 and said.count("\n") == 1 and message in said
    assert said.endswith("(test --help lists the options)\n")
