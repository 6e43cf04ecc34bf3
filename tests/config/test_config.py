"""Options are merged in order, checked, and written back unchanged."""

from __future__ import annotations

import math

import pytest

from dsg.config import automatic, check_chosen, dump_yaml, flatten, from_values, load_config, options
from dsg.config.option import Range
from dsg.errors import UserError
from tests.shared import ROOT


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


def test_lists_that_training_chooses(tmp_path):
    config = load_config(overrides=["ANCHOR_SCALES", "auto", "ANCHOR_RATIOS", "auto:5"])
    assert (len(config.anchor_scales), len(config.anchor_ratios)) == (4, 5)
    assert automatic(config) == {"ANCHOR_SCALES": "auto:4", "ANCHOR_RATIOS": "auto:5"}
    path = tmp_path / "resolved.yml"
    path.write_text(dump_yaml(config))
    assert flatten(load_config([path])) == flatten(config) and automatic(load_config([path])) == automatic(
        config
    )
    numbers = load_config([path], ["ANCHOR_SCALES", "[2, 3]", "ANCHOR_RATIOS", "1"])
    assert automatic(numbers) == {} and (numbers.anchor_scales, numbers.anchor_ratios) == ((2, 3), (1,))
    check_chosen(numbers)
    with pytest.raises(
        UserError, match=r"ANCHOR_SCALES auto: only training .* such as \[4.0, 8.0, 16.0, 32.0\]"
    ):
        check_chosen(config)


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
        (["TRAIN.EPOCHS"], ["no value"]),
        (["TRAIN.EPOCHS", "0"], ["at least 1"]),
        (["NET", "res50", "FEATURE_STRIDE", "8"], ["res18"]),
        (["TRAIN.SCALES", "4"], ["each value of TRAIN.SCALES must be at least 16"]),
        (["TRAIN.EPOCHS", "{"], ["cannot read"]),
        (["TRAIN.EPOCHS", "0x_"], ["TRAIN.EPOCHS: cannot read the value '0x_'"]),
        (["TRAIN.LEARNING_RATE", "2024-13-45"], ["TRAIN.LEARNING_RATE: cannot read the value '2024-13-45'"]),
        (["TRAIN.LEARNING_RATE", "2024-12-24"], ["TRAIN.LEARNING_RATE takes a number"]),
        (["TRAIN.LEARNING_RATE", "1" + "0" * 400], ["TRAIN.LEARNING_RATE takes a number"]),
        (["TRAIN.STEPSIZE", "&a [*a]"], ["list", "whole number"]),
        (["TRAIN.STEPSIZE", "[" * 10_000], ["TRAIN.STEPSIZE: cannot read the value '[[["]),
        (["TRAIN.EPOCHS", "!!timestamp x"], ["cannot read"]),
        (["TRAIN.EPOCHS", "!!bool x"], ["cannot read"]),
        (["TRAIN", "3"], ["TRAIN is a group of options, such as TRAIN."]),
        (["BOX_SOURCE", "rpn", "RR_SOURCE", "feature"], ["LOSS.RR", "VARIANT no_dsg"]),
        (["VARIANT", "no_dsg", "LOSS.BOX", "0.5"], ["LOSS.BOX", "the graph"]),
        (["TEST.TWO_STEP_TOPK", "-1"], ["TEST.TWO_STEP_TOPK", "at least 0"]),
        (["GPI.HIDDEN_LAYERS", "0"], ["GPI.HIDDEN_LAYERS must be at least 1"]),
        (["TRAIN.LEARNING_RATE", ".nan"], ["TRAIN.LEARNING_RATE must be above 0, not nan"]),
        (["TRAIN.LEARNING_RATE", "inf"], ["TRAIN.LEARNING_RATE must be above 0"]),
        (["TRAIN.LEARNING_RATE", "-0.1"], ["TRAIN.LEARNING_RATE must be above 0"]),
        (["TRAIN.LEARNING_RATE", "0"], ["TRAIN.LEARNING_RATE must be above 0"]),
        (["TRAIN.MOMENTUM", "1"], ["TRAIN.MOMENTUM must be at least 0 and below 1"]),
        (["TRAIN.AVERAGE", "1"], ["TRAIN.AVERAGE must be at least 0 and below 1"]),
        (["TRAIN.RPN_BATCHSIZE", "0"], ["TRAIN.RPN_BATCHSIZE must be at least 1"]),
        (["TRAIN.MAX_BAD_STEPS", "0"], ["TRAIN.MAX_BAD_STEPS must be at least 1"]),
        (["TRAIN.SNAPSHOT_KEPT", "-1"], ["TRAIN.SNAPSHOT_KEPT must be at least 0"]),
        (["TRAIN.EPOCHS", "-1"], ["TRAIN.EPOCHS must be at least 1"]),
        (["TRAIN.FG_THRESH", "1.5"], ["TRAIN.FG_THRESH must be from 0 to 1"]),
        (["TRAIN.RPN_NMS_THRESH", "-0.5"], ["TRAIN.RPN_NMS_THRESH must be from 0 to 1"]),
        (["TRAIN.RPN_POSITIVE_OVERLAP", "7"], ["TRAIN.RPN_POSITIVE_OVERLAP must be from 0 to 1"]),
        (["DATA.WORKERS", "-2"], ["DATA.WORKERS must be at least 0"]),
        (["TEST.PICTURES", "-1"], ["TEST.PICTURES must be at least 0"]),
        (["ANCHOR_SCALES", "[4, 0]"], ["each value of ANCHOR_SCALES must be above 0, not [4, 0]"]),
        (["ANCHOR_RATIOS", "-1"], ["each value of ANCHOR_RATIOS must be above 0"]),
        (["ANCHOR_RATIOS", "[]"], ["need at least one value"]),
        (["ANCHOR_SCALES", "auto:0"], ["a list, each item a number, or auto, or auto:N with N from 1 to 20"]),
        (["ANCHOR_SCALES", "auto:21"], ["N from 1 to 20", "not 'auto:21'"]),
        (["ANCHOR_SCALES", "[auto]"], ["ANCHOR_SCALES takes a list, each item a number"]),
        (["ANCHOR_SCALES", ".nan"], ["each value of ANCHOR_SCALES must be above 0, not nan"]),
        (["TRAIN.SCALES", "auto"], ["TRAIN.SCALES takes a list, each item a whole number, for example"]),
        (["TEST.SCALES", "[]"], ["TEST.SCALES needs at least one value"]),
        (["HEAD.DIM", "0"], ["HEAD.DIM must be at least 1"]),
        (["GPI.PHI", "0"], ["GPI.PHI must be at least 1"]),
        (["RR.HIDDEN", "[5, -1]"], ["each value of RR.HIDDEN must be at least 1"]),
        (["LOSS.RR", "-0.1"], ["LOSS.RR must be at least 0"]),
        (["RNG_SEED", "-1"], ["RNG_SEED must be from 0 to 4294967295"]),
        (["RNG_SEED", "4294967296"], ["RNG_SEED must be from 0 to 4294967295"]),
        (["BASELINE.SHIFT_SIZE", "0"], ["BASELINE.SHIFT_SIZE must be at least 1"]),
        (["TRAIN.EPOCHS", "1" + "0" * 400], ["TRAIN.EPOCHS takes a whole number", "that is too large"]),
        (["TRAIN.EPOCHS", "1" + "0" * 20], ["TRAIN.EPOCHS takes a whole number", "that is too large"]),
        (["TRAIN.EPOCHS", "1e300"], ["TRAIN.EPOCHS takes a whole number", "that is too large"]),
        (["TRAIN.EPOCHS", "inf"], ["TRAIN.EPOCHS takes a whole number"]),
        (["TRAIN.EPOCHS", "0x" + "f" * 5000], ["not a number of thousands of digits; that is too large"]),
        (["TRAIN.EPOCHS", "1" * 5000], ["TRAIN.EPOCHS"]),
        (["TRAIN.STEPSIZE", "[1, " + "9" * 400 + "]"], ["TRAIN.STEPSIZE takes a list", "too large"]),
        (["TRAIN.LEARNING_RATE", "-1" + "0" * 400], ["TRAIN.LEARNING_RATE takes a number", "too large"]),
        (["ANCHOR_SCALES", "1" + "0" * 400], ["ANCHOR_SCALES takes a list, each item a number"]),
        (["RNG_SEED", "1" + "0" * 400], ["RNG_SEED takes a whole number"]),
        (["FEATURE_STRIDE", "1" + "0" * 400], ["FEATURE_STRIDE takes a whole number"]),
        (["TRAIN.USE_FLIPPED", "1" + "0" * 400], ["TRAIN.USE_FLIPPED takes True or False"]),
        (["MODEL", "1" + "0" * 5000], ["MODEL is one of"]),
        (["FOO", "1"], ["unknown option FOO; docs/configuration.md lists all options"]),
        (["TRAIN.XYZ", "1"], ["docs/configuration.md lists all options"]),
        (["EPOCHS", "1"], ["did you mean TRAIN.EPOCHS?"]),
        (["GPI.HIDEN", "1"], ["did you mean GPI.HIDDEN?"]),
    ],
)
def test_mistakes_are_answered_in_one_line(pairs, words):
    with pytest.raises(UserError) as caught:
        load_config(overrides=pairs)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_paths_are_taken_as_they_are():
    for path in ("/disk/run #2/data", "/disk/a: b", "(new) data", "[1]", "7", "~", "'quoted'"):
        assert load_config(overrides=["DATA.DIR", path]).data.dir == path


def test_a_group_with_nothing_in_it(tmp_path):
    path = tmp_path / "net.yml"
    path.write_text("TRAIN:\n  # EPOCHS: 3\nNET: mini\n")
    assert load_config([path]) == load_config(overrides=["NET", "mini"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TRAIN: [", "not valid YAML"),
        ("- 1\n- 2\n", "expected `KEY: value` lines"),
        ("TRAIN: {NO_SUCH: 1}", "unknown option TRAIN.NO_SUCH"),
        ("TRIAN: {EPOCHS: 1}", "unknown option TRIAN.EPOCHS; did you mean TRAIN.EPOCHS?"),
        ("TRIAN:\n", "unknown option TRIAN"),
        ("TRAIN: 3", "TRAIN is a group of options, such as TRAIN."),
        ("TRAIN: {LEARNING_RATE: 2024-13-45}", "not valid YAML"),
        ("TRAIN: {EPOCHS: 0x_}", "not valid YAML"),
        ("TRAIN: {EPOCHS: !!bool x}", "not valid YAML"),
        ("TRAIN: &a {EPOCHS: 3, SELF: *a}", "unknown option TRAIN.SELF"),
        ("TRAIN: {EPOCHS: &a [*a]}", "TRAIN.EPOCHS takes a whole number"),
        ("[" * 10_000, "not valid YAML"),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, message):
    path = tmp_path / "bad.yml"
    path.write_text(text)
    with pytest.raises(UserError, match="bad.yml: " + message) as caught:
        load_config([path])
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no such configuration"):
        load_config([tmp_path / "absent.yml"])


def test_every_option_has_a_sentence_and_a_value():
    values = flatten(load_config())
    assert list(values) == list(options())
    for name, item in options().items():
        assert item.metadata["text"].endswith("."), name
        assert not item.metadata["choices"] or item.default in item.metadata["choices"], name


def test_every_number_has_a_range_and_the_default_is_in_it():
    for name, item in options().items():
        within = item.metadata["within"]
        if item.type in ("bool", "str") or item.metadata["choices"]:
            assert within is None, name
            continue
        values = item.default if isinstance(item.default, tuple) else (item.default,)
        assert within is not None and all(value in within for value in values), name


@pytest.mark.parametrize(
    ("within", "inside", "outside", "text"),
    [
        (Range(1), [1, 1e9], [0, math.inf, math.nan], "at least 1"),
        (Range(0, above=True), [1e-9], [0, -1], "above 0"),
        (Range(0, 1), [0, 0.5, 1], [-0.1, 1.1], "from 0 to 1"),
        (Range(0, 1, below=True), [0, 0.9], [1], "at least 0 and below 1"),
        (Range(0, 1, above=True), [1], [0], "above 0 and at most 1"),
    ],
)
def test_ranges(within, inside, outside, text):
    assert all(value in within for value in inside) and not any(value in within for value in outside)
    assert str(within) == text


def test_the_configurations_of_the_project_are_within_the_ranges():
    for path in sorted((ROOT / "experiments" / "cfgs").glob("*.yml")):
        load_config([path])
