"""Answers that are right and answers that fail, with their queries and the truth (the paper's figure 4)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np

from dsg.apps.failures.classes import CLASSES, MEANINGS
from dsg.apps.failures.command import query_failures
from dsg.apps.failures.report import Failure
from dsg.apps.figures.choice import Chooser, by_quota, lots
from dsg.config import Config
from dsg.datasets import Dataset, ambiguous
from dsg.models.dsg.evaluate import Examined, evaluate
from dsg.models.dsg.pictures import panel
from dsg.models.shown import query_words
from dsg.visualize.answers import draw_answer, page
from dsg.visualize.proposals import blob_to_rgb

RIGHT = 0.8  # IoU from which an answer is shown as a success
COLUMNS = 3


class Shown(NamedTuple):
    """An answer to show."""

    image: Examined
    query: int
    iou: tuple[float, float]  # subject, object
    failure: Failure | None


class Pages(NamedTuple):
    """Two pages, uint8 [H, W, 3] RGB or None if there is nothing to show, and what is on them."""

    successes: np.ndarray | None
    failures: np.ndarray | None
    contents: dict[str, Any]


def answer_pages(model: Any, config: Config, data: Dataset, *, count: int = 6, below: float = 0.5) -> Pages:
    """Successes and failures of a network on a split, `count` each.

    Args:
        model: a `DSG`.
        config: TEST.*, RNG_SEED.
        data: the split.
        count: of each kind, where there are so many.
        below: IoU under which an answer has failed.
    """
    good: Chooser[Shown] = Chooser(count)
    bad: dict[str, Chooser[Shown]] = {name: Chooser(count) for name in CLASSES}
    draw = lots(config.rng_seed, len(data))

    def observe(image: Examined, subject: np.ndarray, object_: np.ndarray) -> None:
        flags, name, lot = ambiguous(image.record), image.record.name, float(draw[image.index])
        worst = np.minimum(subject, object_)
        for query in _ambiguous_first(worst >= RIGHT, flags)[:1]:
            shown = Shown(image, query, (float(subject[query]), float(object_[query])), None)
            good.offer(name, (float(flags[query]), lot), shown)
        for query in _ambiguous_first(worst < below, flags):
            iou = (float(subject[query]), float(object_[query]))
            for failure in query_failures(
                image, data, query, iou, below, flags[query], config.test.role_conflict
            ):
                shown = Shown(image, query, iou, failure)
                bad[failure.classes[0]].offer(name, (float(flags[query]), lot), shown)

    evaluate(model, data, config, label="figure", observe=observe)
    successes = [value for _, value in good.best()]
    failures = [value for _, value in by_quota(bad, count)]
    contents = {
        "successes": [_contents(shown, data) for shown in successes],
        "failures": [_contents(shown, data) for shown in failures],
    }
    return Pages(_page(successes, data, config), _page(failures, data, config), contents)


def _ambiguous_first(chosen: np.ndarray, flags: np.ndarray) -> list[int]:
    """Positions of the queries in `chosen` bool [Q]."""
    return [*map(int, np.flatnonzero(chosen & flags)), *map(int, np.flatnonzero(chosen & ~flags))]


def _page(shown: list[Shown], data: Dataset, config: Config) -> np.ndarray | None:
    if not shown:
        return None
    panels = []
    for one in shown:
        note = "" if one.failure is None else f"{one.failure.classes[0]} ({one.failure.role})"
        picture = blob_to_rgb(one.image.blob, config.pixel_means)
        drawn = panel(one.image, data.vocabulary, one.query, one.iou, note, config.test.role_conflict)
        panels.append(draw_answer(picture, drawn, legend=False, min_side=300))
    return page(panels, COLUMNS)


def _contents(shown: Shown, data: Dataset) -> dict[str, Any]:
    names = query_words(shown.image.record.queries[shown.query], data.vocabulary)
    found: dict[str, Any] = {
        "image": shown.image.record.name,
        "query": " - ".join(names),
        "subject_iou": shown.iou[0],
        "object_iou": shown.iou[1],
        "ambiguous": bool(ambiguous(shown.image.record)[shown.query]),
    }
    if shown.failure is not None:
        found["failure"] = {**asdict(shown.failure), "meaning": MEANINGS[shown.failure.classes[0]]}
    return found
