"""Measure what the graph costs (the paper's Table 3): parameters, operations and seconds with and without it.
Of a grounded scene graph: what its masks cost.

The table, as Markdown, JSON and picture, goes to <output>/<net>/cost/, with --name to
<output>/<net>/cost/<name>/. Example:

    dsg cost --net res101_paper --no-times RELATION_POOLING_SIZE 1
"""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from dsg.apps.configurations import known_nets
from dsg.apps.cost.settings import CostSettings
from dsg.apps.parser import Parser
from dsg.apps.run_options import add_config_options, meaning_of
from dsg.errors import UserError

if TYPE_CHECKING:
    from dsg.config import Config

BARE = "set"
LEAST = {"width": 16, "height": 16, "objects": 2}  # 1 of everything else
TEXTS = {
    "width": "width of the image in pixels before resizing",
    "height": "height of the image in pixels before resizing",
    "queries": "queries about the image",
    "objects": "ground-truth boxes in the image",
    "entities": "categories in the vocabulary",
    "predicates": "predicates in the vocabulary",
    "repeats": "runs with and without the graph, in turns",
}


def add_arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument("--net", default="", help="network: " + ", ".join(known_nets()))
    add_config_options(parser)
    parser.add_argument("--name", old=("--tag",), default="", help="name of a folder for the files")
    parser.add_argument("--no-times", action="store_true", help="only count parameters and operations")
    for name, text in TEXTS.items():
        value = getattr(CostSettings(), name)
        parser.add_argument(
            f"--{name}", type=int, default=value, metavar="N", help=f"{text} (default: {value})"
        )


def run(options: argparse.Namespace) -> None:
    """Count, measure, print, and write."""
    # TensorFlow takes seconds to load and comes last, so that wrong options are reported at once.
    import json

    from dsg.apps.trained import make_folder
    from dsg.runtime.devices import parse_gpus, select_devices
    from dsg.runtime.files import write_text

    if len(parse_gpus(options.gpu)) > 1:
        raise UserError(f"--gpu {options.gpu}: the cost is measured on a single GPU")
    settings = _settings(options)
    if options.name != Path(options.name).name:
        raise UserError(f"--name {options.name}: give a plain name without '/'")
    options.dataset = options.split = options.data = ""
    meaning = meaning_of(options)
    if meaning.config.model != "grounding":
        _check_graph(meaning.config)
    folder = make_folder(Path(options.output) / meaning.net / "cost" / options.name)
    select_devices(options.gpu)

    name, files = " ".join([meaning.net, *options.set]), "cost.md, cost.json"
    if meaning.config.model == "grounding":
        from dsg.apps.cost.grounded import measure_grounding
        from dsg.apps.cost.grounded_report import format_grounded

        report = measure_grounding(meaning.config, settings)
        text = format_grounded(report, name)
    else:
        from dsg.apps.cost.measurement import build_pair, measure_cost
        from dsg.apps.cost.report import draw_cost, format_cost

        report = measure_cost(build_pair(meaning.config, settings), settings)
        text = format_cost(report, name)
        draw_cost(report, folder / "cost.png")
        files += ", cost.png"
    write_text(folder / "cost.json", json.dumps(report, indent=1) + "\n")
    write_text(folder / "cost.md", text)
    print(f"{text}\n{folder}/{files}")


def _settings(options: argparse.Namespace) -> CostSettings:
    values = {item.name: getattr(options, item.name) for item in fields(CostSettings) if item.name in options}
    for name, value in values.items():
        least = LEAST.get(name, 1)
        if value < least:
            raise UserError(f"--{name} is {value}; it takes at least {least}")
    if options.no_times:
        values["repeats"] = 0
    return CostSettings(**values)


def _check_graph(config: Config) -> None:
    if not config.has_graph:
        raise UserError(
            "this configuration has no graph: leave out VARIANT no_dsg, RR_SOURCE and BOX_SOURCE (the cost "
            "with and without the graph is measured in one run)"
        )
