"""From measured cases to what people read: ratios with their aims, and a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

Cases = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Ratio:
    """How many times `first` is `second`, both values of `field` in the cases so named."""

    first: str
    second: str
    field: str
    aim: float
    text: str


# In each the first is the baseline's time, or the library's rate: more is better.
RATIOS = {
    "inference_fp32": Ratio(
        "inference/plain", "inference/library", "seconds", 1.4, "an answer, against the plain formulation"
    ),
    "train_fp32": Ratio("training/plain", "training/library", "seconds", 1.4, "a training step, likewise"),
    "inference_bf16": Ratio(
        "inference/plain",
        "inference/library_bf16",
        "seconds",
        2.2,
        "an answer in bfloat16, against plain float32",
    ),
    "train_bf16": Ratio(
        "training/plain", "training/library_bf16", "seconds", 2.2, "a training step, likewise"
    ),
    "inference_pair7": Ratio(
        "inference/plain_pair7",
        "inference/library_pair7",
        "seconds",
        1.8,
        "an answer with 7 x 7 relation crops",
    ),
    "matmul_share_fp32": Ratio(
        "inference/library",
        "matmul/float32",
        "gflop_per_second",
        0.75,
        "an answer's GFLOP/s, of a large matrix product's",
    ),
    "pipeline_over_train": Ratio(
        "input/photographs",
        "training/library",
        "images_per_second",
        5.0,
        "images prepared, of images trained on",
    ),
    "pipeline_over_train_mini": Ratio(
        "input/shapes", "mini/training", "images_per_second", 1.5, "likewise for mini on its scenes"
    ),
    "nms_over_release": Ratio(
        "nms/all/release",
        "nms/all/library",
        "seconds",
        2.0,
        "suppression of all boxes, against the release's loops",
    ),
    "nms_over_tf": Ratio(
        "nms/best/tensorflow",
        "nms/best/library",
        "seconds",
        1.0,
        "the best few, against tf.image.non_max_suppression",
    ),
    "annotations_cached": Ratio(
        "annotations/visual_genome_first",
        "annotations/visual_genome_cached",
        "seconds",
        0.0,
        "annotations read and checked, against the cache",
    ),
    "grounding_predcls": Ratio(
        "grounding/res101/predcls/without",
        "grounding/res101/predcls/with",
        "seconds",
        0.77,
        "a graph of given boxes without masks, against one with them",
    ),
    "grounding_sgdet": Ratio(
        "grounding/res101/sgdet/without",
        "grounding/res101/sgdet/with",
        "seconds",
        0.77,
        "likewise of detected boxes",
    ),
    "train_memory": Ratio(
        "training/plain",
        "training/library",
        "peak_mib",
        1.0,
        "a training step's peak memory, against the plain one",
    ),
}
# Of the values at all sizes measured, the one that is picked: that of most pairs of boxes, or the smallest.
OVERLAP_RATIOS = {
    "overlaps_over_release": Ratio(
        "release", "library", "seconds", 2.0, "overlaps of the most boxes, against the release's loops"
    ),
    "overlaps_over_release_worst": Ratio(
        "release", "library", "seconds", 1.0, "likewise, at the size where it is least"
    ),
    "overlaps_over_numpy": Ratio(
        "numpy", "library", "seconds", 1.0, "overlaps, against NumPy, at the size where it is least"
    ),
}
BY_PROCESSOR = {"seconds": "processor_seconds", "gflop_per_second": "gflop_per_processor_second"}
FIELDS = ("seconds", "processor_seconds", "images_per_second", "gflop_per_second", "peak_mib")
COLUMNS = (
    ("clock", 10, "time"),
    ("work", 10, "time"),
    ("images/s", 10, ".2f"),
    ("GFLOP/s", 9, ".0f"),
    ("peak MiB", 10, ".0f"),
)
HEADINGS = {
    "matmul": "large matrix product",
    "inference": "answer to one image",
    "training": "training step on one image",
    "detector": "detectors, one image",
    "grounding": "grounded scene graphs, one image",
    "savings": "plain formulation with one saving at a time",
    "scaling": "net/task/proposals/queries/side/images",
    "mini": "mini, one batch",
    "input": "input pipeline, one epoch",
    "annotations": "loading annotations, first and from a cache",
    "overlaps": "overlaps of N x K boxes",
    "nms": "non-maximum suppression",
}


def ratios(cases: Cases, instead: Mapping[str, str] | None = None) -> dict[str, float | None]:
    """Every ratio by name; None where one of its cases was not measured.

    Args:
        cases: what was measured.
        instead: fields to read in place of others. `BY_PROCESSOR`, on a machine that is busy otherwise, where
            the clock says little.
    """
    instead = instead or {}
    found = {name: _ratio(_reading(ratio, instead), cases) for name, ratio in RATIOS.items()}
    groups = sorted({name.rpartition("/")[0] for name in cases if name.startswith("overlaps/")}, key=_pairs)
    for name, ratio in OVERLAP_RATIOS.items():
        values = [_ratio(_within(_reading(ratio, instead), group), cases) for group in groups]
        known = [value for value in values if value is not None]
        found[name] = (known[-1] if name == "overlaps_over_release" else min(known)) if known else None
    return found


def format_report(report: Mapping[str, Any]) -> str:
    """The table: a block for every kind of case, then the ratios beside what is aimed at."""
    lines: list[str] = []
    cases: Cases = report["cases"]
    for group, heading in HEADINGS.items():
        rows = {name: case for name, case in cases.items() if name.split("/")[0] == group}
        if rows:
            titles = "".join(f"{title:>{width}}" for title, width, _ in COLUMNS)
            lines += ["", f"{heading:<44}{titles}"]
            lines += [_row(name[len(group) + 1 :], case) for name, case in rows.items()]
    known = {name: value for name, value in report["ratios"].items() if value is not None}
    if known:
        lines += ["", f"{'how many times':<44}{'by clock':>11}{'by work':>11}{'aim':>8}"]
        for name, value in known.items():
            ratio, work = RATIOS.get(name) or OVERLAP_RATIOS[name], report["processor_ratios"][name]
            aim = f"{ratio.aim:.2f}" if ratio.aim else ""
            lines.append(f"  {name:<42}{value:>11.2f}{work:>11.2f}{aim:>8}  {ratio.text}")
    for name, value in report["checks"].items():
        what = "largest relative difference " if "plain_equals" in name else ""
        lines += ["", f"{name}: {what}{value:.2g}"]
    about = report["machine"]
    load = ", ".join(f"{value:.1f}" for value in about.get("load", ()))
    lines += [
        "",
        f"{about['processor']}, {about['cores']} cores, TensorFlow {about['tensorflow']}, load {load}",
    ]
    return "\n".join(lines[1:])


def _row(name: str, case: Mapping[str, Any]) -> str:
    shown = []
    for field, (_, width, form) in zip(FIELDS, COLUMNS):
        value = case.get(field)
        text = "" if value is None else _seconds(value) if form == "time" else f"{value:{form}}"
        shown.append(f"{text:>{width}}")
    return f"  {name:<42}{''.join(shown)}".rstrip()


def _ratio(ratio: Ratio, cases: Cases) -> float | None:
    first, second = (cases.get(name, {}).get(ratio.field) for name in (ratio.first, ratio.second))
    return first / second if first is not None and second else None


def _reading(ratio: Ratio, instead: Mapping[str, str]) -> Ratio:
    return replace(ratio, field=instead.get(ratio.field, ratio.field))


def _within(ratio: Ratio, group: str) -> Ratio:
    return replace(ratio, first=f"{group}/{ratio.first}", second=f"{group}/{ratio.second}")


def _pairs(group: str) -> int:
    """overlaps/10x3 -> 30"""
    count, targets = group.partition("/")[2].split("x")
    return int(count) * int(targets)


def _seconds(value: float) -> str:
    unit, scale = ("s", 1.0) if value >= 1 else ("ms", 1e-3) if value >= 1e-3 else ("us", 1e-6)
    return f"{value / scale:.3g} {unit}"
