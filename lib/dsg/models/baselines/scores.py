"""How good maps are: every measure of the referring-relationships paper, in both conventions of drawing
boxes.

`rr` is the paper's: cells of either end included, a box may be subject and object, relations of a thing to
itself are asked. `dsg` compares the same maps with what the scene graph is compared with: touched cells,
no relation to itself (nan), and one role for each box unless TEST.ROLE_CONFLICT says both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dsg.datasets import ImageRecord, ambiguous, annotated_pairs
from dsg.datasets.records import OBJECT, SUBJECT
from dsg.errors import UserError
from dsg.metrics.evaluation import true_answers
from dsg.metrics.maps import THRESHOLDS, map_metrics
from dsg.metrics.raster import MAP_SIZE, RASTERS, boxes_to_mask, union_masks
from dsg.metrics.results import EvaluationResults, Mean, QueryColumns

THRESHOLD = 0.5  # the published one
REMAINDER = 16  # samples of a batch in the release's evaluation
ROLES = ("subject", "object")


@dataclass(frozen=True)
class MapResults(EvaluationResults):
    """`EvaluationResults` at threshold 0.5, and all other measures."""

    # convention -> measure -> subject [S], object [S], float64; nan where the convention does not ask the
    # query
    measures: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = field(default_factory=dict)
    losses: tuple[np.ndarray, np.ndarray] = (np.zeros(0), np.zeros(0))  # subject [S], object [S]
    select: str = "iou"

    @property
    def loss(self) -> float:
        """Subject and object loss together, mean over the queries; nan without any."""
        subject, object_ = (Mean.of(values).mean for values in self.losses)
        return subject + object_

    @property
    def score(self) -> float:
        """What snapshots are compared by: less loss, or more IoU."""
        return -self.loss if self.select == "loss" else super().score

    def measure(self, convention: str, name: str, ambiguous: bool | None = None) -> tuple[Mean, Mean]:
        """Means of a measure of `map_metrics` over ambiguous (True), unambiguous (False) or all (None)
        queries.
        """
        means = []
        for values in self.measures[convention][name]:
            chosen = ~np.isnan(values)
            if ambiguous is not None:
                chosen &= self.columns.ambiguous == ambiguous
            means.append(Mean.of(values[chosen]))
        return means[0], means[1]

    def summary(self) -> dict[str, float]:
        """The headline figures in a flat dictionary, for logs and curves."""
        figures = {**super().summary(), "loss": self.loss}
        for name in self.measures["rr"]:
            for role, mean in zip(ROLES, self.measure("rr", name)):
                figures[f"rr_{role}_{name}"] = mean.mean
        return {key: value for key, value in figures.items() if not np.isnan(value)}

    def to_json(self) -> dict[str, Any]:
        """As in `EvaluationResults`, with `loss` and `maps`: convention, measure, set of queries, role."""
        sets = {"all": None, "ambiguous": True, "unambiguous": False}
        maps = {
            convention: {
                name: {
                    label: {
                        role: {"mean": _known(mean.mean), "stderr": _known(mean.stderr)}
                        for role, mean in zip(ROLES, self.measure(convention, name, flag))
                    }
                    for label, flag in sets.items()
                }
                for name in measures
            }
            for convention, measures in self.measures.items()
        }
        return {**super().to_json(), "loss": _known(self.loss), "maps": maps}


class MapEvaluator:
    """Collects the maps of a split and turns them into `MapResults`.

    Args:
        predicates, entities: names in index order.
        select: 'loss' or 'iou', see `MapResults.score`.
        drop_remainder: leave out the last queries that do not fill a batch of 16.
        role_conflict: TEST.ROLE_CONFLICT, see `true_maps`.
    """

    def __init__(
        self,
        predicates: tuple[str, ...],
        entities: tuple[str, ...],
        *,
        select: str = "iou",
        drop_remainder: bool = False,
        role_conflict: str = "last_wins",
    ) -> None:
        self._predicates, self._entities = predicates, entities
        self._select, self._drop_remainder = select, drop_remainder
        self._role_conflict = role_conflict
        self._names: list[str] = []
        self._skipped: dict[str, str] = {}
        self._queries: list[np.ndarray] = []
        self._ambiguous: list[np.ndarray] = []
        self._losses: list[np.ndarray] = []  # [2, Q] each
        self._values: dict[str, list[dict[str, np.ndarray]]] = {raster: [] for raster in RASTERS}

    def add_image(
        self, record: ImageRecord, maps: tuple[np.ndarray, np.ndarray], losses: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Score the queries of one image.

        Args:
            record: of the image.
            maps: subject and object maps, [Q, 196] each, in [0, 1).
            losses: subject and object loss, [Q] each.

        Returns:
            Subject and object IoU at threshold 0.5 in `rr`, float64 [Q] each.

        Raises:
            UserError: when maps are not finite.
        """
        if not all(np.isfinite(one).all() for one in maps):
            raise UserError(
                f"{record.name}: maps are not finite: the model has diverged; use an earlier snapshot"
            )
        for raster in RASTERS:
            truths = true_maps(record, raster, role_conflict=self._role_conflict)
            per_role = [map_metrics(truth, found) for truth, found in zip(truths, maps)]
            unasked = ~asked(record, raster)
            values = {name: np.stack([one[name] for one in per_role]) for name in per_role[0]}
            for one in values.values():
                one[:, unasked] = np.nan
            self._values[raster].append(values)
        self._names.append(f"{record.name} (mirrored)" if record.flipped else record.name)
        self._queries.append(np.asarray(record.queries, np.int64))
        self._ambiguous.append(ambiguous(record))
        self._losses.append(np.stack(losses).astype(np.float64))
        subject, object_ = self._values["rr"][-1][f"iou_{THRESHOLD}"]
        return subject, object_

    def skip(self, name: str, reason: str) -> None:
        """Count an image that could not be evaluated, with the reason."""
        self._skipped[name] = reason

    def results(self) -> MapResults:
        """What was found so far."""
        counts = [len(queries) for queries in self._queries]
        kept = sum(counts)
        if self._drop_remainder:
            kept -= kept % REMAINDER
        measures = {
            raster: {name: _pair(np.concatenate([one[name] for one in found], 1), kept) for name in found[0]}
            if found
            else {name: (np.zeros(0), np.zeros(0)) for name in _measure_names()}
            for raster, found in self._values.items()
        }
        columns = QueryColumns(
            image=np.repeat(np.arange(len(counts)), counts)[:kept],
            query=np.concatenate([np.zeros((0, 3), np.int64), *self._queries])[:kept],
            ambiguous=np.concatenate([np.zeros(0, bool), *self._ambiguous])[:kept],
            iou={raster: found[f"iou_{THRESHOLD}"] for raster, found in measures.items()},
        )
        return MapResults(
            predicates=self._predicates,
            entities=self._entities,
            image_names=tuple(self._names),
            columns=columns,
            gt_boxes=0,
            proposals=None,
            refined=None,
            skipped=dict(self._skipped),
            measures=measures,
            losses=_pair(np.concatenate([np.zeros((2, 0)), *self._losses], 1), kept),
            select=self._select,
        )


def asked(record: ImageRecord, raster: str) -> np.ndarray:
    """Which queries a convention asks, bool [Q]: in `dsg` not those that only relate things to themselves."""
    if raster == "rr":
        return np.ones(len(record.queries), bool)
    return np.asarray(((record.roles == SUBJECT) | (record.roles == OBJECT)).any(axis=1))


def true_maps(
    record: ImageRecord, raster: str, *, role_conflict: str = "last_wins"
) -> tuple[np.ndarray, np.ndarray]:
    """Subject and object maps of a convention, bool [Q, 196] each.

    `role_conflict` is TEST.ROLE_CONFLICT, which concerns `dsg` alone: whether a box that is subject and
    object of a query has the role that is written last ('last_wins', the release) or both ('both', the
    paper).
    """
    size = np.array([record.width, record.height] * 2, np.float64)
    masks = boxes_to_mask(record.boxes / size, MAP_SIZE, raster)
    chosen = (record.subject_masks, record.object_masks)
    if raster == "dsg":
        chosen = true_answers(record.roles, *_of_different(record), role_conflict=role_conflict)
    subject, object_ = (union_masks(one, masks).reshape(len(one), MAP_SIZE**2) for one in chosen)
    return subject, object_


def _of_different(record: ImageRecord) -> tuple[np.ndarray, np.ndarray]:
    """The record's subject and object masks, bool [Q, G], without relations of a thing to itself."""
    query, subjects, objects = annotated_pairs(record).T
    subject, object_ = (np.zeros((len(record.queries), len(record.boxes)), bool) for _ in range(2))
    subject[query, subjects] = object_[query, objects] = True
    return subject, object_


def _measure_names() -> list[str]:
    nothing = np.zeros((0, MAP_SIZE**2))
    return list(map_metrics(nothing, nothing, THRESHOLDS))


def _pair(values: np.ndarray, kept: int) -> tuple[np.ndarray, np.ndarray]:
    return values[0, :kept], values[1, :kept]


def _known(value: float) -> float | None:
    """JSON knows no nan."""
    return None if np.isnan(value) else value
