"""Grounded scene graphs on the page: of any image, or with boxes and labels given where they are known."""

from __future__ import annotations

import filecmp
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dsg.api import Model
from dsg.apps.serve.figure import message, picture, timings_table
from dsg.apps.serve.graph_figure import graph_figure, relation_words
from dsg.apps.serve.svg import shown_size
from dsg.apps.serve.upload import Limits, read_upload
from dsg.config.grounding import PREDCLS, SETTINGS, SGCLS, SGDET
from dsg.errors import UserError
from dsg.metrics.graph_recall import GraphTruth
from dsg.models.grounding.scene import GroundedGraph, right_relations
from dsg.models.grounding.trained import Given
from dsg.visualize.detections import name_colours
from dsg.visualize.graph_picture import draw_diagram
from dsg.visualize.grounded import draw_refinement

NODES, EDGES = 10, 16  # on the page
DIAGRAM = 560  # pixels of its height
KEPT = 100  # relations that are compared with the true ones


class KnownImage(NamedTuple):
    """A picture whose graph is annotated."""

    path: Path
    truth: GraphTruth


@dataclass(frozen=True)
class ShownGraph:
    """What the page shows of an image, as HTML and as plain data."""

    figure: str
    diagram: str
    refinement: str
    timings: str
    data: dict[str, Any]


class GraphService:
    """A model of grounded scene graphs, the limits of images, and pictures whose graphs are known."""

    def __init__(self, model: Model, limits: Limits, known: Sequence[KnownImage] = ()) -> None:
        self.model, self.limits, self.known = model, limits, list(known)
        self._turn = threading.Lock()  # one image at a time: each takes all processors

    def warm_up(self) -> None:
        """Describe an empty image, which makes the next one quicker."""
        self.model.grounded([np.zeros((64, 64, 3), np.uint8)], attended=KEPT)

    def describe(self, path: str | Path | None, setting: str = SGDET) -> ShownGraph:
        """The graph of an uploaded file.

        Args:
            path: of the file.
            setting: sgdet; sgcls: its true boxes are given; predcls: their labels, too. Both need an image of
                `known`.

        Raises:
            UserError: the file is no image or too large, or what is to be given is not known; for people.
        """
        if setting not in SETTINGS:
            raise UserError(f"The setting is one of {', '.join(SETTINGS)}.")
        started = time.perf_counter()
        image = read_upload(path, self.limits)
        truth = self._truth(Path(str(path)))
        if setting != SGDET and truth is None:
            raise UserError(
                "Boxes and labels are known of the examples of an annotated data set alone: choose one of "
                "them, or give nothing."
            )
        read = time.perf_counter()
        with self._turn:
            begun = time.perf_counter()
            given = _given(truth, setting)
            [graph] = self.model.grounded([image[:, :, ::-1]], attended=KEPT, given=given)
            seconds = time.perf_counter() - begun
        begun = time.perf_counter()
        shown = self._shown(image, graph, truth)
        timings = {"reading": read - started, "network": seconds, "drawing": time.perf_counter() - begun}
        # Without waiting: the page's queue admits one request at a time, and its time is not known here.
        timings["together"] = sum(timings.values())
        data = {
            **shown.data,
            "setting": setting,
            "seconds": {name: round(value, 4) for name, value in timings.items()},
        }
        return ShownGraph(shown.figure, shown.diagram, shown.refinement, timings_table(timings), data)

    def _shown(self, image: np.ndarray, graph: GroundedGraph, truth: GraphTruth | None) -> ShownGraph:
        chosen = graph.chosen(NODES, EDGES)
        data = chosen.to_json(masks=False)
        right: set[int] = set()
        note = ""
        if truth is not None:
            right = set(right_relations(chosen, truth)[:, 0].tolist())
            found = right_relations(graph, truth)
            counts = {k: len(set(found[found[:, 0] < k, 1].tolist())) for k in (20, 50, 100)}
            named = {str(k): hits for k, hits in counts.items()}  # keys of JSON are texts
            data["true_relations"] = {"count": len(truth.relations), "found": named}
            note = _note(counts, len(truth.relations))
        smaller, scale = shown_size(np.ascontiguousarray(image[:, :, ::-1]))
        plain = chosen.plain()
        colours = name_colours([node.label for node in plain.nodes])
        words = "; ".join(relation_words(chosen, one) for one in chosen.edges)
        diagram = picture(draw_diagram(plain, DIAGRAM, colours), words or "no relations")
        refinement = message("This model does not refine masks.")
        masks, refined = chosen.found.masks, chosen.found.refined
        if masks is not None and refined is not None:
            boxes, names = scale * chosen.found.graph.boxes, [node.label for node in plain.nodes]
            pages = draw_refinement(smaller, boxes, names, masks, refined)
            refinement = picture(pages, "masks before and after refinement")
        return ShownGraph(graph_figure(image, chosen, right) + note, diagram, refinement, "", data)

    def _truth(self, path: Path) -> GraphTruth | None:
        """The annotated graph of a file that is an example."""
        same = (one.truth for one in self.known if filecmp.cmp(path, one.path, shallow=False))
        return next(same, None)


def _given(truth: GraphTruth | None, setting: str) -> list[Given] | None:
    if truth is None or setting == SGDET:
        return None
    assert setting in (SGCLS, PREDCLS)
    return [Given(truth.boxes, truth.labels if setting == PREDCLS else None)]


def _note(found: dict[int, int], count: int) -> str:
    shares = ", ".join(f"{hits} among the best {k}" for k, hits in found.items())
    return message(f"Of {count} true relations it finds {shares}. A tick marks those that are true.")
