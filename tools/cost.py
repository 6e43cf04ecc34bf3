#!/usr/bin/env python3
"""What the graph costs (the paper's Table 3): parameters, operations and seconds with the graph and without.

Table, JSON and picture go to <output>/<net>/cost/, with --tag to <output>/<net>/cost/<tag>/. Example:

    python tools/cost.py --cfg experiments/cfgs/res101_paper.yml --no-times --set RELATION_POOLING_SIZE 1
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dsg.apps.cli import config_of, main, run_parser  # noqa: E402
from dsg.apps.cost.settings import CostSettings  # noqa: E402
from dsg.config import Config  # noqa: E402
from dsg.errors import UserError  # noqa: E402

LEAST = {"width": 16, "height": 16, "objects": 2}  # 1 of everything else


def run(arguments: Sequence[str]) -> None:
    """Parse the options, count, measure, print, and write."""
    # TensorFlow, which takes seconds to load, comes last: what is wrong with the options is said at once.
    from dsg.engine.runs import Run
    from dsg.runtime.devices import parse_gpus, select_devices
    from dsg.runtime.files import write_text

    options = _parser().parse_args(arguments)
    if len(parse_gpus(options.gpu)) > 1:
        raise UserError(f"the cost of one image is measured on one GPU, not on {options.gpu}")
    settings = _settings(options)
    config, _ = config_of(options)
    _check_graph(config)
    net = options.net or config.net
    if options.tag != Path(options.tag).name:
        raise UserError(f"--tag {options.tag}: give a plain name without '/'")
    folder = Path(options.output) / net / "cost" / options.tag
    Run(folder, "cost").make_folder()
    select_devices(options.gpu)

    from dsg.apps.cost.measurement import build_pair, measure_cost
    from dsg.apps.cost.report import draw_cost, format_cost

    report = measure_cost(build_pair(config, settings), settings)
    text = format_cost(report, " ".join([net, *options.set]))
    write_text(folder / "cost.json", json.dumps(report, indent=1) + "\n")
    write_text(folder / "cost.md", text)
    draw_cost(report, folder / "cost.png")
    print(f"{text}\n{folder}/cost.md, cost.json, cost.png")


def _parser() -> argparse.ArgumentParser:
    assert __doc__
    parser = run_parser("cost.py", __doc__)
    parser.add_argument("--no-times", action="store_true", help="only count parameters and operations")
    texts = {
        "width": "pixels of the image before it is scaled",
        "height": "likewise",
        "queries": "queries of the image",
        "objects": "ground-truth boxes of the image",
        "entities": "categories of the vocabulary",
        "predicates": "predicates of the vocabulary",
        "repeats": "runs of each, in turns",
    }
    defaults = CostSettings()
    for name, text in texts.items():
        value = getattr(defaults, name)
        parser.add_argument(
            f"--{name}", type=int, default=value, metavar="N", help=f"{text} (default: {value})"
        )
    return parser


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
            "this configuration has no graph whose cost could be told: leave out VARIANT no_dsg, RR_SOURCE "
            "and BOX_SOURCE; with and without are measured in one go"
        )


if __name__ == "__main__":
    main(run)
