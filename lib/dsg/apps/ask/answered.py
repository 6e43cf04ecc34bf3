"""Scenes and what a model answers about them: compared with the truth where it is known, drawn, as a table
and as JSON.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dsg.apps.ask.scenes import Scene
from dsg.datasets import ImageRecord, Vocabulary, ambiguous
from dsg.errors import UserError
from dsg.metrics.evaluation import true_answers
from dsg.metrics.role_iou import OBJECT, SUBJECT, selection_iou
from dsg.models.dsg.predictions import Prediction
from dsg.models.dsg.query_words import spoken
from dsg.models.dsg.trained import Trained
from dsg.runtime.files import write_text
from dsg.visualize.answers import Answer, draw_answers
from dsg.visualize.canvas import save_png
from dsg.visualize.graph_picture import draw_scene_graph

AMBIGUOUS = "ambiguous"


class Answered(NamedTuple):
    """One image's answers."""

    name: str
    answers: list[Answer]  # one per query
    json: dict[str, Any]


def answer_scenes(
    trained: Trained, scenes: Iterable[Scene], folder: Path | None, *, traced: bool
) -> list[Answered]:
    """Ask about every scene; pictures, scene graphs (picture, JSON, DOT) and answers.json go to `folder`.

    Args:
        trained: the model.
        scenes: read as they come, so that many do not fill the memory.
        folder: exists; None writes nothing.
        traced: there are enough scenes for it to pay, see `Trained.ask`.
    """
    results = []
    for scene, found in _answered(trained, scenes, traced):
        answers = compare(scene, found, trained.vocabulary, trained.config.test.role_conflict)
        graph = write_pictures(folder, scene, found, answers, trained.vocabulary) if folder else None
        entry = {**_as_json(scene, found, answers), "graph": graph}
        results.append(Answered(scene.name, answers, entry))
    if folder is not None:
        write_text(folder / "answers.json", json.dumps([one.json for one in results], indent=1))
    return results


def make_folder(folder: Path, option: str) -> None:
    """Make the folder that `option` names.

    Raises:
        UserError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be created ({error.strerror or error}); give {option} DIR"
        ) from error


@contextlib.contextmanager
def output_folder(folder: Path | None, option: str) -> Iterator[None]:
    """`make_folder`, if there is one to make; what is still empty at the end, and was made here, is removed.

    Raises:
        UserError: it cannot be made.
    """
    if folder is None:
        yield
        return
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    make_folder(folder, option)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # not empty
            for path in made:
                path.rmdir()


def compare(scene: Scene, found: Prediction, vocabulary: Vocabulary, role_conflict: str) -> list[Answer]:
    """Each query's answer; with the truth and the IoU (convention 'dsg') where it is annotated.

    `role_conflict` is TEST.ROLE_CONFLICT: what a box that is subject and object counts as.
    """
    answers = []
    for index, query in enumerate(scene.queries):
        truth: dict[str, Any] = {}
        if scene.record is not None:
            truth = _truth(scene.record, query, found, index, role_conflict)
        subject, object_ = found.subject_boxes(index), found.object_boxes(index)
        subject_name, object_name = (vocabulary.objects[query[slot]] for slot in (0, 2))
        words = (subject_name, vocabulary.predicates[query[1]], object_name)
        answers.append(Answer(words, pred_subject=subject, pred_object=object_, **truth))
    return answers


def write_pictures(
    output: Path, scene: Scene, found: Prediction, answers: Sequence[Answer], vocabulary: Vocabulary
) -> str | None:
    """`<name>_answers.png` if something is asked; `<name>_graph` as PNG, JSON and DOT if one is decoded.

    Returns:
        The name of the JSON file.
    """
    picture = scene.image[:, :, ::-1].copy()
    if answers:
        save_png(draw_answers(picture, answers), output / f"{scene.name}_answers.png")
    graph = found.scene_graph(vocabulary)
    if graph is None:
        return None
    save_png(draw_scene_graph(picture, graph), output / f"{scene.name}_graph.png")
    write_text(output / f"{scene.name}_graph.json", json.dumps(graph.to_json(), indent=1))
    write_text(output / f"{scene.name}_graph.dot", graph.to_dot())
    return f"{scene.name}_graph.json"


def table(results: Sequence[Answered]) -> list[str]:
    """Lines of text: a row for every query about the image of that name.

    It has the IoU of subject and object, or their boxes.
    """
    answers = [(result.name, one) for result in results for one in result.answers]
    if not answers:
        return []
    scored = [one for _, one in answers if one.subject_iou is not None]
    unit = " IoU" if scored else ""
    rows = [("image", "query", f"subject{unit}", f"object{unit}")]
    for name, one in answers:
        mark = " *" if one.note == AMBIGUOUS else ""
        subject, object_ = _value(one.subject_iou, one.pred_subject), _value(one.object_iou, one.pred_object)
        rows.append((name, ", ".join(map(spoken, one.query)) + mark, subject, object_))
    if len(scored) > 1:
        subject, object_ = (
            f"{np.mean([getattr(one, f'{role}_iou') for one in scored]):.2f}"
            for role in ("subject", "object")
        )
        rows.append(("", f"mean of {len(scored)} queries", subject, object_))
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    if any(one.note == AMBIGUOUS for one in scored):
        lines.append(
            "* ambiguous: the image has another entity of the subject's or object's category, so the "
            "relation decides"
        )
    return lines


def _truth(
    record: ImageRecord, query: np.ndarray, found: Prediction, index: int, role_conflict: str
) -> dict[str, Any]:
    """The fields of `Answer` that ground truth gives; none where the query is not annotated."""
    rows = np.flatnonzero((record.queries == query).all(axis=1))
    if not len(rows):
        return {}
    row = int(rows[0])
    size = np.array([record.width, record.height] * 2, np.float64)
    masks = record.subject_masks[row], record.object_masks[row]
    true = true_answers(record.roles[row], *masks, role_conflict=role_conflict)
    subject_iou, object_iou = (
        selection_iou(selected[index : index + 1], found.boxes / size, right[None], record.boxes / size)[0]
        for right, selected in zip(true, (found.subjects, found.objects))
    )
    return {
        "gt_subject": record.boxes[true[0]],
        "gt_object": record.boxes[true[1]],
        "subject_iou": float(subject_iou),
        "object_iou": float(object_iou),
        "note": AMBIGUOUS if ambiguous(record)[row] else "",
    }


def _value(iou: float | None, boxes: np.ndarray) -> str:
    if iou is not None:
        return f"{iou:.2f}"
    return " ".join(f"[{' '.join(f'{side:.0f}' for side in box)}]" for box in boxes) or "nothing"


def _answered(trained: Trained, scenes: Iterable[Scene], traced: bool) -> Iterator[tuple[Scene, Prediction]]:
    """Scenes with what the model says, no more of them in memory than are answered at a time."""
    left = iter(scenes)
    while several := list(itertools.islice(left, trained.config.test.ims_per_batch)):
        pixels, queries = [scene.image for scene in several], [scene.queries for scene in several]
        yield from zip(several, trained.ask(pixels, queries, traced=traced))


def _as_json(scene: Scene, found: Prediction, answers: Sequence[Answer]) -> dict[str, Any]:
    """Plain data: boxes are x1 y1 x2 y2 in pixels of the image as it is seen, most probable first."""
    height, width = scene.image.shape[:2]
    entries = [
        {
            "query": list(one.query),
            "subject": np.round(one.pred_subject, 2).tolist(),
            "subject_scores": _scores(found, index, SUBJECT),
            "object": np.round(one.pred_object, 2).tolist(),
            "object_scores": _scores(found, index, OBJECT),
            "subject_iou": one.subject_iou,
            "object_iou": one.object_iou,
        }
        for index, one in enumerate(answers)
    ]
    return {
        "image": scene.name,
        "file": scene.file,
        "width": width,
        "height": height,
        "answers": entries,
    }


def _scores(found: Prediction, query: int, role: int) -> list[float]:
    """The probability that each box of an answer has that role, in the boxes' order."""
    chosen = found.likelihood(query, role)[found.best_first(query, role)]
    return [round(float(score), 4) for score in chosen]
