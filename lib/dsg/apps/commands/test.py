"""Test a snapshot: a table, results.json, a line for every query and pictures go to its run's folder.

Examples:

    dsg test --dataset shapes --net mini --name quickstart
    dsg test --dataset visualgenome --net res101 --snapshot mine_iter_3 --gpu 0
    dsg test --dataset vrd --snapshot FILE.npz
"""

from __future__ import annotations

import argparse

from dsg.apps.parser import Parser
from dsg.apps.trained import ANY, add_trained_options, find_trained

BARE = "set"


def add_arguments(parser: Parser) -> None:
    """The options."""
    add_trained_options(parser, bare=True)
    parser.add_argument("--reuse", action="store_true", help="only print the table if this was tested before")


def run(options: argparse.Namespace) -> None:
    """Test."""
    # TensorFlow takes seconds to load and comes last, so that wrong options are reported at once.
    trained = find_trained(options, options.snapshot, wanted=ANY)
    path, config, data, folder = trained
    if options.reuse:
        from dsg.apps.snapshot_choice import earlier_table

        table = earlier_table(folder, path, config, data)
        if table is not None:
            print(f"{path.stem} is tested already; results and pictures: {folder}\n\n{table}")
            return

    from dsg.runtime.devices import select_devices

    select_devices(options.gpu)

    from dsg.apps.testing import evaluate_snapshot

    evaluate_snapshot(path, config, data, folder)
