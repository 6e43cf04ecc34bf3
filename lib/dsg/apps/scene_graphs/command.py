"""Decoding the labelled scene graphs of a split, or of image files; counting how many labels are right."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dsg.apps.scene_graphs.accuracy import THRESHOLD, Accuracy, accuracy_table, graph_accuracy
from dsg.apps.scene_graphs.files import write_graph
from dsg.config import Config
from dsg.datasets import Dataset
from dsg.errors import UserError
from dsg.models.dsg.evaluate import Examined, examine
from dsg.models.dsg.trained import TRACING_PAYS, load_trained
from dsg.models.shown import chosen_images
from dsg.pipeline.bad_records import BadRecords
from dsg.pipeline.images import read_image
from dsg.runtime.files import write_text
from dsg.runtime.picture_names import PlainNames
from dsg.runtime.progress import Progress
from dsg.visualize.proposals import blob_to_rgb
from dsg.visualize.scene_graph import SceneGraph

LOG = logging.getLogger("dsg")
NO_LABELS = "has no label heads to decode a scene graph with (it was trained without labels)"


def graphs_of_split(
    model: Any,
    config: Config,
    data: Dataset,
    folder: Path,
    *,
    about: str,
    pictures: int = 12,
    nodes: int = 6,
    edges: int = 8,
    threshold: float = THRESHOLD,
) -> Accuracy:
    """Write the graph of every image of a split to `folder/graphs/`, some with a picture; the accuracy of all
    labels to `folder/accuracy.json` and `accuracy.md`.

    Args:
        model: a `DSG`.
        config: TEST.*, DATA.WORKERS.
        data: the split.
        folder: exists.
        about: names the snapshot and split.
        pictures: how many images are drawn.
        nodes, edges: at most so many in a graph.
        threshold: IoU from which a proposal counts.

    Returns:
        The counts.

    Raises:
        UserError: the model has no label heads, or a file cannot be written.
    """
    graphs = folder / "graphs"
    graphs.mkdir(exist_ok=True)
    drawn = set(chosen_images(len(data), pictures))
    total, bad, names = Accuracy(), BadRecords(), PlainNames()
    with Progress("scene graphs", len(data)) as progress:
        for image in examine(model, data, config, bad):
            found = image.prediction
            graph = found.scene_graph(data.vocabulary, max_nodes=nodes, max_edges=edges)
            if graph is None or found.entities is None or found.predicates is None:
                raise UserError(f"{about}: {NO_LABELS}")
            picture = blob_to_rgb(image.blob, config.pixel_means) if image.index in drawn else None
            stem = names.of(image.record.name, image.record.flipped)
            write_graph(
                *(graph, graphs, stem, picture, _to_original(image)),
                name=image.record.name,
                size=(image.record.width, image.record.height),
            )
            total += graph_accuracy(
                found.entities,
                found.predicates,
                found.proposals,
                image.gt_boxes,
                image.record.entities,
                image.record.triples,
                threshold=threshold,
            )
            progress.advance(text=f"entities {total.entity_accuracy:.3f}")
    contents = {"about": about, "iou": threshold, **total.to_json(), "skipped": dict(bad.reasons)}
    write_text(folder / "accuracy.json", json.dumps(contents, indent=1) + "\n")
    table = accuracy_table(total, about, threshold)
    write_text(folder / "accuracy.md", table)
    LOG.info("%s\nscene graphs (pictures, JSON, DOT): %s", table, graphs)
    return total


def graphs_of_images(
    snapshot: Path, images: Sequence[Path], folder: Path, *, nodes: int = 6, edges: int = 8
) -> None:
    """Write the graph of every image file to `folder`: `<name>.json`, `.dot`, `.png`.

    Raises:
        UserError: an image or the snapshot cannot be read, or the model has no label heads.
    """
    trained = load_trained(snapshot)
    names = PlainNames()
    with Progress("scene graphs", len(images)) as progress:
        for path in images:
            image = read_image(path)
            [found] = trained.ask([image], [[]], traced=len(images) >= TRACING_PAYS)
            graph = found.scene_graph(trained.vocabulary, max_nodes=nodes, max_edges=edges)
            if graph is None:
                raise UserError(f"{snapshot}: {NO_LABELS}")
            height, width = image.shape[:2]
            stem = names.of(path.name)
            write_graph(graph, folder, stem, image[:, :, ::-1], name=path.name, size=(width, height))
            for line in _sentences(graph):
                LOG.info("%s: %s", path.name, line)
            progress.advance()
    LOG.info("scene graphs (pictures, JSON, DOT): %s", folder)


def _to_original(image: Examined) -> np.ndarray:
    """Factors [4] from the network's pixels to those of the original image."""
    return np.array([image.record.width, image.record.height] * 2, np.float64) / image.prediction.size


def _sentences(graph: SceneGraph) -> list[str]:
    """Each edge in words."""
    names = [node.label for node in graph.nodes]
    return [f"{names[e.subject]} - {e.predicate} - {names[e.object]} ({e.score:.2f})" for e in graph.edges]
