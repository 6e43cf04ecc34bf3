"""The demonstration: queries about images are answered, and the answers and the decoded scene graph drawn.

By default it asks about the images of a small data set with known answers (`data/demo`), so that the IoU
stands beside each query; for images of your own, single ones or folders of them, the boxes are printed.
TensorFlow, which takes seconds to load, is loaded when what was asked has been read.
"""

from __future__ import annotations

import itertools
import json
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dsg.apps.demo.scenes import Scene, bundled_scenes, image_files, own_scenes
from dsg.datasets import ImageRecord, Vocabulary, ambiguous
from dsg.engine.snapshots import load_meta
from dsg.errors import UserError
from dsg.metrics.evaluation import true_answers
from dsg.metrics.role_iou import OBJECT, SUBJECT, selection_iou
from dsg.models.dsg.answers import Answers, Trained, answer, load_trained
from dsg.models.dsg.query_words import parse_query, spoken
from dsg.runtime.devices import parse_gpus, select_devices
from dsg.runtime.files import write_text
from dsg.visualize.answers import Answer, draw_answers
from dsg.visualize.canvas import save_png
from dsg.visualize.graph_picture import draw_scene_graph

LOG = logging.getLogger("dsg")
AMBIGUOUS = "ambiguous"


def demo(
    data: Path,
    snapshot: Path,
    output: Path,
    images: Sequence[Path] = (),
    queries: Sequence[str] = (),
    devices: str = "",
) -> None:
    """Answer queries; print a table; write pictures, scene graphs (picture, JSON, DOT) and answers.json.

    Args:
        data: a data set's folder, asked about where no images are given; its test split is used.
        snapshot: of a trained model.
        output: where the files go.
        images: files to ask about instead, or folders of them. One that cannot be read is reported, and left
            out.
        queries: in words, asked about each image; none: a choice of the annotated ones for `data`, only the
            scene graph for images.
        devices: `cpu` or a GPU's number; empty: what TensorFlow takes.

    Raises:
        UserError: something cannot be read or written, a query has unknown words, or `snapshot` was trained
            with another vocabulary than that of `data`. If some of several images cannot be read it comes
            after the others' answers.
    """
    started = time.monotonic()
    _make_folder(output)
    parse_gpus(devices or "cpu")
    meta = load_meta(snapshot)
    vocabulary = Vocabulary(tuple(meta.objects), tuple(meta.predicates))
    asked = [parse_query(text, vocabulary.objects, vocabulary.predicates) for text in queries]
    unreadable: list[str] = []
    scenes: Iterator[Scene] = iter(())
    if images:
        paths = image_files(images)
        scenes = own_scenes(paths, asked, unreadable)
    else:
        scenes = iter(bundled_scenes(data, vocabulary, asked))
    first = next(scenes, None)
    if first is None:
        raise UserError(
            unreadable[0] if len(unreadable) == 1 else f"none of {len(unreadable)} images is readable"
        )
    if devices:
        select_devices(devices)
    trained = load_trained(snapshot)
    results: list[tuple[str, list[Answer]]] = []
    written: list[dict[str, Any]] = []
    for scene, found in _answered(trained, itertools.chain([first], scenes)):
        answers = compare(scene, found, vocabulary, trained.config.test.role_conflict)
        graph = write_pictures(output, scene, found, answers, vocabulary)
        results.append((scene.name, answers))
        written.append({**_as_json(scene, found, answers), "graph": graph})
    write_text(output / "answers.json", json.dumps(written, indent=1))
    for line in table(results):
        LOG.info("%s", line)
    LOG.info("answers and scene graphs, drawn and as JSON and DOT: %s", output)
    LOG.info("%.0f seconds", time.monotonic() - started)
    if unreadable:
        count = len(unreadable) + len(written)
        raise UserError(f"{len(unreadable)} of {count} images cannot be read, for example {unreadable[0]}")


def compare(scene: Scene, found: Answers, vocabulary: Vocabulary, role_conflict: str) -> list[Answer]:
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
    output: Path, scene: Scene, found: Answers, answers: Sequence[Answer], vocabulary: Vocabulary
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


def table(results: Sequence[tuple[str, Sequence[Answer]]]) -> list[str]:
    """Lines of text: a row for every query about the image of that name.

    It has the IoU of subject and object, or their boxes.
    """
    answers = [(name, one) for name, several in results for one in several]
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
        lines.append("* ambiguous: there is another such subject or object, and the relation decides")
    return lines


def _truth(
    record: ImageRecord, query: np.ndarray, found: Answers, index: int, role_conflict: str
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


def _answered(trained: Trained, scenes: Iterable[Scene]) -> Iterator[tuple[Scene, Answers]]:
    """Scenes with what the model says, no more of them in memory than are answered at a time."""
    left = iter(scenes)
    while several := list(itertools.islice(left, trained.config.test.ims_per_batch)):
        pixels, queries = [scene.image for scene in several], [scene.queries for scene in several]
        yield from zip(several, answer(trained.model, pixels, queries, trained.config))


def _as_json(scene: Scene, found: Answers, answers: Sequence[Answer]) -> dict[str, Any]:
    """Plain data: boxes are x1 y1 x2 y2 in pixels of the image as it is seen, likeliest first."""
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


def _scores(found: Answers, query: int, role: int) -> list[float]:
    """The probability that each box of an answer has that role, in the boxes' order."""
    chosen = found.likelihood(query, role)[found.best_first(query, role)]
    return [round(float(score), 4) for score in chosen]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot make it ({error.strerror or error}); give --output DIR") from error
