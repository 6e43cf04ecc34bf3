"""Train a network: snapshots, history and pictures go to <output>/<net>/<dataset>_train/<name>/.

The same command resumes an interrupted run, or says that the run is finished. The data sets `shapes` and
`shapes150` are generated if they do not exist. Examples:

    dsg train --dataset shapes --net mini --name quickstart
    dsg train --dataset visualgenome --net res101 --name mine --gpu 0 TRAIN.LEARNING_RATE 0.002
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dsg.apps.generation import generate_absent_graphs, generate_absent_shapes
from dsg.apps.parser import Parser
from dsg.apps.run_options import add_run_options, demand_net, meaning_of
from dsg.apps.splits import split_at_end
from dsg.engine.names import check_run_name

BARE = "set"


def add_arguments(parser: Parser) -> None:
    """The options."""
    add_run_options(parser)
    parser.add_argument(
        "--name", old=("--tag",), default="default", help="name of the run (default: default)"
    )
    parser.add_argument(
        "--validation-split",
        old=("--imdbval",),
        default="validation",
        metavar="SPLIT",
        help="split to validate on (default: validation)",
    )
    parser.add_argument(
        "--weights", old=("--weight",), default="", metavar="FILE", help="weights to start from (WEIGHTS)"
    )
    parser.add_argument(
        "--epochs", old=("--iters",), default="", metavar="N", help="epochs to train (TRAIN.EPOCHS)"
    )
    parser.add_argument(
        "--then-test", action="store_true", help="first check that there is a split to test on afterwards"
    )
    parser.add_argument("--check", action="store_true", help="only check the options")


def run(options: argparse.Namespace) -> None:
    """Train."""
    # TensorFlow takes seconds to load and comes last, so that wrong options are reported at once.
    check_run_name(options.name)
    demand_net(options)
    validation_split = split_at_end(options.validation_split, "--validation-split")
    extra = ["WEIGHTS", options.weights] if options.weights else []
    extra += ["TRAIN.EPOCHS", options.epochs] if options.epochs else []
    meaning = meaning_of(options, "train", extra)
    if options.check:
        return
    generate_absent_shapes(meaning.dataset, meaning.data_dir)
    generate_absent_graphs(meaning.dataset, meaning.data_dir)

    from dsg.engine.runs import Run
    from dsg.pipeline.splits import load_examined, load_splits

    config = meaning.config
    if options.then_test:
        load_examined(config, meaning.dataset, "test")
    training, validation = load_splits(config, meaning.dataset, (meaning.split, validation_split))
    training_run = Run.of(Path(options.output), meaning.net, training.name, options.name)
    training_run.make_folder()

    from dsg.runtime.devices import select_devices

    strategy = select_devices(options.gpu)

    from dsg.apps.report.write import report_finished
    from dsg.config import automatic
    from dsg.engine.resume import chosen_before
    from dsg.engine.train import train
    from dsg.models.registry import task_of
    from dsg.pipeline.anchor_choice import with_anchors

    requested = automatic(config)
    config = with_anchors(config, training, chosen_before(training_run, requested))
    train(
        task_of(config),
        config,
        training,
        validation,
        training_run,
        strategy=strategy,
        finished=report_finished,
        command=options.command,
        automatic=requested,
    )
