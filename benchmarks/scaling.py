"""The section on growth: an answer and a training step at one size after another, each in a process of its
own, so that its peak memory is its own.

One size is varied at a time: proposals, queries, the image's shorter side, images a batch (of mini, too).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from benchmarks.settings import Settings

if TYPE_CHECKING:
    from dsg.config import Config
    from dsg.pipeline.batch import Batch

SCALING = "scaling:"
TASKS = ("inference", "training")
MINI = "mini"


@dataclass(frozen=True)
class Point:
    """One size of everything."""

    net: str
    task: str  # of TASKS
    proposals: int
    queries: int
    side: int  # shorter side of the image
    images: int

    @property
    def name(self) -> str:
        """Its case in a report, such as scaling/res101/training/32/3/600/1."""
        return "scaling/" + "/".join(map(str, asdict(self).values()))

    @classmethod
    def parse(cls, name: str) -> Point:
        """The point of a `name`."""
        _, net, task, *sizes = name.split("/")
        return cls(net, task, *map(int, sizes))


def base_points(settings: Settings) -> list[Point]:
    """From where the sizes are varied."""
    large = [
        Point(
            settings.net,
            task,
            settings.proposals,
            settings.queries,
            min(settings.height, settings.width),
            1,
        )
        for task in TASKS
    ]
    small = [Point(MINI, task, 16, settings.queries, min(settings.mini_size), 1) for task in TASKS]
    return large + small


def axes(settings: Settings) -> dict[str, tuple[int, ...]]:
    """The sizes that are varied, and their values."""
    return {
        "proposals": settings.scaling_proposals,
        "queries": settings.scaling_queries,
        "side": settings.scaling_sides,
        "images": settings.scaling_batches,
    }


def points(settings: Settings) -> list[Point]:
    """All points to measure, each once; of mini only the images a batch vary."""
    found: dict[Point, None] = {}
    for base in base_points(settings):
        for axis, values in axes(settings).items():
            if axis == "images" and base.net == settings.net and base.task == "training":
                values = settings.scaling_steps  # eight images would take more memory than many machines have
            if base.task in settings.scaling_tasks and (base.net == settings.net or axis == "images"):
                found.update(dict.fromkeys(_moved(base, axis, value) for value in values))
    return list(found)


def curves(cases: dict[str, Any], settings: Settings) -> Iterator[tuple[str, Point, list[tuple[int, Any]]]]:
    """Of each size that was varied: its name, the point from where, and the (value, case) that were
    measured.
    """
    measured = {Point.parse(name): case for name, case in cases.items() if name.startswith("scaling/")}
    for axis in axes(settings):
        for base in base_points(settings):
            found = [
                (getattr(point, axis), case)
                for point, case in measured.items()
                if _moved(point, axis, getattr(base, axis)) == base
            ]
            if len(found) > 2:
                yield axis, base, sorted(found, key=lambda one: one[0])


def _moved(point: Point, axis: str, value: int) -> Point:
    change: dict[str, Any] = {axis: value}
    return replace(point, **change)


def measure_point(settings: Settings, point: Point) -> dict[str, Any]:
    """Seconds, peak memory and operations of one point: `cases` and `checks` of a job."""
    from dsg.apps.cost.contenders import answering, fetching, optimizer_of, stepping
    from dsg.apps.cost.timing import in_turns, peak_memory
    from dsg.models.dsg.build import build_model

    start = time.monotonic()
    config, batch = config_of(settings, point), batch_of(settings, point)
    model = build_model(config, settings.entities, settings.predicates)
    before = peak_memory()
    if point.task == "inference":
        run = fetching(answering(model), batch)
    else:
        run = stepping(model, optimizer_of(model), batch)
    timing = in_turns({"": run}, settings.scaling_repeats, seconds=settings.seconds / 4)[""]
    case = {"peak_mib": peak_memory(), "before_mib": before}
    case.update(timing.as_case(point.images), took=time.monotonic() - start)
    if settings.matmul:
        case.update(gflop=operations(settings, point, batch))
    return {"cases": {point.name: case}, "checks": {}}


def operations(settings: Settings, point: Point, batch: Batch) -> float:
    """GFLOP of one point."""
    from dsg.apps.cost.measurement import gradients
    from dsg.apps.cost.operations import count_gflop
    from dsg.models.dsg.build import build_model

    model = build_model(config_of(settings, point), settings.entities, settings.predicates)
    return count_gflop(model.predict_roles if point.task == "inference" else gradients(model), batch)


def config_of(settings: Settings, point: Point) -> Config:
    """The configuration of a point; whatever the scores, there are as many proposals as it says."""
    from benchmarks.mini import mini_config
    from benchmarks.network import large_config
    from dsg.config import flatten, from_values

    base = mini_config(settings) if point.net == MINI else large_config(settings)
    values = {
        **flatten(base),
        "TRAIN.RPN_POST_NMS_TOP_N": point.proposals,
        "TRAIN.RPN_NMS_MIN_SCORE": 0.0,
        "TRAIN.MAX_QUERIES": 0,
    }
    for part in ("TRAIN", "TEST"):
        values.update({f"{part}.SCALES": [point.side], f"{part}.MAX_SIZE": 8 * point.side})
        values[f"{part}.IMS_PER_BATCH"] = point.images
    return from_values(values)


def batch_of(settings: Settings, point: Point) -> Batch:
    """A training batch of one photograph, as often as the point has images, with its queries repeated
    until there are enough.
    """
    import tensorflow as tf

    from dsg.apps.cost.subjects import photograph_batch, vocabulary

    longer, shorter = sorted((settings.width, settings.height), reverse=True)
    if point.net == MINI:
        longer, shorter = sorted(settings.mini_size, reverse=True)
    size = (round(point.side * longer / shorter), point.side)
    words = vocabulary(settings.entities, settings.predicates)
    one: Any = photograph_batch(config_of(settings, point), size, words, settings.objects, 1)
    repeated = {key: tf.repeat(one[key], point.queries, 1) for key in ("queries", "query_valid", "gt_roles")}
    one = {**one, **repeated}
    return {key: tf.repeat(value, point.images, 0) for key, value in one.items()}  # type: ignore[return-value]
