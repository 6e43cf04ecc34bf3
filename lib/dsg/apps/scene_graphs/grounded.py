"""Grounded scene graphs of image files and of a split, as files: JSON, Graphviz's DOT, and a picture."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dsg.apps.ask.scenes import own_scenes
from dsg.apps.scene_graphs.annotated import GroundedNetwork, seen
from dsg.datasets import Dataset
from dsg.datasets.scene_graphs import graphs_of
from dsg.errors import UserError
from dsg.models.grounding.scene import GroundedGraph
from dsg.models.grounding.trained import TRACING_PAYS, load_grounding
from dsg.models.shown import chosen_images
from dsg.runtime.files import write_text
from dsg.runtime.picture_names import PlainNames
from dsg.runtime.progress import Progress
from dsg.visualize.canvas import save_png

LOG = logging.getLogger("dsg")


def grounded_graphs_of_images(
    snapshot: Path, images: Sequence[Path], folder: Path, *, nodes: int, edges: int
) -> None:
    """Write the graph of every image file to `folder`: `<name>.json`, `.dot`, `.png`. An image that cannot be
    read is reported, and left out.

    Raises:
        UserError: the snapshot or an image cannot be read; then the others' graphs are there.
    """
    trained = load_grounding(snapshot)
    unreadable: list[str] = []
    with Progress("scene graphs", len(images)) as progress:
        for scene in own_scenes(images, (), unreadable):
            [graph] = trained.graphs([scene.image], traced=len(images) >= TRACING_PAYS)
            chosen = graph.chosen(nodes, edges)
            write_grounded(chosen, folder, scene.name, scene.image[:, :, ::-1], Path(scene.file).name)
            for line in sentences(chosen):
                LOG.info("%s: %s", scene.name, line)
            progress.advance()
    if len(unreadable) == len(images):
        raise UserError(
            unreadable[0] if len(images) == 1 else f"none of the {len(images)} images can be read"
        )
    LOG.info("scene graphs (pictures, JSON, DOT): %s", folder)
    if unreadable:
        raise UserError(
            f"{len(unreadable)} of {len(images)} images cannot be read, for example {unreadable[0]}"
        )


def grounded_graphs_of_split(
    network: GroundedNetwork, data: Dataset, folder: Path, *, pictures: int, nodes: int, edges: int
) -> None:
    """Write the graph of every image of a split to `folder/graphs/`, some with a picture; images that cannot
    be read are reported.

    Args:
        network: and what it is given.
        data: the split.
        folder: exists.
        pictures: how many images are drawn.
        nodes, edges: at most so many in a graph.

    Raises:
        UserError: a file cannot be written, or no image can be read.
    """
    graphs = folder / "graphs"
    graphs.mkdir(exist_ok=True)
    drawn, names, written = set(chosen_images(len(data), pictures)), PlainNames(), 0
    with Progress("scene graphs", len(data)) as progress:
        for place, record in enumerate(graphs_of(data)):
            try:
                one = seen(network, record)
            except UserError as error:
                LOG.warning("%s", error)
                continue
            image = one.image if place in drawn else None
            stem = names.of(record.name)
            write_grounded(one.graph.chosen(nodes, edges), graphs, stem, image, record.name)
            written += 1
            progress.advance()
    if not written:
        raise UserError(f"{data.name} {data.split}: no image can be read")
    LOG.info("%s, %s: scene graphs (pictures, JSON, DOT): %s", network.label, network.setting, graphs)


def write_grounded(
    graph: GroundedGraph, folder: Path, stem: str, image: np.ndarray | None = None, name: str = ""
) -> None:
    """Write `<stem>.json`, `<stem>.dot` and, with an image (uint8 [H, W, 3] RGB), `<stem>.png`; `name` is the
    image's file, for the JSON.

    Raises:
        UserError: they cannot be written.
    """
    write_text(folder / f"{stem}.json", json.dumps(graph.to_json(image=name), indent=1) + "\n")
    write_text(folder / f"{stem}.dot", graph.to_dot())
    if image is not None:
        save_png(graph.draw(image), folder / f"{stem}.png")


def sentences(graph: GroundedGraph) -> list[str]:
    """Each relation in words; of a graph without any, its things."""
    names = [node.label for node in graph.nodes]
    lines = [f"{names[e.subject]} - {e.predicate} - {names[e.object]} ({e.score:.2f})" for e in graph.edges]
    return lines or [", ".join(names) or "nothing that is certain enough"]
