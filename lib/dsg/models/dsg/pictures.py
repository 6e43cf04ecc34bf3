"""The pictures of a test: some answers to the queries of an image, and its scene graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dsg.datasets import Vocabulary, ambiguous
from dsg.metrics.evaluation import true_answers
from dsg.models.dsg.evaluate import ImageAnswer
from dsg.models.shown import chosen_queries, query_words
from dsg.visualize.answers import Answer, draw_answers
from dsg.visualize.graph_picture import draw_scene_graph
from dsg.visualize.proposals import blob_to_rgb
from dsg.visualize.scene_graph import SceneGraph, decode_scene_graph


def answer_page(
    answer: ImageAnswer,
    vocabulary: Vocabulary,
    pixel_means: Sequence[float],
    subject_iou: np.ndarray,
    object_iou: np.ndarray,
    role_conflict: str = "last_wins",
) -> np.ndarray:
    """Some of an image's queries, one panel each: true and predicted boxes, uint8 [H, W, 3] RGB."""
    flags = ambiguous(answer.record)
    shown = [
        panel(
            answer,
            vocabulary,
            index,
            (subject_iou[index], object_iou[index]),
            "ambiguous" if flags[index] else "",
            role_conflict,
        )
        for index in chosen_queries(flags)
    ]
    return draw_answers(blob_to_rgb(answer.blob, pixel_means), shown)


def panel(
    answer: ImageAnswer,
    vocabulary: Vocabulary,
    query: int,
    iou: tuple[float, float],
    note: str = "",
    role_conflict: str = "last_wins",
) -> Answer:
    """What is drawn of the answer to one query.

    Args:
        answer: to all queries of the image.
        vocabulary: its words.
        query: position of the query.
        iou: of its subject and its object.
        note: beside the query.
        role_conflict: TEST.ROLE_CONFLICT, so that the true boxes are those which the IoU was taken with.
    """
    record = answer.record
    subjects, objects = true_answers(
        record.roles[query],
        record.subject_masks[query],
        record.object_masks[query],
        role_conflict=role_conflict,
    )
    return Answer(
        query=query_words(record.queries[query], vocabulary),
        gt_subject=answer.gt_boxes[subjects],
        gt_object=answer.gt_boxes[objects],
        pred_subject=answer.boxes[answer.subjects[query]],
        pred_object=answer.boxes[answer.objects[query]],
        subject_iou=float(iou[0]),
        object_iou=float(iou[1]),
        note=note,
    )


def scene_graph(answer: ImageAnswer, vocabulary: Vocabulary) -> SceneGraph | None:
    """The labelled scene graph that the model decodes, or None where it was built without label heads."""
    if answer.entities is None or answer.predicates is None:
        return None
    return decode_scene_graph(
        answer.entities,
        answer.predicates,
        answer.boxes,
        entities=vocabulary.objects,
        predicates=vocabulary.predicates,
        node_weights=answer.node_weights,
    )


def graph_page(answer: ImageAnswer, graph: SceneGraph, pixel_means: Sequence[float]) -> np.ndarray:
    """The image with its scene graph, uint8 [H, W, 3] RGB."""
    return draw_scene_graph(blob_to_rgb(answer.blob, pixel_means), graph)
