#!/usr/bin/env python3
"""Decode labelled scene graphs: as JSON, as Graphviz DOT, and drawn.

Of a data set's split, with the accuracy of the labels beside the paper's (files in the run's folder):

    python tools/scene_graph.py --imdb visualgenome_validation --net res101 --model mine_iter_0 --gpu 0

Of image files (files in --to, default output/scene_graphs):

    python tools/scene_graph.py --model mine_iter_0.npz photo.jpg another.jpg
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dsg.apps.cli import Parser, main  # noqa: E402
from dsg.errors import UserError  # noqa: E402


def run(arguments: Sequence[str]) -> None:
    """Parse the options and decode."""
    # TensorFlow, which takes seconds to load, comes last: what is wrong with the options is said at once.
    from dsg.apps.snapshot_choice import result_folder
    from dsg.apps.trained import find_trained, load_network, make_folder, trained_parser
    from dsg.runtime.devices import parse_gpus, select_devices

    assert __doc__
    parser = trained_parser("scene_graph.py", __doc__, needs_data=False)
    _add_options(parser)
    options = parser.parse_args(arguments)
    parse_gpus(options.gpu)
    _check(options.nodes, options.edges, options.pictures, options.iou)
    if options.images:
        if options.imdb:
            raise UserError("give either image files or --imdb, not both")
        _of_images(options)
        return
    if not options.imdb:
        raise UserError("nothing to decode: give image files, or a data set with --imdb")
    trained = find_trained(options, options.model)
    net = options.net or trained.config.net
    folder = result_folder(trained.path, Path(options.output), net, trained.data) / "scene_graphs"
    folder = make_folder(Path(options.to) if options.to else folder)
    select_devices(options.gpu)
    model = load_network(trained)

    from dsg.apps.scene_graphs.command import graphs_of_split

    graphs_of_split(
        model,
        trained.config,
        trained.data,
        folder,
        about=f"{trained.path.stem} on {trained.data.name} {trained.data.split}",
        pictures=options.pictures,
        nodes=options.nodes,
        edges=options.edges,
        threshold=options.iou,
    )


def _of_images(options: argparse.Namespace) -> None:
    from dsg.apps.trained import make_folder
    from dsg.runtime.devices import select_devices

    if options.net or options.cfg or options.set:
        raise UserError("--net, --cfg and --set are for --imdb: image files are asked as the snapshot says")
    snapshot = Path(options.model)
    for path in (snapshot, *options.images):
        if not path.is_file():
            raise UserError(f"{path}: no such file")
    folder = make_folder(Path(options.to or "output/scene_graphs"))
    select_devices(options.gpu)

    from dsg.apps.scene_graphs.command import graphs_of_images

    graphs_of_images(snapshot, options.images, folder, nodes=options.nodes, edges=options.edges)


def _add_options(parser: Parser) -> None:
    parser.add_argument("images", nargs="*", type=Path, metavar="IMAGE", help="image files instead of --imdb")
    parser.add_argument("--to", default="", metavar="DIR", help="folder of the files")
    parser.add_argument("--nodes", type=int, default=6, metavar="N", help="entities of a graph (default: 6)")
    parser.add_argument("--edges", type=int, default=8, metavar="N", help="relations of a graph (default: 8)")
    parser.add_argument(
        "--pictures", type=int, default=12, metavar="N", help="images of a split that are drawn (default: 12)"
    )
    parser.add_argument(
        "--iou", type=float, default=0.8, help="IoU from which a proposal's labels count (default: 0.8)"
    )


def _check(nodes: int, edges: int, pictures: int, iou: float) -> None:
    if nodes < 1 or edges < 0 or pictures < 0:
        raise UserError("--nodes takes at least 1, --edges and --pictures at least 0")
    if not 0 <= iou <= 1:
        raise UserError(f"--iou is between 0 and 1, not {iou:g}")


if __name__ == "__main__":
    main(run)
