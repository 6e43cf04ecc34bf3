"""The demonstration: queries about images are answered, and the answers and the decoded scene graph drawn.

By default it asks about the images of a small data set with known answers (`data/demo`), so that the IoU
stands beside each query; for images of your own the boxes are printed. TensorFlow, which takes seconds to
load, is loaded when all that was given has been read.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dsg.ask import Answers, answer, load_trained
from dsg.datasets import ImageRecord, Vocabulary, ambiguous, load_dataset
from dsg.engine.devices import parse_gpus, select_devices
from dsg.engine.files import write_text
from dsg.engine.snapshots import load_meta
from dsg.errors import UserError
from dsg.images import read_image
from dsg.metrics.role_iou import OBJECT, SUBJECT, selection_iou
from dsg.query_words import parse_query, spoken
from dsg.visualize.answers import Answer, draw_answers
from dsg.visualize.canvas import save_png
from dsg.visualize.graph_picture import draw_scene_graph

LOG = logging.getLogger("dsg")
AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, eq=False)
class Scene:
    """An image, what is asked about it, and what is known about it."""

    name: str  # of the files that are written, without ending
    image: np.ndarray  # uint8 [H, W, 3], B, G, R
    queries: np.ndarray  # int32 [Q, 3]
    record: ImageRecord | None  # None: the answers are not known


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
        images: files to ask about instead.
        queries: in words, asked about each image; none: a choice of the annotated ones for `data`, only the
            scene graph for images.
        devices: `cpu` or a GPU's number; empty: what TensorFlow takes.

    Raises:
        UserError: something cannot be read or written, a query has unknown words, or `snapshot` was trained
            with another vocabulary than that of `data`.
    """
    started = time.monotonic()
    _make_folder(output)
    parse_gpus(devices or "cpu")
    meta = load_meta(snapshot)
    vocabulary = Vocabulary(tuple(meta.objects), tuple(meta.predicates))
    asked = [parse_query(text, vocabulary.objects, vocabulary.predicates) for text in queries]
    scenes = own_scenes(images, asked) if images else bundled_scenes(data, vocabulary, asked)
    if devices:
        select_devices(devices)
    trained = load_trained(snapshot)
    pixels, several = [scene.image for scene in scenes], [scene.queries for scene in scenes]
    results: list[tuple[Scene, list[Answer]]] = []
    for scene, found in zip(scenes, answer(trained.model, pixels, several, trained.config)):
        answers = compare(scene, found, vocabulary)
        write_pictures(output, scene, found, answers, vocabulary)
        results.append((scene, answers))
    write_text(output / "answers.json", json.dumps([_as_json(*result) for result in results], indent=1))
    for line in table(results):
        LOG.info("%s", line)
    LOG.info("answers and scene graphs, drawn and as JSON and DOT: %s", output)
    LOG.info("%.0f seconds", time.monotonic() - started)


def own_scenes(paths: Sequence[Path], queries: Sequence[Sequence[int]]) -> list[Scene]:
    """Every query about every image file.

    Raises:
        UserError: an image cannot be read.
    """
    asked = np.array(queries, np.int32).reshape(-1, 3)
    names: list[str] = []
    for path in paths:
        plain = re.sub(r"[^\w.-]", "_", path.stem)
        names.append(plain if plain not in names else f"{plain}_{len(names)}")
    return [Scene(name, read_image(path), asked, None) for name, path in zip(names, paths)]


def bundled_scenes(
    folder: Path, vocabulary: Vocabulary, queries: Sequence[Sequence[int]] = ()
) -> list[Scene]:
    """The test split of a data set's folder, with the given queries or with some of the annotated ones.

    Raises:
        UserError: the data set cannot be read, or has another vocabulary.
    """
    dataset = load_dataset(folder, "test")
    if dataset.vocabulary != vocabulary:
        raise UserError(f"{folder}: other categories or predicates than the snapshot's; give --image FILE")
    asked = np.array(queries, np.int32).reshape(-1, 3)
    return [
        Scene(
            Path(record.name).stem,
            read_image(record.path),
            asked if len(asked) else record.queries[shown_queries(record)],
            record,
        )
        for record in dataset.records
    ]


def shown_queries(record: ImageRecord, count: int = 4) -> list[int]:
    """Positions of some annotated queries: half of them ambiguous ones between two categories, a quarter
    within a category, a quarter unambiguous; more of one kind where another is rare.
    """
    within = record.queries[:, 0] == record.queries[:, 2]
    flags = ambiguous(record)
    kinds = [np.flatnonzero(chosen) for chosen in (flags & ~within, flags & within, ~flags)]
    picked: list[int] = []
    for kind, wanted in zip(kinds, (count // 2, count // 4, count // 4)):
        wanted = min(wanted, len(kind))
        picked += [int(kind[(2 * index + 1) * len(kind) // (2 * wanted)]) for index in range(wanted)]
    rest = [int(index) for kind in kinds for index in kind if index not in picked]
    return picked + rest[: count - len(picked)]


def compare(scene: Scene, found: Answers, vocabulary: Vocabulary) -> list[Answer]:
    """Each query's answer; with the truth and the IoU (convention 'dsg') where it is annotated."""
    answers = []
    for index, query in enumerate(scene.queries):
        truth: dict[str, Any] = {} if scene.record is None else _truth(scene.record, query, found, index)
        subject, object_ = found.subject_boxes(index), found.object_boxes(index)
        subject_name, object_name = (vocabulary.objects[query[slot]] for slot in (0, 2))
        words = (subject_name, vocabulary.predicates[query[1]], object_name)
        answers.append(Answer(words, pred_subject=subject, pred_object=object_, **truth))
    return answers


def write_pictures(
    output: Path, scene: Scene, found: Answers, answers: Sequence[Answer], vocabulary: Vocabulary
) -> None:
    """`<name>_answers.png` if something is asked; `<name>_graph` as PNG, JSON and DOT if one is decoded."""
    picture = scene.image[:, :, ::-1].copy()
    if answers:
        save_png(draw_answers(picture, answers), output / f"{scene.name}_answers.png")
    graph = found.scene_graph(vocabulary)
    if graph is not None:
        save_png(draw_scene_graph(picture, graph), output / f"{scene.name}_graph.png")
        write_text(output / f"{scene.name}_graph.json", json.dumps(graph.to_json(), indent=1))
        write_text(output / f"{scene.name}_graph.dot", graph.to_dot())


def table(results: Sequence[tuple[Scene, Sequence[Answer]]]) -> list[str]:
    """Lines of text: a row for every query, with the IoU of subject and object, or with their boxes."""
    answers = [(scene.name, one) for scene, several in results for one in several]
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


def _truth(record: ImageRecord, query: np.ndarray, found: Answers, index: int) -> dict[str, Any]:
    """The fields of `Answer` that ground truth gives; none where the query is not annotated."""
    rows = np.flatnonzero((record.queries == query).all(axis=1))
    if not len(rows):
        return {}
    row = int(rows[0])
    size = np.array([record.width, record.height] * 2, np.float64)
    subject_iou, object_iou = (
        selection_iou(
            selected[index : index + 1],
            found.boxes / size,
            record.roles[row : row + 1] == role,
            record.boxes / size,
        )[0]
        for role, selected in ((SUBJECT, found.subjects), (OBJECT, found.objects))
    )
    return {
        "gt_subject": record.boxes[record.subject_masks[row]],
        "gt_object": record.boxes[record.object_masks[row]],
        "subject_iou": float(subject_iou),
        "object_iou": float(object_iou),
        "note": AMBIGUOUS if ambiguous(record)[row] else "",
    }


def _value(iou: float | None, boxes: np.ndarray) -> str:
    if iou is not None:
        return f"{iou:.2f}"
    return " ".join(f"[{' '.join(f'{side:.0f}' for side in box)}]" for box in boxes) or "nothing"


def _as_json(scene: Scene, answers: Sequence[Answer]) -> dict[str, Any]:
    """Plain data: boxes are x1 y1 x2 y2 in pixels of the image."""
    height, width = scene.image.shape[:2]
    entries = [
        {
            "query": list(one.query),
            "subject": np.round(one.pred_subject, 2).tolist(),
            "object": np.round(one.pred_object, 2).tolist(),
            "subject_iou": one.subject_iou,
            "object_iou": one.object_iou,
        }
        for one in answers
    ]
    return {"image": scene.name, "width": width, "height": height, "answers": entries}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot make it ({error.strerror or error}); give --output DIR") from error
