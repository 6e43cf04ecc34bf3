"""From a model and a split to scores: every image is answered once, and each answer is handed on as arrays.

`answers` runs the model and undoes the batch's padding; `evaluate` scores what comes out, and lets others
look on, for pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.config import Config
from dsg.datasets import Dataset, ImageRecord, ambiguous
from dsg.errors import UserError
from dsg.metrics.evaluation import Evaluator
from dsg.metrics.results import EvaluationResults
from dsg.models.dsg.answer_sets import answer_sets
from dsg.models.dsg.outputs import Predictions
from dsg.pipeline.bad_records import BadRecords, iterate
from dsg.pipeline.batches import batch_spec, evaluation_batches
from dsg.runtime.progress import Progress

INPUTS = ("image", "image_size", "queries", "query_valid")  # all that answering reads, but for
GROUND_TRUTH = ("gt_boxes", "gt_valid")  # with TRAIN.USE_GT, in place of proposals


@dataclass(frozen=True)
class ImageAnswer:
    """The answer to all queries of one image: N proposals, no padding, boxes in network pixels."""

    record: ImageRecord
    blob: np.ndarray  # float32 [H, W, 3], the network's input
    boxes: np.ndarray  # float32 [N, 4], refined
    proposals: np.ndarray  # float32 [N, 4]
    gt_boxes: np.ndarray  # float32 [G, 4]
    subjects: np.ndarray  # bool [Q, N]: boxes that answer each query as its subject
    objects: np.ndarray  # bool [Q, N]
    probabilities: np.ndarray | None  # float32 [Q, N, 4]; None with RR_SOURCE symbolic
    entities: np.ndarray | None  # float32 [N, E]
    predicates: np.ndarray | None  # float32 [N, N, R]
    node_weights: np.ndarray | None  # float32 [N]

    @property
    def size(self) -> np.ndarray:
        """float32 [4]: width, height, width, height of the network's input."""
        height, width = self.blob.shape[:2]
        return np.array([width, height, width, height], np.float32)


Predict = Callable[[dict[str, tf.Tensor]], Predictions]
"""Takes the keys `inputs` of a batch."""

Observer = Callable[[int, ImageAnswer, np.ndarray, np.ndarray], None]
"""Is shown each image's position, its answer, and the subject and object IoU of its queries."""


def evaluate(
    model: Any,
    dataset: Dataset,
    config: Config,
    *,
    label: str = "test",
    predict: Predict | None = None,
    observe: Observer | None = None,
    check: Callable[[], None] = lambda: None,
) -> EvaluationResults:
    """Scores of a model on a split, every image counted once; unreadable images are named in `skipped`.

    Args:
        model: a `DSG`.
        dataset: a loaded split.
        config: TEST.* and DATA.WORKERS.
        label: the start of each line of progress.
        predict: from `prediction_function`, where a model is evaluated more than once.
        observe: looks on, see `Observer`.
        check: called after each batch; may raise to stop.
    """
    vocabulary = dataset.vocabulary
    evaluator = Evaluator(vocabulary.predicates, vocabulary.objects, role_conflict=config.test.role_conflict)
    bad = BadRecords()
    total = count = 0.0
    with Progress(label, len(dataset)) as progress:
        for index, answer in answers(predict or prediction_function(model, config), dataset, config, bad):
            subject, object_ = score(evaluator, answer)
            if observe is not None:
                observe(index, answer, subject, object_)
            total, count = total + float(subject.sum() + object_.sum()), count + 2 * len(subject)
            progress.advance(text=f"IoU {total / max(count, 1):.3f}")
            check()
    for name, reason in bad.reasons.items():
        evaluator.skip(name, reason)
    return evaluator.results()


def score(evaluator: Evaluator, answer: ImageAnswer) -> tuple[np.ndarray, np.ndarray]:
    """Adds an image to the evaluation; subject and object IoU of its queries, float64 [Q] each.

    Raises:
        UserError: where answers are not finite.
    """
    record, size = answer.record, answer.size
    original = np.array([record.width, record.height] * 2, np.float64)
    for values in (answer.boxes, answer.probabilities, answer.entities, answer.predicates):
        if values is not None and not np.isfinite(values).all():
            # Comparisons with nan would quietly give plausible, wrong numbers.
            raise UserError(
                f"{record.name}: answers are not finite: the model has diverged; take an earlier snapshot"
            )
    return evaluator.add_image(
        f"{record.name} (mirrored)" if record.flipped else record.name,
        record.queries,
        ambiguous(record),
        None,
        answer.boxes.astype(np.float64) / size,
        answer.gt_boxes / size,
        record.roles,
        record.subject_masks,
        record.object_masks,
        selections=(answer.subjects, answer.objects),
        gt_boxes_norm_rr=record.boxes / original,
        proposals_norm=answer.proposals.astype(np.float64) / size,
        image_size=(float(size[0]), float(size[1])),
    )


def answers(
    predict: Predict, dataset: Dataset, config: Config, bad: BadRecords
) -> Iterator[tuple[int, ImageAnswer]]:
    """Position and answer of every image that can be read, in the order of the data set."""
    for batch in iterate(evaluation_batches(dataset, config, bad=bad), bad):
        predictions = predict({key: batch[key] for key in inputs(config)})
        arrays = Predictions(*(None if value is None else value.numpy() for value in predictions))
        images, sizes = batch["image"].numpy(), batch["image_size"].numpy().astype(int)
        gt_boxes, indices = batch["gt_boxes"].numpy(), batch["index"].numpy()
        for row, index in enumerate(indices):
            record = dataset.records[index]
            height, width = sizes[row]
            blob = images[row, :height, :width]
            yield int(index), _answer(record, blob, gt_boxes[row, : len(record.boxes)], arrays, row, config)


def inputs(config: Config) -> tuple[str, ...]:
    """Keys of a batch that answering reads."""
    return (*INPUTS, *GROUND_TRUTH) if config.train.use_gt else INPUTS


def prediction_function(model: Any, config: Config) -> Predict:
    """`model.predict_roles` as a function that is traced once, for batches of TEST.IMS_PER_BATCH images."""
    spec = batch_spec(config, ground_truth=config.train.use_gt, targets=False)
    alone = config.test.ims_per_batch == 1
    signature = {
        key: tf.TensorSpec([1 if alone else None, *spec[key].shape[1:]], spec[key].dtype, key)
        for key in inputs(config)
    }
    return tf.function(model.predict_roles, input_signature=[signature], autograph=False)


def _answer(
    record: ImageRecord,
    blob: np.ndarray,
    gt_boxes: np.ndarray,
    predictions: Predictions,
    row: int,
    config: Config,
) -> ImageAnswer:
    """One image's part of a batch, without proposals and queries that only pad it."""
    valid = predictions.valid[row]
    entities, predicates = predictions.entity_probabilities, predictions.predicate_probabilities
    weights, roles = predictions.node_weights, predictions.role_probabilities
    roles = None if roles is None else roles[row, : len(record.queries)][:, valid]
    entities = None if entities is None else entities[row][valid]
    predicates = None if predicates is None else predicates[row][valid][:, valid]
    subjects, objects = answer_sets(record.queries, roles, entities, predicates, config)
    return ImageAnswer(
        record=record,
        blob=blob,
        boxes=predictions.boxes[row][valid],
        proposals=predictions.proposals[row][valid],
        gt_boxes=gt_boxes,
        subjects=subjects,
        objects=objects,
        probabilities=roles,
        entities=entities,
        predicates=predicates,
        node_weights=None if weights is None else weights[row][valid],
    )
