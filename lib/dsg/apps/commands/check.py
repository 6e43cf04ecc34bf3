"""Check whether a data set can be used: all its problems at once, its statistics, and plots.

Exit status: 0 usable, 1 not usable, 2 wrong options or no such data set. The results are report.txt,
statistics.json, statistics.png, and problems.jsonl with a line for each problem. Examples:

    dsg check vrd --no-images
    dsg check ~/photos-rr --net res18_photos
    dsg check coco --sample 500
    dsg check shapes --net detector_mini        # its objects, as a detector reads them
    dsg check shapes150                         # scene graphs, and masks of other images
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from dsg.apps.configurations import files_of
from dsg.apps.parser import Parser
from dsg.apps.run_options import add_pairs
from dsg.errors import UserError

if TYPE_CHECKING:
    from dsg.config import Config

NOT_USABLE_STATUS = 1


def add_arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument(
        *("dataset",),
        metavar="DATASET",
        help="its name (visualgenome, vrd, clevr, shapes, pascal_voc, pascal_voc_0712, coco, vg150, "
        "shapes150), or its folder",
    )
    parser.add_argument("--data", default="data", metavar="DIR", help="the data folder (default: data)")
    parser.add_argument(
        "--net",
        default="",
        help="also say how many boxes the anchors of this network reach, as before training",
    )
    add_pairs(parser, bare=False)
    parser.add_argument("--no-images", action="store_true", help="check the annotations only")
    parser.add_argument(
        "--sample", type=int, default=0, metavar="N", help="read only N images of each split, spread evenly"
    )
    parser.add_argument(
        "--output",
        default="output",
        metavar="DIR",
        help="the report goes to DIR/check/<name> (default: output)",
    )


def _config_of(options: argparse.Namespace) -> Config | None:
    """The options of the network that is named, for this data set; None without --net."""
    if not options.net:
        if options.set:
            raise UserError("--set needs --net, the network whose options these are")
        return None
    from dsg.config import BASELINES, NETS, load_config

    files = files_of(options.dataset, options.net)
    config = load_config(files, options.set, options.net if options.net in NETS else "")
    if config.model in BASELINES:
        raise UserError(f"--net {options.net}: a baseline, which has no anchors; name another network")
    return config


def run(options: argparse.Namespace) -> int:
    """Check and report."""
    if options.sample < 0:
        raise UserError("--sample takes a positive number")

    config = _config_of(options)

    from dsg.config.names import DETECTOR
    from dsg.datasets.catalogue import folder_of
    from dsg.datasets.instance_layouts import for_detection_alone
    from dsg.datasets.scene_graph_layout import is_graph_folder, known_name
    from dsg.runtime.paths import expanded

    data_dir = expanded(options.data)
    dataset = str(expanded(options.dataset)) if options.dataset.startswith("~") else options.dataset
    folder = folder_of(dataset, data_dir)
    if known_name(dataset) or (folder is not None and is_graph_folder(folder)):
        from dsg.apps.checks.graphs import check_graphs as check_dataset
    elif for_detection_alone(dataset, data_dir) or (config is not None and config.model == DETECTOR):
        from dsg.apps.checks.detection import check_instances as check_dataset
    else:
        from dsg.apps.checks.command import check_dataset
    check = check_dataset(
        *(dataset, data_dir),
        images=not options.no_images,
        sample=options.sample,
        net=options.net,
        config=config,
    )
    try:
        written = check.write(Path(options.output) / "check" / check.name)
    finally:  # what took long to find is printed even if it cannot be written
        print("\n".join(check.lines()))
    for path in written:
        print(path)
    return 0 if check.usable else NOT_USABLE_STATUS
