"""Why answers fail: each failed subject or object of a split in a class, as table, JSON and bars.

The classes stand in for the paper's manual analysis: detector, misclassified, relation, multiplicity, other.
Files go to the run's folder. Example:

    dsg failures --dataset visualgenome --net res101 --name mine --gpu 0
"""

from __future__ import annotations

import argparse

from dsg.apps.parser import Parser
from dsg.apps.trained import add_folder_option, add_trained_options, find_trained, folder_for
from dsg.errors import UserError

BARE = "set"


def add_arguments(parser: Parser) -> None:
    """The options."""
    add_trained_options(parser, bare=True)
    add_folder_option(parser)
    parser.add_argument("--below", type=float, default=0.5, metavar="IOU", help="what fails (default: 0.5)")


def run(options: argparse.Namespace) -> None:
    """Report."""
    # TensorFlow, which takes seconds to load, comes last: what is wrong with the options is said at once.
    from dsg.apps.trained import load_network
    from dsg.runtime.devices import select_devices

    if not 0 < options.below <= 1:
        raise UserError(f"--below is above 0 and at most 1, not {options.below:g}")
    trained = find_trained(options, options.snapshot)
    folder = folder_for(options, trained, "failures")
    select_devices(options.gpu)
    model = load_network(trained)

    from dsg.apps.failures.command import find_failures, write_report

    report = find_failures(model, trained.config, trained.data, about=trained.about, below=options.below)
    write_report(report, folder)
