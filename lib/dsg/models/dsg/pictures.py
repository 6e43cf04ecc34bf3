"""The pictures of a test: some answers to the queries of an image, and its scene graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dsg.datasets import Vocabulary, ambiguous
from dsg.metrics.evaluation import true_answers
from dsg.models.dsg.evaluate import Examined
from dsg.models.shown import chosen_queries, query_words
from dsg.visualize.answers import Answer, draw_answers
from dsg.visualize.graph_picture import draw_scene_graph
from dsg.visualize.proposals import blob_to_rgb
from dsg.visualize.scene_graph import SceneGraph


def answer_page(
    image: Examined,
    vocabulary: Vocabulary,
    pixel_means: Sequence[float],
    subject_iou: np.ndarray,
    object_iou: np.ndarray,
    role_conflict: str = "last_wins",
) -> np.ndarray:
    """Some of an image's queries, one panel each: true and predicted boxes, uint8 [H, W, 3] RGB."""
    flags = ambiguous(image.record)
    shown = [
        panel(
            image,
            vocabulary,
            index,
            (subject_iou[index], object_iou[index]),
            "ambiguous" if flags[index] else "",
            role_conflict,
        )
        for index in chosen_queries(flags)
    ]
    return draw_answers(blob_to_rgb(image.blob, pixel_means), shown)


def panel(
    image: Examined,
    vocabulary: Vocabulary,
    query: int,
    iou: tuple[float, float],
    note: str = "",
    role_conflict: str = "last_wins",
) -> Answer:
    """What is drawn of the answer to one query.

    Args:
        image: with the answers to all its queries.
        vocabulary: the words of the queries.
        query: position of the query.
        iou: of its subject and its object.
        note: beside the query.
        role_conflict: TEST.ROLE_CONFLICT, so that the true boxes are those which the IoU was taken with.
    """
    record, found = image.record, image.prediction
    subjects, objects = true_answers(
        record.roles[query],
        record.subject_masks[query],
        record.object_masks[query],
        role_conflict=role_conflict,
    )
    return Answer(
        query=query_words(record.queries[query], vocabulary),
        gt_subject=image.gt_boxes[subjects],
        gt_object=image.gt_boxes[objects],
        pred_subject=found.boxes[found.subjects[query]],
        pred_object=found.boxes[found.objects[query]],
        subject_iou=float(iou[0]),
        object_iou=float(iou[1]),
        note=note,
    )


def graph_page(image: Examined, graph: SceneGraph, pixel_means: Sequence[float]) -> np.ndarray:
    """The image with its scene graph, uint8 [H, W, 3] RGB."""
    return draw_scene_graph(blob_to_rgb(image.blob, pixel_means), graph)
