"""Sort the failed subjects and objects of a split by cause: as table, JSON and bar chart.

The causes stand in for the paper's manual analysis: detector, misclassified, relation, multiplicity, other.
The files go to the run's folder. Example:

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
    parser.add_argument(
        "--below",
        type=float,
        default=0.5,
        metavar="IOU",
        help="an answer below this IoU has failed (default: 0.5)",
    )


def run(options: argparse.Namespace) -> None:
    """Report."""
    # TensorFlow takes seconds to load and comes last, so that wrong options are reported at once.
    from dsg.apps.trained import load_network
    from dsg.runtime.devices import select_devices

    if not 0 < options.below <= 1:
        raise UserError(f"--below must be above 0 and at most 1, not {options.below:g}")
    trained = find_trained(options, options.snapshot)
    folder = folder_for(options, trained, "failures")
    select_devices(options.gpu)
    model = load_network(trained)

    from dsg.apps.failures.command import find_failures, write_report

    report = find_failures(model, trained.config, trained.data, about=trained.about, below=options.below)
    write_report(report, folder)
