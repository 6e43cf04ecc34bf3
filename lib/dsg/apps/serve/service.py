"""Asking one model from many threads, and everything that the page shows of an answer."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dsg.api import Model
from dsg.apps.serve.figure import answer_figure, attention_figure, message, picture, timings_table
from dsg.apps.serve.svg import shown_size
from dsg.apps.serve.upload import Limits, read_upload
from dsg.errors import UserError
from dsg.models.dsg.predictions import Prediction
from dsg.models.dsg.query_words import spoken
from dsg.visualize.graph_picture import draw_scene_graph


@dataclass(frozen=True)
class Shown:
    """The answer to one query, as HTML and as plain data."""

    answer: str
    attention: str
    graph: str
    timings: str
    data: dict[str, Any]


class Service:
    """A model, and the limits of what it is asked about."""

    def __init__(self, model: Model, limits: Limits) -> None:
        self.model, self.limits = model, limits
        self._turn = threading.Lock()  # one answer at a time: each takes all processors

    def warm_up(self) -> None:
        """Answer about an empty image, which makes the next answer quicker."""
        self.model.answers([np.zeros((64, 64, 3), np.uint8)], [(0, 0, 0)])

    def ask(self, path: str | Path | None, subject: str, predicate: str, object_: str) -> Shown:
        """Answer one query about an uploaded file.

        Raises:
            UserError: the file is no image or too large, or a word is unknown; a message for people.
        """
        started = time.perf_counter()
        for name, word in (("subject", subject), ("relation", predicate), ("object", object_)):
            if not word or not isinstance(word, str):
                raise UserError(f"Choose the {name} first.")
        query = self.model.query((subject, predicate, object_))
        image = read_upload(path, self.limits)
        read = time.perf_counter()
        with self._turn:
            begun = time.perf_counter()
            found = self.model.answers([image[:, :, ::-1]], [query])[0]
            answered = time.perf_counter()
        grounding = self.model.groundings(found)[0]
        names = self.names(found)
        shown = {
            "answer": answer_figure(
                image, grounding.subjects, grounding.objects, found.boxes, self.captions(found, names)
            ),
            "attention": attention_figure(image, found.boxes, found.attention, names),
        }
        graph = found.scene_graph(self.model.vocabulary)
        if graph is None:
            shown["graph"] = message("This model was trained without a scene graph.")
        else:
            smaller, scale = shown_size(np.ascontiguousarray(image[:, :, ::-1]))
            drawn = draw_scene_graph(smaller, graph.scaled(scale))
            shown["graph"] = picture(drawn, graph_text(graph.to_json()))
        ended = time.perf_counter()
        timings = {
            "reading": read - started,
            "network": answered - begun,
            "drawing": ended - answered,
        }
        # Without waiting: the page's queue admits one request at a time, and its time is not known here.
        timings["together"] = sum(timings.values())
        data = {
            **grounding.to_json(),
            "width": image.shape[1],
            "height": image.shape[0],
            "boxes": np.round(found.boxes, 2).tolist(),
            "graph": None if graph is None else graph.to_json(),
            "seconds": {name: round(value, 4) for name, value in timings.items()},
        }
        return Shown(**shown, timings=timings_table(timings), data=data)

    def names(self, found: Prediction) -> list[str]:
        """The likeliest category of each box; empty if the model labels none."""
        if found.entities is None:
            return [""] * len(found.boxes)
        return [spoken(self.model.vocabulary.objects[index]) for index in found.entities.argmax(axis=1)]

    def captions(self, found: Prediction, names: list[str]) -> list[str]:
        """What is known of each box, for the one query that was asked."""
        captions = []
        for index, name in enumerate(names):
            words = [f"{index + 1} {name}".strip()]
            if found.entities is not None:
                words[0] += f" {found.entities[index].max():.2f}"
            if found.probabilities is not None:
                _, subject, object_, _ = found.probabilities[0, index]
                words.append(f"subject {subject:.2f}, object {object_:.2f}")
            captions.append("; ".join(words))
        return captions


def graph_text(graph: dict[str, Any]) -> str:
    """A scene graph in words."""
    labels = {node["id"]: f"{node['label']} ({node['id']})" for node in graph["nodes"]}
    edges = [
        f"{labels[edge['subject']]} {edge['predicate']} {labels[edge['object']]}" for edge in graph["edges"]
    ]
    return "; ".join(edges or labels.values())
