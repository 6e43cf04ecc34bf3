"""Figures of grounded scene graphs: graphs with their masks, what relations attend to, masks before and after
refinement, and relations that one network finds and another does not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dsg.apps.figures.choice import lots
from dsg.apps.scene_graphs.annotated import GroundedNetwork, Seen, seen
from dsg.boxes.overlaps import iou
from dsg.config.grounding import SGDET
from dsg.datasets.formats.vg150 import GraphImage
from dsg.datasets.scene_graphs import GraphDataset, graphs_of
from dsg.errors import UserError
from dsg.metrics.graph_recall import GraphTruth
from dsg.models.grounding.scene import GroundedGraph, right_relations
from dsg.runtime.picture_names import PlainNames
from dsg.visualize.canvas import grid, save_png
from dsg.visualize.captions import titled
from dsg.visualize.grounded import draw_relation

LOG = logging.getLogger("dsg")
REGIONS = 4  # relations of an image
BEST = 20  # a relation is found that is among so many
SIDE = 300  # pixels of a panel's shorter side, at least


def image_pages(
    kind: str, network: GroundedNetwork, records: Sequence[GraphImage], folder: Path
) -> list[dict[str, Any]]:
    """`<kind>_<image>.png` of each image: graphs, regions or refinement; what is on them, as plain data.

    Raises:
        UserError: an image cannot be read, or the network has nothing to show of that kind.
    """
    contents, files = [], PlainNames()
    for record in records:
        one = seen(network, record)
        chosen = one.graph.chosen()
        page = {"graphs": _graph, "regions": _regions, "refinement": _refinement}[kind](one, chosen)
        save_png(page, folder / f"{kind}_{files.of(record.name)}.png")
        contents.append({"image": record.name, **chosen.to_json(masks=False)})
    return contents


def _graph(one: Seen, chosen: GroundedGraph) -> np.ndarray:
    return chosen.draw(one.image)


def _regions(one: Seen, chosen: GroundedGraph) -> np.ndarray:
    attended = chosen.found.attended
    if attended is None:
        raise UserError(
            "this network's relations attend to no regions: it has no Gaussians (GROUNDING.EDGE_MASK)"
        )
    count = min(REGIONS, len(attended))
    if not count:
        return titled("no relations", one.image)
    return grid([chosen.draw_relation(one.image, edge, attended=True) for edge in range(count)])


def _refinement(one: Seen, chosen: GroundedGraph) -> np.ndarray:
    found = chosen.found
    if found.masks is None or found.refined is None:
        raise UserError("this network does not refine masks: it was trained with GROUNDING.REFINE False")
    return chosen.draw_refinement(one.image)


class Example(NamedTuple):
    """A true relation that the first network finds and another does not."""

    image: int  # position in the split
    relation: tuple[int, int, int]  # subject row, object row, predicate
    zero_shot: bool  # never seen in training


def relation_page(
    networks: Sequence[GroundedNetwork], data: GraphDataset, *, count: int, folder: Path
) -> list[dict[str, Any]]:
    """`relations.png`: a row for each example, a column for each network; at most `count` relations and as
    many zero-shot triplets, images by lot. What is on it, as plain data.

    Raises:
        UserError: there is one network only, or no example.
    """
    if len(networks) < 2:
        raise UserError("relations compares networks: give --snapshot twice or more, the best network first")
    records, seed = graphs_of(data), networks[0].trained.config.rng_seed
    order = np.argsort(lots(seed, len(records))).tolist()
    examples = list(_examples(networks, data, order, count))
    if not examples:
        others = ", ".join(network.label for network in networks[1:])
        raise UserError(
            f"{networks[0].label} finds no relation in these images that {others} does not: use more images"
        )
    panels, contents = [], []
    for example in examples:
        record = records[example.image]
        drawn = [_panel(network, record, example, data) for network in networks]
        panels += [panel for panel, _ in drawn]
        contents.append(
            {
                "image": record.name,
                "true": " ".join(_words(record, example.relation, data)),
                "zero_shot": example.zero_shot,
                "predicted": {network.label: text for network, (_, text) in zip(networks, drawn)},
            }
        )
    save_png(grid(panels, len(networks)), folder / "relations.png")
    return contents


def _examples(
    networks: Sequence[GroundedNetwork], data: GraphDataset, order: Sequence[int], count: int
) -> Iterator[Example]:
    """At most `count` examples of each kind, relations known from training first, none of the same image."""
    records = graphs_of(data)
    unseen = {tuple(triple) for triple in data.zero_shot.tolist()}
    found: dict[bool, list[Example]] = {False: [], True: []}
    for place in order:
        if all(len(examples) >= count for examples in found.values()):
            break
        record = records[place]
        try:
            hits = [_hits(network, record) for network in networks]
        except UserError as error:
            LOG.warning("%s", error)
            continue
        for row in sorted(hits[0].difference(*hits[1:])):
            relation = tuple(record.relations[row].tolist())
            subject, object_, predicate = relation
            triple = (*record.labels[[subject, object_]].tolist(), predicate)
            if len(found[triple in unseen]) < count:
                found[triple in unseen].append(Example(place, relation, triple in unseen))
                break
    for unknown, kind in ((False, "relation"), (True, "zero-shot triplet")):
        if not found[unknown]:
            LOG.warning("no %s that tells the networks from each other in %d images", kind, len(order))
    yield from (*found[False], *found[True])


def _hits(network: GroundedNetwork, record: GraphImage) -> set[int]:
    """Rows of the true relations among the best."""
    right = right_relations(
        seen(network, record).graph, GraphTruth(record.boxes, record.labels, record.relations)
    )
    return set(right[right[:, 0] < BEST, 1].tolist())


def _panel(
    network: GroundedNetwork, record: GraphImage, example: Example, data: GraphDataset
) -> tuple[np.ndarray, str]:
    """What a network says of the pair of boxes of an example, drawn with its masks, and in words."""
    one = seen(network, record)
    pair = [_node(one, network.setting, row) for row in example.relation[:2]]
    kind = "zero-shot, " * example.zero_shot
    truth = f"{kind}true: {' '.join(_words(record, example.relation, data))}"
    place = next((k for k, edge in enumerate(one.graph.edges) if [edge.subject, edge.object] == pair), None)
    if place is None:
        ends = record.boxes[list(example.relation[:2])]
        words = _words(record, example.relation, data)
        text = "not found"
        panel = draw_relation(one.image, (words[0], "?", words[2]), ends, note=truth, min_side=SIDE)
    else:
        edge, nodes = one.graph.edges[place], one.graph.nodes
        triple = nodes[edge.subject].label, edge.predicate, nodes[edge.object].label
        rows, cells = [edge.subject, edge.object], one.graph.cells
        masks = None if cells is None else cells[rows]
        ends = one.graph.found.graph.boxes[rows]
        text = f"{' '.join(triple)} (place {place + 1} of {len(one.graph.edges)})"
        note = f"place {place + 1}; {truth}"
        panel = draw_relation(one.image, triple, ends, masks=masks, note=note, min_side=SIDE)
    return titled(network.label, panel), text


def _node(one: Seen, setting: str, row: int) -> int | None:
    """The node of an annotated box: its own where boxes are given, else the one that overlaps it most, by
    half or more.
    """
    if setting != SGDET:
        return row
    boxes = one.graph.found.graph.boxes.astype(np.float64)
    shared = iou(one.record.boxes[row : row + 1], boxes, inclusive=False)[0]
    best = int(shared.argmax()) if len(shared) else None
    return best if best is not None and shared[best] >= 0.5 else None


def _words(record: GraphImage, relation: Sequence[int], data: GraphDataset) -> tuple[str, str, str]:
    subject, object_, predicate = relation
    names = data.vocabulary.objects
    ends = (names[record.labels[row]].replace("_", " ") for row in (subject, object_))
    return next(ends), data.vocabulary.predicates[predicate].replace("_", " "), next(ends)
