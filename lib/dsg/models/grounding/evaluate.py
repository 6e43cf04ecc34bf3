"""From a grounded model and a split to recall, and to how good its masks are: every image once, with others
looking on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dsg.config import Config
from dsg.config.grounding import SGDET
from dsg.datasets.formats.vg150 import GraphImage
from dsg.datasets.scene_graphs import GraphDataset, graphs_of
from dsg.errors import UserError
from dsg.metrics.coco_ap import CocoResult, coco_ap
from dsg.metrics.graph_recall import GraphPrediction, GraphRecall, GraphTruth
from dsg.metrics.graph_results import GraphResults
from dsg.models.detector.evaluate import Examined, compared
from dsg.models.grounding.grounded import GroundedImage
from dsg.models.grounding.mask_overlaps import OverlapMeter
from dsg.models.grounding.mask_predictor import MaskPredictor
from dsg.models.grounding.predictor import GroundedPredictor
from dsg.pipeline.bad_records import BadRecords, iterate
from dsg.pipeline.graph_batches import graph_evaluation_batches, mask_evaluation_batches
from dsg.runtime.progress import Progress


@dataclass(frozen=True, eq=False)
class ExaminedGraph:
    """An image of a split with what the model says of it, in pixels of the original image."""

    index: int  # position in the split
    record: GraphImage
    said: GroundedImage


Observer = Callable[[ExaminedGraph], None]


def evaluate(
    dataset: GraphDataset,
    config: Config,
    predict: GroundedPredictor,
    *,
    label: str = "test",
    masks: MaskPredictor | None = None,
    overlaps: OverlapMeter | None = None,
    observe: Observer = lambda image: None,
    check: Callable[[], None] = lambda: None,
) -> GraphResults:
    """Recall on a split, every image counted once; unreadable images are named in `skipped`.

    Args:
        dataset: a loaded split.
        config: TEST.*, DATA.WORKERS.
        predict: of the model.
        label: the start of each line of progress.
        masks: measures masks on the images of the data set's auxiliary split, with COCO's code.
        overlaps: measures masks of boxes that are given, against the true ones.
        observe: is shown each image.
        check: called after each image; may raise to stop.

    Raises:
        UserError: the model has diverged; pycocotools is missing and masks are measured.
    """
    records, vocabulary = graphs_of(dataset), dataset.vocabulary
    recall = GraphRecall(len(vocabulary.predicates), dataset.zero_shot)
    bad, counts = BadRecords(), np.zeros(len(vocabulary.predicates), np.int64)
    with Progress(label, len(dataset)) as progress:
        for batch in iterate(graph_evaluation_batches(dataset, config, bad=bad), bad):
            for index, said in zip(np.asarray(batch["index"]).tolist(), predict(batch)):
                image = ExaminedGraph(index, records[index], said)
                _check_finite(image)
                found = prediction_of(said)
                if predict.setting != SGDET:
                    found = found._replace(boxes=image.record.boxes)  # as annotated, uncut
                recall.add_image(found, truth_of(image.record))
                counts += np.bincount(image.record.relations[:, 2], minlength=len(counts))
                if overlaps is not None and predict.setting != SGDET:
                    overlaps.add_image(image.record, said)
                observe(image)
                progress.advance()
                check()
    plain, refined = (None, None) if masks is None else mask_aps(dataset, config, masks, check=check)
    return GraphResults(
        *(predict.setting, len(recall.images), int(counts.sum()), recall.results()),
        *(vocabulary.predicates, counts, plain, refined),
        overlaps=None if overlaps is None or predict.setting == SGDET else overlaps.results(),
        skipped=dict(bad.reasons),
    )


def mask_aps(
    dataset: GraphDataset,
    config: Config,
    predict: MaskPredictor,
    *,
    check: Callable[[], None] = lambda: None,
) -> tuple[CocoResult | None, CocoResult | None]:
    """COCO's figures of the masks of the auxiliary images: before refinement and after; None where there are
    no images, or where refinement was not learned.
    """
    if dataset.auxiliary is None:
        return None, None
    records, bad, found = dataset.auxiliary.records, BadRecords(), []
    with Progress("masks", len(records)) as progress:
        for batch in iterate(mask_evaluation_batches(dataset, config, bad=bad), bad):
            for index, said in zip(np.asarray(batch["index"]).tolist(), predict(batch)):
                pairs = [
                    compared(Examined(index, records[index], detected), masks=True)
                    for detected in said
                    if detected is not None
                ]
                found.append(pairs)
                progress.advance()
                check()
    if not found:
        return None, None
    plain, *refined = (
        coco_ap([one.truth for one in column], [one.found for one in column], masks=True)
        for column in zip(*found)
    )
    return plain, refined[0] if refined else None


def truth_of(record: GraphImage) -> GraphTruth:
    """The annotated graph of an image, as the metrics take it."""
    return GraphTruth(record.boxes, record.labels, record.relations)


def prediction_of(said: GroundedImage) -> GraphPrediction:
    """What a model says of an image, as the metrics take it."""
    graph = said.graph
    return GraphPrediction(graph.boxes, graph.labels, graph.scores, graph.pairs, graph.probabilities)


def _check_finite(image: ExaminedGraph) -> None:
    graph = image.said.graph
    if not np.isfinite(graph.triple_scores).all() or not np.isfinite(graph.boxes).all():
        raise UserError(
            f"{image.record.name}: the graph is not finite: the model has diverged; use an earlier snapshot"
        )
