#!/usr/bin/env python3
"""Why answers fail: each failed subject or object of a split in a class, as table, JSON and bars.

The classes stand in for the paper's manual analysis: detector, misclassified, relation, multiplicity, other.
Files go to the run's folder. Example:

    python tools/failures.py --imdb visualgenome --net res101 --model mine_iter_0 --gpu 0
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dsg.apps.cli import main  # noqa: E402
from dsg.errors import UserError  # noqa: E402


def run(arguments: Sequence[str]) -> None:
    """Parse the options and report."""
    # TensorFlow, which takes seconds to load, comes last: what is wrong with the options is said at once.
    from dsg.apps.snapshot_choice import result_folder
    from dsg.apps.trained import find_trained, load_network, make_folder, trained_parser
    from dsg.runtime.devices import parse_gpus, select_devices

    assert __doc__
    parser = trained_parser("failures.py", __doc__)
    parser.add_argument("--to", default="", metavar="DIR", help="folder of the files")
    parser.add_argument("--below", type=float, default=0.5, metavar="IOU", help="what fails (default: 0.5)")
    options = parser.parse_args(arguments)
    if not 0 < options.below <= 1:
        raise UserError(f"--below is above 0 and at most 1, not {options.below:g}")
    parse_gpus(options.gpu)
    trained = find_trained(options, options.model)
    net = options.net or trained.config.net
    folder = result_folder(trained.path, Path(options.output), net, trained.data) / "failures"
    folder = make_folder(Path(options.to) if options.to else folder)
    select_devices(options.gpu)
    model = load_network(trained)

    from dsg.apps.failures.command import find_failures, write_report

    about = f"{trained.path.stem} on {trained.data.name} {trained.data.split}"
    write_report(find_failures(model, trained.config, trained.data, about=about, below=options.below), folder)


if __name__ == "__main__":
    main(run)
