"""Queries that one network answers and others do not, above each other (the paper's figure 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from dsg.apps.figures.answers import RIGHT
from dsg.apps.figures.choice import lots
from dsg.config import Config
from dsg.datasets import Dataset, ambiguous
from dsg.errors import UserError
from dsg.metrics.evaluation import Evaluator
from dsg.models.dsg.evaluate import Examined, evaluate, examine, score
from dsg.models.dsg.pictures import panel
from dsg.models.shown import query_words
from dsg.visualize.answers import draw_answer, page
from dsg.visualize.proposals import blob_to_rgb

WORSE = 0.5  # IoU below which the other has failed


class Network(NamedTuple):
    """A network to compare."""

    label: str
    model: Any  # a `DSG`
    config: Config


class Comparison(NamedTuple):
    """A page, uint8 [H, W, 3] RGB, and what is on it."""

    page: np.ndarray
    contents: list[dict[str, Any]]


def variant_page(networks: Sequence[Network], data: Dataset) -> Comparison:
    """For each network but the first a query that the first answers and it does not; a column each, the first
    above.

    Args:
        networks: two or more, of one vocabulary.
        data: the split that queries are taken from.

    Raises:
        UserError: an image was not answered by all, or no query tells a network from the first.
    """
    ious = [_ious(network, data) for network in networks]
    if any(len(one) != len(ious[0]) for one in ious):
        raise UserError(f"{data.name}: images could not be read for all networks; check them first")
    columns: list[tuple[Network, int, int]] = []
    for network, other in zip(networks[1:], ious[1:]):
        used = {image for _, image, _ in columns}
        found = _choose(ious[0], other, data, networks[0].config.rng_seed, used)
        if found is None:
            raise UserError(
                f"{networks[0].label} answers no query well (IoU {RIGHT:g}) on which {network.label} fails "
                f"(IoU {WORSE:g}): use more images, or leave {network.label} out"
            )
        columns.append((network, *found))
    images = sorted({image for _, image, _ in columns})
    part = replace(data, records=[data.records[image] for image in images])
    answered = {network.label: _answers(network, part, images) for network in networks}
    above: list[np.ndarray] = []
    below: list[np.ndarray] = []
    contents = []
    for network, image, query in columns:
        for one, panels in ((networks[0], above), (network, below)):
            panels.append(_panel(one, answered[one.label][image], query, data))
        names = query_words(data.records[image].queries[query], data.vocabulary)
        contents.append(
            {
                "image": data.records[image].name,
                "query": " - ".join(names),
                "iou": {
                    one.label: list(map(float, table[image][:, query]))
                    for one, table in _pairs(networks, ious, network)
                },
            }
        )
    return Comparison(page([*above, *below], len(columns)), contents)


def _pairs(
    networks: Sequence[Network], ious: Sequence[dict[int, np.ndarray]], network: Network
) -> list[tuple[Network, dict[int, np.ndarray]]]:
    """The first network and `network`, with their IoUs."""
    return [(one, table) for one, table in zip(networks, ious) if one in (networks[0], network)]


def _ious(network: Network, data: Dataset) -> dict[int, np.ndarray]:
    """Subject and object IoU of every query, float64 [2, Q], by position of the image."""
    found: dict[int, np.ndarray] = {}

    def observe(image: Examined, subject: np.ndarray, object_: np.ndarray) -> None:
        found[image.index] = np.stack([subject, object_])

    evaluate(network.model, data, network.config, label=network.label, observe=observe)
    return found


def _choose(
    first: dict[int, np.ndarray], other: dict[int, np.ndarray], data: Dataset, seed: int, used: set[int]
) -> tuple[int, int] | None:
    """Image and query: ambiguous ones first, images that are not used yet first, then by lot."""
    draw = lots(seed, len(data))
    best: tuple[tuple[float, ...], int, int] | None = None
    for image, iou in first.items():
        tells = np.flatnonzero((iou.min(axis=0) >= RIGHT) & (other[image].min(axis=0) < WORSE))
        if not len(tells):
            continue
        flags = ambiguous(data.records[image])
        query = int(max(tells, key=lambda one: (bool(flags[one]), -float(other[image][:, one].mean()))))
        rank = (float(image not in used), float(flags[query]), float(draw[image]))
        if best is None or rank > best[0]:
            best = (rank, image, query)
    return None if best is None else best[1:]


def _answers(network: Network, part: Dataset, images: Sequence[int]) -> dict[int, Examined]:
    return {images[one.index]: one for one in examine(network.model, part, network.config)}


def _panel(network: Network, image: Examined, query: int, data: Dataset) -> np.ndarray:
    conflict = network.config.test.role_conflict
    iou = score(Evaluator(data.vocabulary.predicates, role_conflict=conflict), image)
    pair = (float(iou[0][query]), float(iou[1][query]))
    drawn = panel(image, data.vocabulary, query, pair, network.label, conflict)
    picture = blob_to_rgb(image.blob, network.config.pixel_means)
    return draw_answer(picture, drawn, legend=False, min_side=300)
