"""What the graph costs: every parameter and operation is counted once and belongs to a part; the command
writes what it promises. No test looks at a time.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from dsg.apps.cost.grounded import measure_grounding
from dsg.apps.cost.grounded_report import format_grounded
from dsg.apps.cost.measurement import WITH, WITHOUT, build_pair, counts, times
from dsg.apps.cost.operations import count_gflop
from dsg.apps.cost.owners import OTHER, PARTS, parameters_by_part, part_of
from dsg.apps.cost.report import format_cost, totals
from dsg.apps.cost.settings import CostSettings
from dsg.config import load_config
from dsg.models.dsg.build import build_model
from dsg.models.dsg.parts import part_table
from dsg.nets.initial import unfilled
from tests.programs import run_program
from tests.shared import ROOT
from tests.tiny import CONFIGS, PAIRS

SETTINGS = CostSettings(width=96, height=64, objects=3, queries=2, entities=7, predicates=5, repeats=0)
N, Q, E, R = 6, 2, 7, 5


@pytest.fixture(scope="module")
def pair():
    return build_pair(load_config(CONFIGS, PAIRS), SETTINGS)


@pytest.fixture(scope="module")
def counted(tmp_path_factory) -> tuple[Path, str]:
    """The folder in which the command wrote what it counted, and what it printed."""
    output = tmp_path_factory.mktemp("output")
    words = [word for path in CONFIGS for word in ("--cfg", str(path))]
    for name in ("width", "height", "objects", "queries", "entities", "predicates"):
        words += [f"--{name}", str(getattr(SETTINGS, name))]
    done = cost(*words, "--no-times", "--tag", "tiny", "--output", str(output), "--set", *PAIRS)
    assert done.returncode == 0, done.stderr
    return output / "mini" / "cost" / "tiny", done.stdout


@pytest.fixture(scope="module")
def report(counted):
    return json.loads((counted[0] / "cost.json").read_text())


@pytest.mark.parametrize("options", [("AUX_FIRST_STAGE", "False"), ("VARIANT", "two_step")])
def test_models_that_share_less_can_be_compared(options):
    """In the paper's configuration only the graph's nodes are classified; without a graph, entities are."""
    both = build_pair(load_config(CONFIGS, [*PAIRS, *options]), SETTINGS)
    shared, own = (both.models[name].named_variables() for name in (WITH, WITHOUT))
    assert any(name not in shared for name in own)
    for name in set(shared) & set(own):
        np.testing.assert_array_equal(shared[name], own[name])


def test_parts_of_variables():
    assert part_of("trunk/conv1/kernel") == "trunk"
    assert part_of("gpi/node_mlp/0/bias") == "graph layer (GPI)"
    assert part_of("gpi/forget_gate/0/bias") == "unused gate"
    assert part_of("gt_labels/entities/kernel") == "label heads, ground truth"
    assert part_of("geometry/embed/kernel") == "pair geometry"
    assert part_of("query_attention/keys/0/0/kernel") == "query attention"
    assert part_of("unheard/of") == OTHER


def test_every_part_of_the_model_is_known():
    """Whatever options a configuration sets, each of the model's parts has a name in the table."""
    assert {prefix.split("/")[0] for prefix in PARTS.values()} == set(part_table(load_config()))


def test_every_variable_belongs_to_a_part(pair, report):
    for name, model in pair.models.items():
        variables = model.named_variables()
        assert {part_of(variable) for variable in variables} <= set(PARTS)
        assert sum(report["parameters"][name].values()) == sum(
            variable.shape.num_elements() for variable in variables.values()
        )
    assert report["trained"] == report["parameters"]  # mini trains all of them


def test_parts_add_up_to_the_whole(pair, report):
    found = report["inference_gflop"][WITH]
    assert OTHER not in found
    assert sum(found.values()) == pytest.approx(count_gflop(pair.models[WITH].predict_roles, pair.test))
    assert all(OTHER not in found for found in report["training_gflop"].values())


def test_operations_of_a_part_are_those_of_its_formula(report):
    found = {part: round(1e9 * value) for part, value in report["inference_gflop"][WITH].items()}
    dim, hidden, pairs, geometry = 12 + 4, 16, N * (N + 1) // 2, 32
    channels, cells, refiner_hidden = 16, 7 * 7, 4 * 16
    # phi and its attention: two node terms, a pair term, a geometry term, then two dense layers for each of
    # the N^2 pairs
    terms = 2 * N * dim * hidden + pairs * dim * hidden + N * N * geometry * hidden
    first = 2 * (terms + N * N * 2 * hidden * hidden)
    second = 2 * (N * dim * hidden + N * hidden * hidden + N * 2 * hidden * hidden)
    refined = N * dim * hidden + hidden * hidden + N * hidden * hidden + N * 2 * hidden * hidden
    assert found["graph layer (GPI)"] == 2 * (first + second + refined)
    assert found["role classifier"] == 2 * (N * 16 * 16 + Q * N * 16 * 4)
    assert found["pair geometry"] == 2 * N * N * 5 * geometry
    spatial = cells * 16 * channels + cells * channels * refiner_hidden + refiner_hidden * 4
    around = cells * (3 * 3 * 48) * channels + cells * channels * refiner_hidden + refiner_hidden * 4
    assert found["box refiner"] == 2 * N * (16 * 4 + spatial + around)
    predicates = 2 * N * dim * R + pairs * dim * R + 16 * R + N * N * geometry * R
    assert found["label heads"] == 2 * (N * 16 * E + predicates)


def test_backward_pass_is_counted_with_its_part(report):
    for part in ("graph layer (GPI)", "role classifier", "box refiner"):
        forward, step = (report[kind][WITH][part] for kind in ("inference_gflop", "training_gflop"))
        assert step == pytest.approx(3 * forward), part
    for name in (WITH, WITHOUT):
        forward, step = (report[kind][name]["trunk"] for kind in ("inference_gflop", "training_gflop"))
        assert 2 * forward < step <= 3 * forward


def test_without_the_graph_nothing_of_it_is_left(report):
    expected = {"trunk", "region proposal network", "entity head", "role classifier without graph"}
    assert set(report["parameters"][WITHOUT]) == expected
    for part in expected:
        assert report["inference_gflop"][WITHOUT][part] == report["inference_gflop"][WITH][part]


def test_the_released_generator_is_larger_than_the_published_one():
    config = load_config(overrides=["NET", "mini"])  # of res101 all but the trunk and the heads
    with unfilled():
        parameters = parameters_by_part(build_model(config, 100, 70).named_variables())
    assert parameters["graph layer (GPI)"] == 8_493_320
    assert parameters["unused gate"] == 2_119_720


def test_times_are_taken_where_they_are_asked_for(pair, report, untraced):
    timed = {**report, **times(pair, replace(SETTINGS, repeats=1, warm_up=0))}
    assert timed["seconds"].keys() == timed["processor_seconds"].keys() == {"inference", "training"}
    assert all(value > 0 for both in timed["seconds"].values() for value in both.values())
    assert "seconds of a training step" in format_cost(timed, "tiny")
    assert "seconds of a" not in format_cost(report, "tiny")
    assert totals(report)["parameters"][WITH] == sum(report["parameters"][WITH].values())


def cost(*words: str) -> subprocess.CompletedProcess:
    return run_program("cost", *words, cwd=ROOT)


def test_the_command_writes_table_numbers_and_picture(counted, report):
    folder, printed = counted
    text = (folder / "cost.md").read_text()
    assert report["about"]["proposals"] == N and text in printed
    for published in ("< 4 M", "< 1.5", "> 40 M", "> 15"):
        assert published in text
    assert cv2.imread(str(folder / "cost.png")).shape[1] > 900


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "VARIANT", "no_dsg"], "no graph"),
        (["--queries", "0"], "at least 1"),
        (["--height", "3"], "at least 16"),
        (["--gpu", "0,1"], "single GPU"),
        (["--tag", "a/b"], "plain name"),
        (["--set", "NET", "vgg"], "vgg"),
    ],
)
def test_mistakes_are_answered_in_one_line(words, message, tmp_path: Path):
    done = cost("--output", str(tmp_path), *words)
    assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_resnet_belongs_to_parts_too():
    """Its norms are folded into the kernels, in an answer once for all calls."""
    small = replace(SETTINGS, width=64, height=48, objects=2)
    sizes = ["TRAIN.SCALES", "[48]", "TEST.SCALES", "[48]"]
    config = load_config(overrides=["NET", "res50", *sizes, "AUX_FIRST_STAGE", "False"])  # a smaller graph
    with unfilled():
        pair = build_pair(config, small)
    report = counts(replace(pair, models={WITH: pair.models[WITH]}))
    for kind in ("inference_gflop", "training_gflop"):
        found = report[kind][WITH]
        assert OTHER not in found and found["trunk"] > found["graph layer (GPI)"] > found["box refiner"] > 0
    assert (
        report["trained"][WITH]["trunk"] < report["parameters"][WITH]["trunk"]
    )  # conv1 and block1 are fixed


def test_the_cost_of_masks_of_a_grounded_graph() -> None:
    """Node and pair features are counted to the operation; masks cost nothing where there are none."""
    config = load_config([ROOT / "experiments" / "cfgs" / "models" / "grounding_mini.yml"])
    boxes = replace(SETTINGS, width=48, height=32, objects=4, entities=6, predicates=3)
    report = measure_grounding(config, boxes)
    answers, options = report["inference_gflop"], config.grounding
    cells, pairs, unions = options.roi_side**2, 12, 6
    dense = 2 * options.features * (cells * options.channels + options.features)
    conv = 2 * 9 * cells * options.channels
    of_pairs = pairs * (dense + conv * boxes.entities) + unions * conv * options.channels
    blur = 2 * 2 * pairs * cells * boxes.entities * 49
    assert answers["with"]["features of boxes"] == pytest.approx(
        4 * (dense + conv * (options.channels + boxes.entities)) / 1e9
    )
    assert answers["with"]["features of pairs"] == pytest.approx(of_pairs / 1e9)
    shapes = 24 * pairs * (boxes.entities + 1)
    assert answers["with"]["masks of pairs"] == pytest.approx((blur + shapes) / 1e9)
    assert "mask head" not in answers["without"] and answers["with"]["mask head"] > 0
    assert report["parameters"]["with"]["features of pairs"] > 0
    text = format_grounded(report, "mini")
    assert "masks of pairs" in text and "GFLOP of a training step" in text
