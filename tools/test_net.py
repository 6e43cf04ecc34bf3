#!/usr/bin/env python3
"""Test a snapshot: a table, results.json, a row for every query and pictures go into its run's folder.

The snapshot is <name>_iter_N of a run (<name>_iter_0 is the best one), dsg_pretrained, or a file. Example:

    python tools/test_net.py --imdb visualgenome --net res101 --cfg experiments/cfgs/visualgenome.yml \\
        --cfg experiments/cfgs/res101.yml --model mine_iter_0 --gpu 0
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dsg.apps.cli import config_of, dataset_and_split, main, run_parser  # noqa: E402


def run(arguments: Sequence[str]) -> None:
    """Parse the options and test."""
    # TensorFlow, which takes seconds to load, comes last: what is wrong with the options is said at once.
    from dsg.apps.snapshot_choice import earlier_table, is_snapshot, result_folder, stored_config
    from dsg.datasets.catalogue import find_dataset
    from dsg.engine.runs import find_snapshot
    from dsg.pipeline.splits import load_examined

    assert __doc__
    parser = run_parser("test_net.py", __doc__)
    parser.add_argument("--imdb", "--imdbtest", required=True, help="data set to test on: a name or a folder")
    parser.add_argument(
        "--model", required=True, metavar="SNAPSHOT", help="<name>_iter_N, dsg_pretrained, a file"
    )
    parser.add_argument(
        "--reuse", action="store_true", help="only show the table where this was tested before"
    )
    options = parser.parse_args(arguments)
    config, pairs = config_of(options)
    dataset, split = dataset_and_split(options.imdb, "test", Path(config.data.dir))
    name = find_dataset(dataset, Path(config.data.dir))[0]
    net, output = options.net or config.net, Path(options.output)
    path = find_snapshot(options.model, output, net, name, Path(config.data.dir))
    if is_snapshot(path):
        config = stored_config(path, config, pairs)
    data = load_examined(config, dataset, split)
    folder = result_folder(path, output, net, data)
    table = earlier_table(folder, path, config, data) if options.reuse else None
    if table is not None:
        print(f"{path.stem} is tested already; results and pictures: {folder}\n\n{table}")
        return

    from dsg.runtime.devices import select_devices

    select_devices(options.gpu)

    from dsg.apps.testing import evaluate_snapshot

    evaluate_snapshot(path, config, data, folder)


if __name__ == "__main__":
    main(run)
