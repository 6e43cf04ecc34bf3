"""Looking for the failed answers of a snapshot on a split."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np

from dsg.apps.failures.classes import Side, failure_classes
from dsg.apps.failures.report import Failure, FailureReport, draw_report
from dsg.config import Config
from dsg.datasets import Dataset, ambiguous
from dsg.metrics.evaluation import true_answers
from dsg.models.dsg.evaluate import Examined, evaluate
from dsg.models.shown import query_words
from dsg.runtime.files import write_text

LOG = logging.getLogger("dsg")
BELOW = 0.5


def find_failures(
    model: Any, config: Config, data: Dataset, *, about: str, below: float = BELOW
) -> FailureReport:
    """Every answer of the split whose IoU (columns dsg) is below `below`, with its class.

    Args:
        model: a `DSG`.
        config: TEST.*, DATA.WORKERS.
        data: the split.
        about: names the snapshot and split.
        below: IoU under which an answer has failed.
    """
    found: list[Failure] = []

    def observe(image: Examined, subject: np.ndarray, object_: np.ndarray) -> None:
        found.extend(image_failures(image, data, (subject, object_), below, config.test.role_conflict))

    results = evaluate(model, data, config, label="failures", observe=observe)
    flags = results.columns.ambiguous
    return FailureReport(about, below, 2 * results.queries, 2 * int(flags.sum()), tuple(found))


def image_failures(
    image: Examined,
    data: Dataset,
    iou: tuple[np.ndarray, np.ndarray],
    below: float,
    role_conflict: str = "last_wins",
) -> list[Failure]:
    """The failed answers of one image; `iou`: of subjects and objects, [Q] each, with `role_conflict`."""
    queries = np.flatnonzero((iou[0] < below) | (iou[1] < below))
    flags = ambiguous(image.record)
    return [
        failure
        for query in map(int, queries)
        for failure in query_failures(
            image, data, query, (iou[0][query], iou[1][query]), below, flags[query], role_conflict
        )
    ]


def query_failures(
    image: Examined,
    data: Dataset,
    query: int,
    iou: tuple[float, float],
    below: float,
    is_ambiguous: bool,
    role_conflict: str = "last_wins",
) -> list[Failure]:
    """Which sides of a query failed: none, one or both."""
    record = image.record
    words = " - ".join(query_words(record.queries[query], data.vocabulary))
    return [
        Failure(
            record.name,
            words,
            role,
            float(iou[side]),
            bool(is_ambiguous),
            failure_classes(side_of(image, query, side, role_conflict)),
        )
        for side, role in enumerate(("subject", "object"))
        if iou[side] < below
    ]


def side_of(image: Examined, query: int, side: int, role_conflict: str = "last_wins") -> Side:
    """The subjects (`side` 0) or objects (1) of a query, as `failure_classes` takes them.

    Which boxes are true is what the IoU went by (TEST.ROLE_CONFLICT).
    """
    record, found = image.record, image.prediction
    true = true_answers(
        record.roles[query],
        record.subject_masks[query],
        record.object_masks[query],
        role_conflict=role_conflict,
    )
    return Side(
        proposals=found.proposals,
        boxes=found.boxes,
        chosen=(found.subjects, found.objects)[side][query],
        roles=None if found.probabilities is None else found.probabilities[query].argmax(axis=1),
        categories=None if found.entities is None else found.entities.argmax(axis=1),
        gt_boxes=image.gt_boxes,
        gt_categories=record.entities,
        true=true[side],
        category=int(record.queries[query, 2 * side]),
    )


def write_report(report: FailureReport, folder: Path) -> None:
    """`failures.json`, `failures.md` and `failures.png` in `folder`, which exists."""
    text = report.to_markdown()
    write_text(folder / "failures.json", json.dumps(report.to_json(), indent=1) + "\n")
    write_text(folder / "failures.md", text)
    draw_report(report, folder / "failures.png")
    LOG.info("%s\ntable, all failed answers, and bars: %s/failures.md, .json, .png", text, folder)
