"""Sort the failures of a snapshot on a split by cause: tables, JSON, and a chart or a page of pictures.

Of a network that answers queries: its failed subjects and objects. The causes stand in for the paper's manual
analysis: detector, misclassified, relation, multiplicity, other. Of a detector: its wrong detections and the
missed objects, by kind as TIDE has them, and the worst images. The files go to the run's folder. Examples:

    dsg failures --dataset visualgenome --net res101 --name mine --gpu 0
    dsg failures --dataset shapes --net detector_mini --name first
"""

from __future__ import annotations

import argparse

from dsg.apps.parser import Parser
from dsg.apps.trained import FAILING, add_folder_option, add_trained_options, find_trained, folder_for
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
        help="an answer, or a detection on an object, has failed below this IoU (default: 0.5)",
    )
    parser.add_argument(
        "--score",
        type=float,
        metavar="P",
        help="of a detector: lowest score of a detection that counts (default: 0.5)",
    )


def run(options: argparse.Namespace) -> None:
    """Report."""
    # TensorFlow takes seconds to load and comes last, so that wrong options are reported at once.
    from dsg.apps.trained import load_network
    from dsg.config.names import DETECTOR
    from dsg.runtime.devices import select_devices

    if not 0 < options.below <= 1:
        raise UserError(f"--below must be above 0 and at most 1, not {options.below:g}")
    if options.score is not None and not 0 <= options.score <= 1:
        raise UserError(f"--score must be from 0 to 1, not {options.score:g}")
    trained = find_trained(options, options.snapshot, wanted=FAILING)
    detects = trained.config.model == DETECTOR
    if options.score is not None and not detects:
        raise UserError(f"--score is for detectors; {trained.config.net} answers queries")
    folder = folder_for(options, trained, "failures")
    select_devices(options.gpu)
    model = load_network(trained)
    if detects:
        from dsg.apps.failures.detector import find_object_failures, write_object_report
        from dsg.datasets.detection import InstanceDataset

        assert isinstance(trained.data, InstanceDataset)
        wanted = {} if options.score is None else {"score": options.score}
        objects, worst = find_object_failures(
            *(model, trained.config, trained.data), about=trained.about, on=options.below, **wanted
        )
        write_object_report(objects, worst, trained.data.vocabulary.objects, folder)
        return

    from dsg.apps.failures.command import find_failures, write_report

    report = find_failures(model, trained.config, trained.data, about=trained.about, below=options.below)
    write_report(report, folder)
