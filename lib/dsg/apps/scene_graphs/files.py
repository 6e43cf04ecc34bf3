"""A labelled scene graph as files: JSON, Graphviz's DOT, and a picture."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from dsg.runtime.files import write_text
from dsg.visualize.canvas import save_png
from dsg.visualize.graph_picture import draw_scene_graph
from dsg.visualize.scene_graph import Node, SceneGraph


def write_graph(
    graph: SceneGraph,
    folder: Path,
    stem: str,
    image: np.ndarray | None = None,
    factors: np.ndarray | None = None,
    *,
    name: str = "",
    size: tuple[int, int] | None = None,
) -> None:
    """Write `<stem>.json`, `<stem>.dot` and, with an image, `<stem>.png`.

    Args:
        graph: its boxes are in pixels of `image`.
        folder: exists.
        stem: beginning of the files' names.
        image: uint8 [H, W, 3] RGB.
        factors: [4], what the boxes in the JSON are multiplied by, to be in pixels of the original image.
        name, size: of the original image, its file's name, width and height, for the JSON.

    Raises:
        UserError: if they cannot be written.
    """
    original = graph if factors is None else _scaled(graph, factors)
    write_text(folder / f"{stem}.json", json.dumps(original.to_json(name, size), indent=1) + "\n")
    write_text(folder / f"{stem}.dot", graph.to_dot())
    if image is not None:
        save_png(draw_scene_graph(image, graph), folder / f"{stem}.png")


def _scaled(graph: SceneGraph, factors: np.ndarray) -> SceneGraph:
    def box(node: Node) -> tuple[float, float, float, float]:
        x1, y1, x2, y2 = (float(side * factor) for side, factor in zip(node.box, factors))
        return x1, y1, x2, y2

    return replace(graph, nodes=tuple(replace(node, box=box(node)) for node in graph.nodes))
