"""How cost grows. Operations are counted, exactly, and follow the mathematics: pairs of proposals quadratic,
queries linear and next to nothing, images linear. What is measured is only seen to be reported.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import cv2
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.run import DEFAULT_SECTIONS, benchmark
from benchmarks.scaling import (
    MINI,
    TASKS,
    Point,
    base_points,
    batch_of,
    config_of,
    curves,
    operations,
    points,
)
from benchmarks.scaling_report import draw_scaling, format_scaling, growth
from benchmarks.settings import Settings
from dsg.apps.cost.measurement import gradients
from dsg.apps.cost.operations import gflop_counter
from dsg.apps.cost.subjects import photograph_batch, vocabulary
from dsg.config import flatten, from_values
from dsg.models.dsg.build import build_model
from dsg.models.dsg.predictions import INPUTS
from dsg.nets.initial import unfilled
from dsg.pipeline.batches import batch_spec
from tests.shared import ROOT

TINY = Settings(
    net="res50",
    height=48,
    width=64,
    proposals=4,
    queries=2,
    entities=6,
    predicates=4,
    objects=3,
    repeats=2,
    mini_cfg=str(ROOT / "experiments/cfgs/mini.yml"),
    mini_size=(96, 64),
    scaling_proposals=(2, 4),
    scaling_queries=(1,),
    scaling_sides=(48,),
    scaling_batches=(1,),
    scaling_steps=(1,),
    scaling_repeats=1,
)

BASE = Point(MINI, "inference", 5, 2, 64, 1)


@functools.cache
def counter(proposals: int):
    """Counts the operations of any batch; how many proposals there are is the network's."""
    config = config_of(TINY, replace(BASE, proposals=proposals))
    with unfilled():
        predict = build_model(config, TINY.entities, TINY.predicates).predict_roles
    return gflop_counter(predict, {key: one for key, one in batch_spec(config).items() if key in INPUTS})


@functools.cache
def gflop(**changes) -> float:
    point = replace(BASE, **changes)
    batch = batch_of(TINY, point)
    return sum(counter(point.proposals)({key: batch[key] for key in INPUTS}).values())


@pytest.fixture(scope="module", autouse=True)
def forgotten():
    """Graphs hold much memory: the counters are kept for the tests of this file alone."""
    yield
    counter.cache_clear()
    gflop.cache_clear()


def test_a_point_has_the_operations_of_its_shapes():
    assert operations(TINY, BASE, batch_of(TINY, BASE)) == pytest.approx(gflop(), rel=1e-12)


def test_operations_are_quadratic_in_proposals():
    counted = np.array([gflop(proposals=number) for number in (2, 3, 4)] + [gflop()])
    assert np.diff(counted).min() > 0 and np.diff(counted, 2).min() > 0
    assert abs(np.diff(counted, 3)[0]) < 1e-9 * counted[0]


def test_training_is_quadratic_in_proposals_too():
    """Ground-truth boxes in place of proposals, so that one graph is traced for any number of them."""
    config = from_values({**flatten(config_of(TINY, BASE)), "TRAIN.USE_GT": True})
    shown = config, (96, 64), vocabulary(6, 4)
    batches = [photograph_batch(*shown, objects=number, queries=6) for number in (3, 4, 5, 6)]
    spec = {key: tf.TensorSpec([1, *one.shape[1:]], one.dtype) for key, one in batch_spec(config).items()}
    count = gflop_counter(gradients(build_model(config, 6, 4)), spec)
    counted = np.array([sum(count(batch).values()) for batch in batches])
    assert np.diff(counted).min() > 0 and np.diff(counted, 2).min() > 0
    assert abs(np.diff(counted, 3)[0]) < 1e-9 * counted[0]


def test_operations_are_linear_in_queries_and_one_costs_next_to_nothing():
    two, four, twelve = gflop(), gflop(queries=4), gflop(queries=12)
    assert (twelve - two) / 10 == pytest.approx((four - two) / 2, rel=1e-9)
    assert 0 < (four - two) / 2 < 1e-3 * two


def test_operations_are_linear_in_images():
    assert gflop(images=3) == pytest.approx(3 * gflop(), rel=1e-9)


def test_operations_of_a_larger_image_are_those_of_its_area():
    """Crops apart, which are of the boxes: doubling a side adds four times what halving it spares."""
    small, middle, large = gflop(), gflop(side=128), gflop(side=256)
    assert large - middle == pytest.approx(4 * (middle - small), rel=1e-9)


def test_growth_finds_the_exponent():
    sizes = (8, 16, 32, 64, 128)
    for exponent in (1.0, 1.5, 2.0):
        found = growth(sizes, [700 + 3 * size**exponent for size in sizes])
        assert found.exponent == pytest.approx(exponent, abs=0.02)
    assert growth(sizes, [10.0, 10.1, 10.0, 10.2, 10.1]).exponent is None
    assert growth((1, 2, 4), [1.0, 2.0, 4.0]) == (4.0, None, 1.0)  # three points fit any three numbers
    assert growth((1, 2, 4, 8), [4.0, 4.0, 4.0, 8.0]).steepest == 1.0


def test_points_have_names():
    for point in points(Settings()):
        assert Point.parse(point.name) == point
    assert Point("res101", "training", 32, 3, 600, 1).name == "scaling/res101/training/32/3/600/1"
    assert len(points(Settings())) == 2 * (5 + 3 + 4 + 3) + 2 * 4
    assert {point.task for point in base_points(TINY)} == set(TASKS)


def made_up() -> dict[str, dict[str, float]]:
    """Cases of all points, growing as pairs, queries, pixels and images do."""
    cases = {}
    for point in points(Settings()):
        work = point.images * (point.side**2 / 1e5 + point.proposals**2 / 100 + point.queries / 1000)
        cases[point.name] = {"seconds": work, "processor_seconds": 2 * work, "peak_mib": 500 + 100 * work}
    return cases


def test_tables_and_picture_show_growth(tmp_path):
    cases = made_up()
    found = list(curves(cases, Settings()))
    assert [axis for axis, _, _ in found].count("images") == 4 and len(found) == 10
    assert [size for size, _ in found[0][1:][1]] == [8, 16, 32, 64, 128]
    text = format_scaling(cases, Settings())
    assert text.count("| exponent | 2.00 | 2.00 | 2.00 |") == 4  # proposals and side, of two tasks
    assert text.count("| exponent | flat | flat | flat |") == 2
    assert text.count("| steepest (at most 1) |") == 6
    draw_scaling(cases, Settings(), tmp_path / "scaling.png")
    assert cv2.imread(str(tmp_path / "scaling.png")).shape[1] > 1500


def test_the_section_runs_only_where_it_is_named():
    assert "scaling" not in DEFAULT_SECTIONS
    settings = replace(TINY, scaling_proposals=(), scaling_queries=(), scaling_sides=())
    settings = replace(settings, scaling_batches=(1,), scaling_tasks=("inference",), matmul=0)
    said: list[str] = []
    report = benchmark(replace(settings, net=MINI, proposals=16, height=64), ["scaling"], said.append)
    assert len(said) == 2 and list(report["cases"]) == ["scaling/mini/inference/16/2/64/1"]
    case = report["cases"]["scaling/mini/inference/16/2/64/1"]
    assert case["peak_mib"] >= case["before_mib"] > 0 and case["runs"] == 1
