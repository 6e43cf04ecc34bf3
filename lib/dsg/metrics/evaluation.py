"""Adding up an evaluation: every image once, every query one row, no image weighing more than its queries.

Each query is scored in two conventions side by side: 'dsg' (touched cells, a box has one role, as the release
    does) and
'rr' (inclusive cells, a box may be subject and object), so that the numbers compare with either paper's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dsg.errors import UserError
from dsg.metrics.box_accuracy import COUNTINGS, ImageBoxes, box_overlaps
from dsg.metrics.detection import RECALL_THRESHOLDS, best_overlaps, recall
from dsg.metrics.raster import MAP_SIZE
from dsg.metrics.results import Coverage, EvaluationResults, QueryColumns
from dsg.metrics.role_iou import OBJECT, SUBJECT, answer_boxes, selection_iou

ROLE_CONFLICTS = ("last_wins", "both")


def true_answers(
    roles: np.ndarray, subject_masks: np.ndarray, object_masks: np.ndarray, *, role_conflict: str
) -> tuple[np.ndarray, np.ndarray]:
    """The boxes that are right as subject and as object in the convention 'dsg', bool [..., G] each.

    Args:
        roles: int [..., G], one role a box.
        subject_masks, object_masks: bool [..., G]; a box may be in both.
        role_conflict: TEST.ROLE_CONFLICT; 'last_wins' goes by `roles`, 'both' by the masks.
    """
    if role_conflict == "both":
        return subject_masks, object_masks
    return roles == SUBJECT, roles == OBJECT


class Evaluator:
    """Collects the answers of a split and turns them into `EvaluationResults`.

    Args:
        predicates: the names of the predicates, in index order.
        entities: the names of the entity categories; only for the per-query dump.
        argmax_policy: 'always' (release) or 'if_empty' (paper), see `answer_boxes`.
        role_conflict: in the true maps of 'dsg', a box that is subject and object has the role that is
            written last ('last_wins', the release) or both ('both', the paper).
        size: cells per side of the maps.

    Example:
        >>> from dsg.metrics.report import format_table
        >>> evaluator = Evaluator(predicates=("left", "right"))
        >>> boxes = np.array([[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]])
        >>> queries, roles = np.array([[3, 0, 7]]), np.array([[SUBJECT, OBJECT]])
        >>> evaluator.add_image("a.png", queries, np.array([False]), np.eye(4)[roles], boxes, boxes, roles)
        (array([1.]), array([1.]))
        >>> print(format_table(evaluator.results()).splitlines()[0])
        1 images, 0 skipped, 1 queries
    """

    def __init__(
        self,
        predicates: Sequence[str],
        entities: Sequence[str] | None = None,
        *,
        argmax_policy: str = "always",
        role_conflict: str = "last_wins",
        size: int = MAP_SIZE,
    ) -> None:
        if role_conflict not in ROLE_CONFLICTS:
            raise ValueError(f"role_conflict must be one of {ROLE_CONFLICTS}, not {role_conflict!r}")
        self._predicates = tuple(predicates)
        self._entities = None if entities is None else tuple(entities)
        self._argmax_policy = argmax_policy
        self._role_conflict = role_conflict
        self._size = size
        self._names: dict[str, int] = {}
        self._skipped: dict[str, str] = {}
        self._queries: list[np.ndarray] = []
        self._ambiguous: list[np.ndarray] = []
        self._iou: dict[str, list[np.ndarray]] = {"dsg": [], "rr": []}  # each [2, Q]: subject, object
        self._overlaps: dict[str, list[np.ndarray]] = {"proposals": [], "refined": []}
        self._boxes: dict[str, list[np.ndarray]] = {counting: [] for counting in COUNTINGS}

    def add_image(
        self,
        name: str,
        queries: np.ndarray,
        ambiguous: np.ndarray,
        probabilities: np.ndarray | None,
        boxes_norm: np.ndarray,
        gt_boxes_norm: np.ndarray,
        gt_roles: np.ndarray,
        subject_masks: np.ndarray | None = None,
        object_masks: np.ndarray | None = None,
        *,
        selections: tuple[np.ndarray, np.ndarray] | None = None,
        gt_boxes_norm_rr: np.ndarray | None = None,
        proposals_norm: np.ndarray | None = None,
        image_size: tuple[float, float] | None = None,
        answers: ImageBoxes | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Score the queries of one image.

        Args:
            name: the image's name, unique in the split.
            queries: [Q, 3] subject category, predicate, object category.
            ambiguous: [Q] bool.
            probabilities: [Q, N, 4] class probabilities; None with `selections`.
            boxes_norm: [N, 4] refined boxes, clipped and divided by (width, height), float64.
            gt_boxes_norm: [G, 4] ground truth, divided in the same way, not clipped.
            gt_roles: [Q, G] one role per box: 0 background, 1 subject, 2 object, 3 other ('dsg').
            subject_masks, object_masks: [Q, G] bool, where a box may have both roles ('rr'); default from
                `gt_roles`.
            selections: subject and object boxes [Q, N] bool each, chosen otherwise than by class
                probabilities.
            gt_boxes_norm_rr: [G, 4] ground truth divided by the original image's size, for 'rr', whose cells
                are cut from whole pixels there; default `gt_boxes_norm`.
            proposals_norm: [P, 4] boxes of the RPN, normalised; with `image_size`, recall is measured (+1
                widths).
            image_size: (width, height) that the boxes were divided by.
            answers: the most probable boxes, for accuracies; of every image or of none.

        Returns:
            Subject and object IoU ('dsg'), each [Q] float64.

        Raises:
            ValueError: when the image was added before, or shapes disagree.
            UserError: when answers are not finite.
        """
        if name in self._names or name in self._skipped:
            raise ValueError(f"image {name!r} was evaluated before")
        queries = np.asarray(queries, np.int64).reshape(-1, 3)
        chosen = self._selections(name, probabilities, boxes_norm, selections)
        roles = np.asarray(gt_roles).reshape(len(queries), len(gt_boxes_norm))
        both = (
            roles == SUBJECT if subject_masks is None else np.asarray(subject_masks, bool),
            roles == OBJECT if object_masks is None else np.asarray(object_masks, bool),
        )
        truth = {"dsg": true_answers(roles, *both, role_conflict=self._role_conflict), "rr": both}
        gt_boxes = {
            "dsg": gt_boxes_norm,
            "rr": gt_boxes_norm if gt_boxes_norm_rr is None else gt_boxes_norm_rr,
        }
        for convention, columns in self._iou.items():
            values = [
                selection_iou(
                    chosen[role],
                    boxes_norm,
                    truth[convention][role],
                    gt_boxes[convention],
                    raster=convention,
                    size=self._size,
                )
                for role in (0, 1)
            ]
            columns.append(np.stack(values))
        if proposals_norm is not None:
            self._add_overlaps(proposals_norm, boxes_norm, gt_boxes_norm, image_size)
        if answers is not None:
            for counting, inclusive in COUNTINGS.items():
                self._boxes[counting].append(box_overlaps(answers, inclusive=inclusive))
        self._names[name] = len(self._names)
        self._queries.append(queries)
        self._ambiguous.append(np.asarray(ambiguous, bool).reshape(len(queries)))
        subject, object_ = self._iou["dsg"][-1]
        return subject, object_

    def skip(self, name: str, reason: str) -> None:
        """Count an image that could not be evaluated, with the reason.

        Raises:
            ValueError: when the image was added or skipped before.
        """
        if name in self._names or name in self._skipped:
            raise ValueError(f"image {name!r} was evaluated before")
        self._skipped[name] = reason

    def results(self) -> EvaluationResults:
        """What was found so far."""
        counts = [len(queries) for queries in self._queries]
        iou = {
            convention: np.concatenate([np.zeros((2, 0)), *columns], axis=1)
            for convention, columns in self._iou.items()
        }
        columns = QueryColumns(
            image=np.repeat(np.arange(len(counts)), counts),
            query=np.concatenate([np.zeros((0, 3), np.int64), *self._queries]),
            ambiguous=np.concatenate([np.zeros(0, bool), *self._ambiguous]),
            iou={convention: (values[0], values[1]) for convention, values in iou.items()},
            boxes={name: np.concatenate(found, axis=2) for name, found in self._boxes.items() if found},
        )
        return EvaluationResults(
            predicates=self._predicates,
            entities=self._entities,
            image_names=tuple(self._names),
            columns=columns,
            gt_boxes=sum(map(len, self._overlaps["proposals"])),
            proposals=_coverage(self._overlaps["proposals"]),
            refined=_coverage(self._overlaps["refined"]),
            skipped=dict(self._skipped),
        )

    def _selections(
        self,
        name: str,
        probabilities: np.ndarray | None,
        boxes_norm: np.ndarray,
        selections: tuple[np.ndarray, np.ndarray] | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The boxes that answer each query, subject and object, [Q, N] bool each."""
        if (probabilities is None) == (selections is None):
            raise ValueError("give either probabilities or selections")
        if not np.isfinite(boxes_norm).all() or (
            probabilities is not None and not np.isfinite(probabilities).all()
        ):
            # Comparisons with nan would quietly give plausible, wrong numbers.
            raise UserError(
                f"{name}: answers are not finite: the model has diverged; use an earlier snapshot"
            )
        if selections is not None:
            return np.asarray(selections[0], bool), np.asarray(selections[1], bool)
        assert probabilities is not None
        subject, object_ = (
            answer_boxes(probabilities, role, argmax_policy=self._argmax_policy) for role in (SUBJECT, OBJECT)
        )
        return subject, object_

    def _add_overlaps(
        self,
        proposals_norm: np.ndarray,
        boxes_norm: np.ndarray,
        gt_boxes_norm: np.ndarray,
        image_size: tuple[float, float] | None,
    ) -> None:
        if image_size is None:
            raise ValueError("recall needs image_size, because overlaps count pixels")
        scale = np.array([*image_size, *image_size], np.float64)
        truth = gt_boxes_norm * scale
        self._overlaps["proposals"].append(best_overlaps(proposals_norm * scale, truth))
        self._overlaps["refined"].append(best_overlaps(boxes_norm * scale, truth))


def _coverage(overlaps: list[np.ndarray]) -> Coverage | None:
    if not overlaps:
        return None
    values = np.concatenate(overlaps)
    mean = float(values.mean()) if len(values) else float("nan")
    return Coverage({threshold: recall(values, threshold) for threshold in RECALL_THRESHOLDS}, mean)
