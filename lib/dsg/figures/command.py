"""Making figures: `KINDS` names them; each writes PNG files and what is on them as JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dsg.datasets import Dataset, ambiguous
from dsg.engine.evaluate import ImageAnswer, answers, prediction_function, score
from dsg.engine.files import write_text
from dsg.engine.pictures import chosen_images, chosen_queries
from dsg.engine.tasks import picture_stem
from dsg.errors import UserError
from dsg.figures.answers import answer_pages
from dsg.figures.attention import attention_page
from dsg.figures.boxes import box_panels
from dsg.figures.variants import Network, variant_page
from dsg.metrics.evaluation import Evaluator
from dsg.pipeline import BadRecords
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
        raise UserError("variants are compared: give --model twice or more, the best one first")
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
    written = []
    for _, answer in answers(prediction_function(network.model, config), part, config, BadRecords()):
        name = f"{kind}_{picture_stem(answer.record.name)}"
        if kind == "attention":
            picture = attention_page(answer, data.vocabulary, config.pixel_means)
        else:
            picture = _boxes(answer, data, config.pixel_means)
        save_png(picture, folder / f"{name}.png")
        written.append(answer.record.name)
    _finish(folder, kind, {"about": network.label, "images": written})


def _boxes(answer: ImageAnswer, data: Dataset, pixel_means: tuple[float, ...]) -> np.ndarray:
    iou = score(Evaluator(data.vocabulary.predicates), answer)
    query = chosen_queries(ambiguous(answer.record), 1)[0]
    return box_panels(answer, data.vocabulary, query, (iou[0][query], iou[1][query]), pixel_means)


def _places(data: Dataset, count: int, names: Sequence[str]) -> list[int]:
    """Positions of the named images, or of so many, spread evenly."""
    if not names:
        return chosen_images(len(data), count)
    known = {record.name: place for place, record in enumerate(data.records)}
    absent = [name for name in names if name not in known]
    if absent:
        raise UserError(
            f"{data.name} {data.split} has no image {absent[0]!r} (one of it is {next(iter(known))})"
        )
    return [known[name] for name in names]


def _finish(folder: Path, kind: str, contents: Any) -> None:
    write_text(folder / f"{kind}.json", json.dumps(contents, indent=1) + "\n")
    LOG.info("%s: pictures, and %s.json that tells what is on them", folder, kind)
