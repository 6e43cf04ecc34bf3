"""The benchmark: what it measures against computes the same, and its report has the promised form. No test
looks at a time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.agreement import demand_agreement, largest_difference, relative_difference
from benchmarks.detectors import detectors
from benchmarks.grounding import grounding
from benchmarks.mini import mini
from benchmarks.network import Subject, inference, large_config, subject, training
from benchmarks.plain import Plain, Savings
from benchmarks.report import BY_PROCESSOR, format_report, ratios
from benchmarks.run import benchmark
from benchmarks.settings import QUICK, Settings
from dsg.apps.cost.operations import count_gflop
from dsg.apps.cost.subjects import photograph_record, recipe_model, vocabulary
from dsg.apps.cost.timing import in_turns
from dsg.config import from_values
from dsg.errors import UserError
from dsg.models.dsg.losses import training_losses
from dsg.models.dsg.outputs import Outputs
from dsg.pipeline.examples import Example, preprocess, to_batch
from dsg.runtime.machine import imitates, machine
from tests.golden import golden
from tests.shared import ROOT

TINY = Settings(
    net="res50",
    height=64,
    width=96,
    proposals=5,
    queries=2,
    entities=6,
    predicates=4,
    objects=3,
    warm_up=1,
    repeats=2,
    matmul=0,
    mini_cfg=str(ROOT / "experiments/cfgs/mini.yml"),
    shapes_images=4,
    photographs=2,
    pipeline_repeats=2,
    overlap_sizes=((10, 3), (40, 5)),
    nms_boxes=300,
    nms_best=8,
    operation_repeats=2,
    operation_seconds=0.0,
    pair7=False,
    memory_cases=("input/shapes",),
    bfloat16=not imitates("bfloat16"),  # there it takes minutes
)
BFLOAT16 = {task: {f"{task}/library_bf16"} if TINY.bfloat16 else set() for task in ("inference", "training")}
PROMISED = {
    "inference_fp32",
    "train_fp32",
    "inference_bf16",
    "train_bf16",
    "inference_pair7",
    "matmul_share_fp32",
    "pipeline_over_train",
    "overlaps_over_release",
    "nms_over_release",
    "nms_over_tf",
}


@pytest.fixture(scope="module")
def tiny() -> Iterator[Subject]:
    yield subject(TINY)


@pytest.fixture(scope="module")
def answered(tiny: Subject) -> Iterator[Outputs]:
    """What the library says of the subject's image."""
    yield tiny.model(tiny.batch)


def test_contenders_take_turns() -> None:
    calls: list[str] = []
    timings = in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3, warm_up=2)
    assert calls == ["a", "a", "b", "b", *"ababab"]
    assert [len(timing.samples) for timing in timings.values()] == [3, 3]


def test_turns_end_when_their_time_is_up_but_two_take_place() -> None:
    assert len(in_turns({"a": lambda: None}, 9, seconds=0.0)["a"].samples) == 2


def test_a_case_tells_rates() -> None:
    timing = in_turns({"a": lambda: None}, 3)["a"]
    timing.samples, timing.processor = [2.0, 1.0, 4.0], [1.5, 1.0, 3.0]
    case = timing.as_case(images=8, gflop=6)
    assert (case["processor_seconds"], case["gflop_per_processor_second"]) == (1.5, 4.0)
    assert (case["seconds"], case["fastest"], case["slowest"], case["runs"]) == (2.0, 1.0, 4.0, 3)
    assert (case["images_per_second"], case["gflop_per_second"]) == (4.0, 3.0)


@pytest.mark.one_line
def test_peak_memory_rises_with_what_is_held() -> None:
    """In a process of its own: in this one, which may have held gigabytes, it would have to hold more."""
    program = (
        "from dsg.apps.cost.timing import peak_memory\n"
        "before = peak_memory()\n"
        "held = b'1' * 2**28\n"
        "print(peak_memory() - before)"
    )
    command, places = [sys.executable, "-c", program], {"PYTHONPATH": str(ROOT / "lib")}
    done = subprocess.run(command, env=places, stdout=subprocess.PIPE, text=True, check=True)
    assert 250 < float(done.stdout) < 260


def test_settings_survive_json() -> None:
    for settings in (Settings(), QUICK, TINY):
        assert Settings.from_json(settings.to_json()) == settings


def test_plain_formulation_equals_the_library(tiny: Subject) -> None:
    assert len(tiny.batch["gt_boxes"][0]) > 1
    assert largest_difference(tiny.model, tiny.batch) < 1e-4


def test_plain_formulation_equals_the_library_on_large_relation_crops(tiny: Subject) -> None:
    assert largest_difference(tiny.variant({"RELATION_POOLING_SIZE": 3}), tiny.batch) < 1e-4


@pytest.mark.parametrize("difference", [2e-4, float("nan")])
def test_formulations_that_differ_are_not_timed(difference: float) -> None:
    with pytest.raises(AssertionError, match="loss: the plain formulation"):
        demand_agreement({"stage": 1e-5, "loss": difference}, 1e-4)


@pytest.mark.parametrize("saving", [*Savings.__dataclass_fields__, "all"])
def test_savings_change_nothing(tiny: Subject, answered: Outputs, saving: str) -> None:
    on = [saving] if saving != "all" else list(Savings.__dataclass_fields__)
    outputs = Plain(tiny.model, Savings(**{name: True for name in on}))(
        tiny.batch, proposals=answered.detection.proposals
    )
    heads, expected = outputs.heads, answered.heads
    assert relative_difference(heads.role_logits, expected.role_logits) < 1e-4
    assert relative_difference(heads.labels.predicates, expected.labels.predicates) < 1e-4
    assert (heads.gt_labels is None) == (saving in ("skip_ground_truth", "all"))


def test_plain_gradients_equal_the_library(tiny: Subject) -> None:
    variables = tiny.model.named_variables()
    trained = {name: variables[name] for name in tiny.model.trainable_names()}

    def gradients(model: Any, **given: Any) -> dict[str, Any]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(list(trained.values()))
            outputs = model(tiny.batch, training=True, **given)
            total = training_losses(model, outputs, tiny.batch, tiny.model.config)["total"]
        found = dict(zip(trained, tape.gradient(total, list(trained.values()))))
        return {"proposals": outputs.detection.proposals, **found}

    library = gradients(tiny.model)
    proposals = library.pop("proposals")
    plain = gradients(Plain(tiny.model), proposals=proposals)
    for name, gradient in library.items():
        assert (gradient is None) == (plain[name] is None), name
        if gradient is not None and "attention" not in name:  # a bias before a softmax: nothing but rounding
            # Below a ReLU whose input is all but zero, rounding switches single gradients on and off.
            tolerance = 0.1 if name.startswith("trunk/") else 5e-3
            assert float(tf.norm(gradient - plain[name])) < tolerance * float(tf.norm(gradient)) + 1e-6, name


def test_plain_formulation_computes_what_the_release_does() -> None:
    case = golden("forward_res50_generated")
    target, longest = int(case["input/target_size"]), int(case["input/max_size"])
    values = {"NET": "res50", "TRAIN.SCALES": [target], "TRAIN.MAX_SIZE": longest}
    config = from_values({**values, "TEST.SCALES": [target], "TEST.MAX_SIZE": longest})
    plain = Plain(recipe_model(config, 100, 70))
    asked = np.stack(
        [case["input/query"][:, a:b].argmax(1) for a, b in ((0, 100), (100, 170), (170, 270))], 1
    )
    image = case["input/image_bgr_u8"]
    record = photograph_record(
        np.random.default_rng(0), Path("x"), image.shape[1::-1], vocabulary(100, 70), 6, 4
    )
    batch: Any = to_batch([preprocess(Example(image, record), config)])
    batch.update(queries=asked[None].astype(np.int32), gt_boxes=case["input/gt_boxes"][None])
    outputs = plain({key: tf.convert_to_tensor(value) for key, value in batch.items()})  # type: ignore[arg-type]
    heads = outputs.heads
    expected = {
        "cls_score_gpi": heads.role_logits[0],
        "pred_bbox_gpi": heads.box_deltas[0],
        "cls_score_baseline": heads.first_stage_role_logits[0],
        "node_features": outputs.graph.nodes[0],
        "rel_score": heads.labels.predicates[0],
        "gt_ent_score": heads.gt_labels.entities[0],
        "gt_rel_score": heads.gt_labels.predicates[0],
    }
    for key, value in expected.items():
        assert relative_difference(value, case[key]) < 1e-4, key


def test_plain_formulation_is_the_releases_only() -> None:
    config = from_values({"NET": "res50", "GPI.AGGREGATION": "sum"})
    with pytest.raises(ValueError, match="release"):
        Plain(recipe_model(config, 3, 2))


def test_operations_are_counted() -> None:
    x, kernel, matrix = tf.ones([2, 5, 6, 3]), tf.Variable(tf.ones([3, 3, 3, 4])), tf.ones([4, 7])

    def forward(x: tf.Tensor) -> tf.Tensor:
        y = tf.nn.conv2d(x, kernel, 1, "SAME")
        return tf.matmul(tf.reshape(y, [-1, 4]), matrix)

    def backward(x: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(forward(x))
        return tape.gradient(y, [x, kernel])

    convolution, product = 2 * 60 * 4 * 27, 2 * 60 * 4 * 7
    assert count_gflop(forward, x) == pytest.approx((convolution + product) / 1e9)
    assert count_gflop(backward, x) == pytest.approx((3 * convolution + 2 * product) / 1e9)


def test_photographs_have_what_was_asked_for() -> None:
    record = photograph_record(np.random.default_rng(1), Path("a.jpg"), (80, 60), vocabulary(100, 70), 6, 20)
    assert len(record.boxes) == 6 and len(record.queries) == 20
    assert (record.boxes[:, 2:] > record.boxes[:, :2]).all()
    assert large_config(TINY).train.rpn_post_nms_top_n == 5


def test_ratios_say_how_many_times_faster() -> None:
    cases = {
        "inference/plain": {"seconds": 3.0, "processor_seconds": 6.0},
        "inference/library": {"seconds": 1.5, "processor_seconds": 2.0, "gflop_per_second": 60.0},
        "matmul/float32": {"seconds": 1.0, "gflop_per_second": 80.0},
        "overlaps/10x3/library": {"seconds": 2.0},
        "overlaps/10x3/release": {"seconds": 1.0},
        "overlaps/40x5/library": {"seconds": 1.0},
        "overlaps/40x5/release": {"seconds": 6.0},
    }
    found = ratios(cases)
    assert set(found) >= PROMISED
    assert (found["inference_fp32"], found["matmul_share_fp32"]) == (2.0, 0.75)
    assert (found["overlaps_over_release"], found["overlaps_over_release_worst"]) == (6.0, 0.5)
    assert ratios(cases, BY_PROCESSOR)["inference_fp32"] == 3.0
    assert found["train_fp32"] is None and found["overlaps_over_numpy"] is None


def test_the_table_shows_cases_and_ratios() -> None:
    report = {
        "cases": {"inference/plain": {"seconds": 1.25, "images_per_second": 0.8, "peak_mib": 3500.0}},
        "ratios": {"nms_over_tf": 1.5, "train_fp32": None},
        "processor_ratios": {"nms_over_tf": 1.25, "train_fp32": None},
        "checks": {"agreement": 1e-6},
        "machine": machine(),
    }
    table = format_report(report)
    assert "answer to one image" in table and "1.25 s" in table and "3500" in table
    assert "nms_over_tf" in table and "agreement" in table


def test_inference_section(tiny: Subject, untraced: None) -> None:
    found = inference(TINY, tiny)
    cases = found["cases"]
    assert set(cases) == {"inference/plain", "inference/library"} | BFLOAT16["inference"]
    assert cases["inference/library"]["runs"] == 2
    assert found["checks"]["plain_equals_library"] < 1e-4


def test_training_section(tiny: Subject, untraced: None) -> None:
    found = training(replace(TINY, repeats=1, fewest=1), tiny)
    assert set(found["cases"]) == {"training/plain", "training/library"} | BFLOAT16["training"]
    assert found["checks"]["plain_equals_library_losses"] < 1e-4
    assert found["checks"]["plain_equals_library_gradient_norm"] < 1e-3


def test_detectors_section(untraced: None) -> None:
    settings = replace(TINY, detector_nets=("mobile",), detector_size=(64, 96), detector_proposals=4)
    cases = detectors(replace(settings, detector_classes=3, bfloat16=False, repeats=1))["cases"]
    assert set(cases) == {"detector/mobile/inference", "detector/mobile/training"}
    report = {"cases": cases, "ratios": {}, "processor_ratios": {}, "checks": {}, "machine": machine()}
    assert "mobile/training" in format_report(report)


def test_grounding_section(untraced: None) -> None:
    """Untraced: test_cost.py traces the answer and the step that are measured, with masks and without."""
    settings = replace(TINY, grounding_nets=("mini",), grounding_boxes=3, mini_size=(96, 64), repeats=1)
    cases = grounding(replace(settings, warm_up=0, fewest=1))["cases"]
    variants = ("with", "without")
    assert set(cases) == {
        "grounding/mini/sgdet/map",
        *(f"grounding/mini/{task}/{name}" for task in ("predcls", "sgdet", "training") for name in variants),
    }


def test_precisions_answer_alike(untraced: None) -> None:
    from benchmarks.precision import precision

    trained = str(ROOT / "data/demo/mini.npz")
    found = precision(replace(QUICK, trained=trained, precision_images=3))["checks"]
    assert 0.5 < found["mean_iou_float32"] <= 1
    assert abs(found["mean_iou_float32"] - found["mean_iou_bfloat16"]) < 0.05
    assert 0 < found["box_coordinates_median_pixels"] < 1 and found["boxes_without_a_counterpart"] < 0.2


def test_mini_section(untraced: None) -> None:
    cases = mini(replace(TINY, repeats=1))["cases"]
    assert cases["mini/training"]["images_per_second"] > 0 and 2 <= cases["mini/inference"]["runs"] <= 3


@pytest.mark.one_line
def test_a_benchmark_runs_its_jobs_in_other_processes() -> None:
    said: list[str] = []
    report = benchmark(TINY, ["operations", "memory"], said.append)
    assert json.loads(json.dumps(report))["ratios"].keys() >= PROMISED
    assert report["cases"]["nms/best/tensorflow"]["runs"] == 2
    assert report["ratios"]["overlaps_over_release"] > 0
    assert report["cases"]["input/shapes"]["peak_mib"] > report["cases"]["input/shapes"]["before_mib"] / 2
    assert len(said) == 4 and format_report(report)


@pytest.mark.one_line
def test_a_job_that_lacks_a_file_says_so() -> None:
    lacking = Settings.from_json(Settings(mini_cfg="absent.yml").to_json())
    with pytest.raises(UserError, match="absent.yml"):
        benchmark(lacking, ["mini"], lambda line: None)


@pytest.mark.one_line
def test_the_program_answers_mistakes_with_one_line(tmp_path: Path) -> None:
    for arguments, message in (
        (["--only", "speed"], "invalid choice"),
        (["--output", str(tmp_path)], "is a folder"),
    ):
        done = subprocess.run(
            [sys.executable, str(ROOT / "tools/bench.py"), *arguments],
            capture_output=True,
            text=True,
            env={"PYTHONPATH": str(ROOT / "lib")},
        )
        assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.one_line
def test_the_program_starts_without_tensorflow() -> None:
    code = "import sys, benchmarks.__main__; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "lib")}).returncode == 0
