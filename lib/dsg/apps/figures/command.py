"""Making figures: `KINDS` names them; each writes PNG files and what is on them as JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dsg.apps.figures.answers import answer_pages
from dsg.apps.figures.attention import attention_page
from dsg.apps.figures.boxes import box_panels
from dsg.apps.figures.choice import lots
from dsg.apps.figures.grounded import image_pages, relation_page
from dsg.apps.figures.shifts import find_chain, iteration_page, saccade_page, shift_page
from dsg.apps.figures.variants import Network, variant_page
from dsg.apps.scene_graphs.annotated import GroundedNetwork
from dsg.config import Config
from dsg.datasets import Dataset, ambiguous
from dsg.datasets.scene_graphs import GraphDataset, graphs_of
from dsg.errors import UserError
from dsg.metrics.evaluation import Evaluator
from dsg.models.baselines.samples import shrink
from dsg.models.dsg.evaluate import Examined, examine, score
from dsg.models.shown import chosen_images, chosen_queries
from dsg.pipeline.examples import load_example
from dsg.runtime.files import write_text
from dsg.runtime.picture_names import PlainNames
from dsg.visualize.canvas import save_png

LOG = logging.getLogger("dsg")


def answers_figure(network: Network, data: Dataset, folder: Path, *, count: int) -> None:
    """`successes.png`, `failures.png`, `answers.json`."""
    pages = answer_pages(network.model, network.config, data, count=count)
    for name, picture in (("successes", pages.successes), ("failures", pages.failures)):
        if picture is None:
            LOG.warning("no %s to show", name)
        else:
            save_png(picture, folder / f"{name}.png")
    _finish(folder, "answers", {"about": network.label, **pages.contents})


def variants_figure(networks: Sequence[Network], data: Dataset, folder: Path) -> None:
    """`variants.png`, `variants.json`."""
    if len(networks) < 2:
        raise UserError("variants compares networks: give --snapshot twice or more, the best network first")
    found = variant_page(networks, data)
    save_png(found.page, folder / "variants.png")
    _finish(folder, "variants", found.contents)


def image_figures(
    kind: str, network: Network, data: Dataset, folder: Path, *, count: int, names: Sequence[str] = ()
) -> None:
    """`<kind>_<image>.png` for a few images: `boxes` or `attention`.

    Args:
        kind: of the two.
        network: whose answers are shown.
        data: the split.
        folder: exists.
        count: images, where `names` is empty.
        names: of images in the split.

    Raises:
        UserError: there is no such image, or the network has no graph to show.
    """
    part = replace(data, records=[data.records[place] for place in _places(data, count, names)])
    config = network.config
    written, files = [], PlainNames()
    for image in examine(network.model, part, config):
        name = f"{kind}_{files.of(image.record.name, image.record.flipped)}"
        if kind == "attention":
            picture = attention_page(image, data.vocabulary, config.pixel_means)
        else:
            picture = _boxes(image, data, config)
        save_png(picture, folder / f"{name}.png")
        written.append(image.record.name)
    _finish(folder, kind, {"about": network.label, "images": written})


def shift_figures(
    kind: str, network: Network, data: Dataset, folder: Path, *, count: int, names: Sequence[str] = ()
) -> None:
    """`shifts.png`, or `iterations_<image>.png` or `saccades_<image>.png` for a few images drawn by lot.

    Args:
        kind: of the three.
        network: its model is a `Baseline` of ss or ssas.
        data: the split.
        folder: exists.
        count: images, where `names` is empty.
        names: of images in the split.

    Raises:
        UserError: there is no such image, or none that can be read and has what is to be shown.
    """
    model, vocabulary = network.model, data.vocabulary
    if kind == "shifts":
        page, largest = shift_page(model.head, vocabulary)
        save_png(page, folder / "shifts.png")
        _finish(folder, kind, {"about": network.label, "largest": largest})
        return
    if names:
        places = _places(data, count, names)
    else:
        places = list(map(int, np.argsort(lots(network.config.rng_seed, len(data)))))
    written, files = [], PlainNames()
    for place in places:
        record = data.records[place]
        chain = find_chain(record) if kind == "saccades" else None
        if kind == "saccades" and chain is None:
            continue
        try:
            image = shrink(load_example(record, place).image)
        except UserError as error:
            LOG.warning("%s", error)
            continue
        if chain is None:
            page = iteration_page(model, image, record, vocabulary)
        else:
            page = saccade_page(model, image, record, vocabulary, chain)
        save_png(page, folder / f"{kind}_{files.of(record.name, record.flipped)}.png")
        written.append(record.name)
        if len(written) == count and not names:
            break
    if not written:
        raise UserError(f"{data.name} {data.split}: no readable image suits the figure {kind}")
    _finish(folder, kind, {"about": network.label, "images": written})


def grounded_figures(
    kind: str,
    networks: Sequence[GroundedNetwork],
    data: GraphDataset,
    folder: Path,
    *,
    count: int,
    names: Sequence[str] = (),
) -> None:
    """`relations.png`, or `<kind>_<image>.png` for a few images: `graphs`, `regions`, `refinement`.

    Args:
        kind: of the four.
        networks: one, or for relations several, the best first.
        data: the split.
        folder: exists.
        count: images, where `names` is empty; for relations, examples of each kind.
        names: of images in the split.

    Raises:
        UserError: there is no such image, or a network has nothing to show.
    """
    if kind == "relations":
        contents = relation_page(networks, data, count=count, folder=folder)
    else:
        records = [graphs_of(data)[place] for place in _places(data, count, names)]
        contents = image_pages(kind, networks[0], records, folder)
    about = {"networks": [network.label for network in networks], "setting": networks[0].setting}
    _finish(folder, kind, {**about, "images": contents})


def _boxes(image: Examined, data: Dataset, config: Config) -> np.ndarray:
    conflict = config.test.role_conflict
    iou = score(Evaluator(data.vocabulary.predicates, role_conflict=conflict), image)
    query = chosen_queries(ambiguous(image.record), 1)[0]
    pair = (float(iou[0][query]), float(iou[1][query]))
    return box_panels(image, data.vocabulary, query, pair, config.pixel_means, conflict)


def _places(data: Dataset, count: int, names: Sequence[str]) -> list[int]:
    """Positions of the named images, or of so many, spread evenly."""
    if not names:
        return chosen_images(len(data), count)
    # Where mirror images are in the split, too, the name means the image itself.
    known: dict[str, int] = {}
    for place, record in enumerate(data.records):
        known.setdefault(record.name, place)
    absent = [name for name in names if name not in known]
    if absent:
        raise UserError(
            f"{data.name} {data.split} has no image {absent[0]!r} (it has, for example, {next(iter(known))})"
        )
    return [known[name] for name in names]


def _finish(folder: Path, kind: str, contents: Any) -> None:
    write_text(folder / f"{kind}.json", json.dumps(contents, indent=1) + "\n")
    LOG.info("%s: pictures, and %s.json that describes them", folder, kind)
