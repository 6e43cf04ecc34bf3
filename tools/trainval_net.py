#!/usr/bin/env python3
"""Train a network: snapshots, history and pictures go to <output>/<net>/<dataset>_train/<tag>/.

Given again, the same command resumes an interrupted run, or says that it is done. Example:

    python tools/trainval_net.py --imdb visualgenome --net res101 --cfg experiments/cfgs/visualgenome.yml \\
        --cfg experiments/cfgs/res101.yml --tag mine --gpu 0 --set TRAIN.LEARNING_RATE 0.002
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dsg.apps.cli import config_of, dataset_and_split, main, run_parser, split_at_end  # noqa: E402


def run(arguments: Sequence[str]) -> None:
    """Parse the options and train."""
    # TensorFlow, which takes seconds to load, comes last: what is wrong with the options is said at once.
    from dsg.engine.runs import Run
    from dsg.pipeline.splits import load_splits
    from dsg.runtime.devices import parse_gpus

    assert __doc__
    parser = run_parser("trainval_net.py", __doc__)
    parser.add_argument("--imdb", required=True, help="data set to train on: a name or a folder")
    parser.add_argument("--imdbval", default="validation", help="split to validate on (default: validation)")
    parser.add_argument("--weight", default="", metavar="FILE", help="trunk weights to start from")
    parser.add_argument("--iters", default="", metavar="N", help="epochs to train")
    parser.add_argument("--check", action="store_true", help="only check the options")
    options = parser.parse_args(arguments)
    extra = ["WEIGHTS", options.weight] if options.weight else []
    extra += ["TRAIN.EPOCHS", options.iters] if options.iters else []
    config, _ = config_of(options, extra)
    parse_gpus(options.gpu)
    validation_split = split_at_end(options.imdbval, "--imdbval")
    if options.check:
        return
    dataset, split = dataset_and_split(options.imdb, "train", Path(config.data.dir))
    training, validation = load_splits(config, dataset, (split, validation_split))
    net = options.net or config.net
    training_run = Run.of(Path(options.output), net, training.name, options.tag or "default")
    training_run.make_folder()

    from dsg.runtime.devices import select_devices

    strategy = select_devices(options.gpu)

    from dsg.apps.report.write import report_finished
    from dsg.engine.train import train
    from dsg.models.registry import task_of

    command = shlex.join(["tools/trainval_net.py", *arguments])
    train(
        task_of(config),
        config,
        training,
        validation,
        training_run,
        strategy=strategy,
        finished=report_finished,
        command=command,
    )


if __name__ == "__main__":
    main(run)
