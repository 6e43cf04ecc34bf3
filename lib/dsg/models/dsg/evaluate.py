"""From a model and a split to scores: `examine` runs the model on every image once, `evaluate` scores what it
says, and lets others look on, for pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dsg.config import Config
from dsg.datasets import Dataset, ImageRecord, ambiguous, annotated_pairs
from dsg.errors import UserError
from dsg.metrics.box_accuracy import ImageBoxes
from dsg.metrics.evaluation import Evaluator
from dsg.metrics.results import EvaluationResults
from dsg.metrics.role_iou import OBJECT, SUBJECT
from dsg.models.dsg.predictions import Prediction, Predictor, unbatch
from dsg.pipeline.bad_records import BadRecords, iterate
from dsg.pipeline.batches import evaluation_batches
from dsg.runtime.progress import Progress


@dataclass(frozen=True)
class Examined:
    """An image of a split: what is true of it and what the model says, both in pixels of the network's
    input.
    """

    index: int  # position in the split
    record: ImageRecord
    blob: np.ndarray  # float32 [H, W, 3], the network's input
    gt_boxes: np.ndarray  # float32 [G, 4]
    prediction: Prediction


Observer = Callable[[Examined, np.ndarray, np.ndarray], None]
"""Is shown each image, and the subject and object IoU of its queries, float64 [Q] each."""


def evaluate(
    model: Any,
    dataset: Dataset,
    config: Config,
    *,
    label: str = "test",
    predict: Predictor | None = None,
    observe: Observer | None = None,
    check: Callable[[], None] = lambda: None,
) -> EvaluationResults:
    """Scores of a model on a split, every image counted once; unreadable images are named in `skipped`.

    Args:
        model: a `DSG`.
        dataset: a loaded split.
        config: TEST.* and DATA.WORKERS.
        label: the start of each line of progress.
        predict: where a model is evaluated more than once.
        observe: looks on, see `Observer`.
        check: called after each batch; may raise to stop.
    """
    vocabulary = dataset.vocabulary
    evaluator = Evaluator(vocabulary.predicates, vocabulary.objects, role_conflict=config.test.role_conflict)
    bad = BadRecords()
    total = count = 0.0
    with Progress(label, len(dataset)) as progress:
        for image in examine(model, dataset, config, bad, predict):
            subject, object_ = score(evaluator, image)
            if observe is not None:
                observe(image, subject, object_)
            total, count = total + float(subject.sum() + object_.sum()), count + 2 * len(subject)
            progress.advance(text=f"IoU {total / max(count, 1):.3f}")
            check()
    for name, reason in bad.reasons.items():
        evaluator.skip(name, reason)
    return evaluator.results()


def score(evaluator: Evaluator, image: Examined) -> tuple[np.ndarray, np.ndarray]:
    """Adds an image to the evaluation; subject and object IoU of its queries, float64 [Q] each.

    Raises:
        UserError: if answers are not finite.
    """
    record, found, size = image.record, image.prediction, image.prediction.size
    original = np.array([record.width, record.height] * 2, np.float64)
    for values in (found.boxes, found.probabilities, found.entities, found.predicates):
        if values is not None and not np.isfinite(values).all():
            # Comparisons with nan would quietly give plausible, wrong numbers.
            raise UserError(
                f"{record.name}: answers are not finite: the model has diverged; use an earlier snapshot"
            )
    return evaluator.add_image(
        f"{record.name} (mirrored)" if record.flipped else record.name,
        record.queries,
        ambiguous(record),
        None,
        found.boxes.astype(np.float64) / size,
        image.gt_boxes / size,
        record.roles,
        record.subject_masks,
        record.object_masks,
        selections=(found.subjects, found.objects),
        gt_boxes_norm_rr=record.boxes / original,
        proposals_norm=found.proposals.astype(np.float64) / size,
        image_size=(float(size[0]), float(size[1])),
        answers=ImageBoxes(
            found.boxes,
            found.proposals,
            image.gt_boxes,
            np.stack([found.top(SUBJECT), found.top(OBJECT)]),
            annotated_pairs(record),
        ),
    )


def examine(
    model: Any,
    dataset: Dataset,
    config: Config,
    bad: BadRecords | None = None,
    predict: Predictor | None = None,
) -> Iterator[Examined]:
    """Every image of a split that can be read, in order, with what the model says; for the arguments see
    `evaluate`. `bad` takes note of the others.
    """
    predict = predict or Predictor(model, config)
    bad = BadRecords() if bad is None else bad
    for batch in iterate(evaluation_batches(dataset, config, bad=bad), bad):
        images, gt_boxes, gt_valid = (batch[key].numpy() for key in ("image", "gt_boxes", "gt_valid"))
        found = unbatch(batch, predict(batch), config)
        for row, (index, prediction) in enumerate(zip(batch["index"].numpy(), found)):
            width, height = prediction.size[:2].astype(int)
            blob, truth = images[row, :height, :width], gt_boxes[row][gt_valid[row]]
            yield Examined(int(index), dataset.records[index], blob, truth, prediction)
