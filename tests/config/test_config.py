"""Options are merged in order, checked, and written back unchanged."""

from __future__ import annotations

import pytest

from dsg.config import dump_yaml, flatten, from_values, load_config, options
from dsg.errors import UserError


def test_later_files_and_pairs_win(tmp_path):
    first, second = tmp_path / "a.yml", tmp_path / "b.yml"
    first.write_text("TRAIN:\n  LEARNING_RATE: 0.5\n  GAMMA: 0.25\nNET: res50\n")
    second.write_text("TRAIN: {LEARNING_RATE: 1.5}\n")
    config = load_config(
        [first, second], ["TRAIN.GAMMA", "1e-3", "TRAIN.STEPSIZE", "[2, 4]", "TRAIN.SCALES", "300"]
    )
    assert (config.net, config.train.learning_rate, config.train.gamma) == ("res50", 1.5, 0.001)
    assert (config.train.stepsize, config.train.scales) == ((2, 4), (300,))


def test_dump_reads_back_to_the_same_values(tmp_path):
    config = load_config(
        overrides=["VARIANT", "no_dsg", "TRAIN.LEARNING_RATE", "0.00001", "ANCHOR_SCALES", "[2, 3]"]
    )
    path = tmp_path / "resolved.yml"
    path.write_text(dump_yaml(config))
    assert load_config([path]) == config
    assert config.loss.rr_baseline == 0.2 and config.box_source == "rpn"


def test_a_variant_beats_the_files_before_it_and_nothing_else(tmp_path):
    path = tmp_path / "net.yml"
    path.write_text("LOSS: {RR: 0.7, RR_BASELINE: 0.7}\nTRAIN: {EPOCHS: 3}\n")
    config = load_config([path], ["VARIANT", "no_dsg", "LOSS.RR_BASELINE", "0.4"])
    assert (config.loss.rr, config.loss.rr_baseline, config.train.epochs) == (0.0, 0.4, 3)


def test_the_variant_named_last_leaves_nothing_of_an_earlier_one(tmp_path):
    path = tmp_path / "net.yml"
    path.write_text("VARIANT: no_dsg\nLOSS: {ENTITY: 0.3}\n")
    config = load_config([path], ["VARIANT", "two_step"])
    assert (config.rr_source, config.box_source) == ("symbolic", "dsg")
    assert (config.loss.rr, config.loss.box, config.loss.entity, config.loss.gt_entity) == (0, 1, 0.3, 0.01)


def test_the_auxiliary_first_stage_is_switched_off_as_a_whole():
    config = load_config(overrides=["AUX_FIRST_STAGE", "False", "LOSS.GT_ENTITY", "0.5"])
    assert (config.loss.rr_baseline, config.loss.gt_entity, config.loss.gt_predicate) == (0, 0, 0)
    assert from_values(flatten(config)) == config
    alone = load_config(overrides=["VARIANT", "no_dsg", "AUX_FIRST_STAGE", "False"])
    assert alone.loss.rr_baseline == 0.2  # there it is the classifier that answers


def test_explicit_value_beats_the_variant():
    assert from_values({"VARIANT": "no_dsg", "LOSS.RR_BASELINE": 0.5}).loss.rr_baseline == 0.5


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (["TRAIN.LEARNING_RTE", "1"], ["TRAIN.LEARNING_RTE", "TRAIN.LEARNING_RATE"]),
        (["train.learning_rate", "1"], ["did you mean TRAIN.LEARNING_RATE"]),
        (["TRAIN.EPOCHS", "many"], ["TRAIN.EPOCHS", "whole number", "20", "many"]),
        (["TRAIN.EPOCHS", "True"], ["whole number"]),
        (["TRAIN.DOUBLE_BIAS", "1"], ["True or False"]),
        (["TRAIN.STEPSIZE", "[1, x]"], ["list", "whole number"]),
        (["NET", "res100"], ["one of", "res101"]),
        (["TRAIN.EPOCHS"], ["no partner"]),
        (["TRAIN.EPOCHS", "0"], ["at least 1"]),
        (["NET", "res50", "FEATURE_STRIDE", "8"], ["res18"]),
        (["TRAIN.SCALES", "4"], ["16 pixels"]),
        (["TRAIN.EPOCHS", "{"], ["cannot read"]),
        (["BOX_SOURCE", "rpn", "RR_SOURCE", "feature"], ["LOSS.RR", "VARIANT no_dsg"]),
        (["VARIANT", "no_dsg", "LOSS.BOX", "0.5"], ["LOSS.BOX", "the graph"]),
        (["TEST.TWO_STEP_TOPK", "-1"], ["TEST.TWO_STEP_TOPK", "at least 0"]),
        (["GPI.HIDDEN_LAYERS", "0"], ["GPI.HIDDEN_LAYERS"]),
    ],
)
def test_mistakes_are_answered_in_one_line(pairs, words):
    with pytest.raises(UserError) as caught:
        load_config(overrides=pairs)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("text", ["TRAIN: [", "- 1\n- 2\n", "TRAIN: {NO_SUCH: 1}"])
def test_a_bad_file_is_named(tmp_path, text):
    path = tmp_path / "bad.yml"
    path.write_text(text)
    with pytest.raises(UserError, match="bad.yml"):
        load_config([path])
    with pytest.raises(UserError, match="no such configuration"):
        load_config([tmp_path / "absent.yml"])


def test_every_option_has_a_sentence_and_a_value():
    values = flatten(load_config())
    assert list(values) == list(options())
    for name, item in options().items():
        assert item.metadata["text"].endswith("."), name
        assert not item.metadata["choices"] or item.default in item.metadata["choices"], name
