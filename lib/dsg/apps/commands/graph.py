"""Decode labelled scene graphs: as JSON, as Graphviz DOT, and drawn; of grounded graphs also the masks.

For images and folders of images (files go to --to, default: output/scene_graphs):

    dsg graph photo.jpg photos --snapshot mine_iter_0.npz

For a data set's split (files go to the run's folder): of a network that answers queries with the accuracy of
the labels beside the paper's, of a grounded one with boxes and labels given as --setting says:

    dsg graph --dataset visualgenome --split validation --net res101 --name mine --gpu 0
    dsg graph --dataset vg150 --net grounding_x101_32x8d_fpn --name mine --setting sgcls --gpu 0
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dsg.apps.bundled import snapshot_or_bundled
from dsg.apps.parser import Parser
from dsg.apps.trained import (
    GRAPHS,
    add_folder_option,
    add_setting_option,
    add_trained_options,
    find_trained,
    folder_for,
)
from dsg.errors import UserError


def add_arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument(
        "images",
        nargs="*",
        type=Path,
        metavar="IMAGE",
        help="images, or folders of images, instead of --dataset",
    )
    add_trained_options(parser, needs_data=False)
    add_folder_option(parser)
    parser.add_argument("--nodes", type=int, default=6, metavar="N", help="entities in a graph (default: 6)")
    parser.add_argument("--edges", type=int, default=8, metavar="N", help="relations in a graph (default: 8)")
    parser.add_argument(
        "--pictures", type=int, default=12, metavar="N", help="images of a split to draw (default: 12)"
    )
    parser.add_argument(
        "--iou", type=float, default=0.8, help="lowest IoU at which a proposal's labels count (default: 0.8)"
    )
    add_setting_option(parser)


def run(options: argparse.Namespace) -> None:
    """Decode."""
    # TensorFlow takes seconds to load and comes last, so that wrong options are reported at once.
    from dsg.runtime.devices import parse_gpus

    parse_gpus(options.gpu)
    _check(options.nodes, options.edges, options.pictures, options.iou)
    if options.images:
        _of_images(options)
    elif options.dataset:
        _of_split(options)
    else:
        raise UserError("nothing to decode: give image files, or a data set with --dataset")


def _of_split(options: argparse.Namespace) -> None:
    from dsg.apps.trained import load_network
    from dsg.config.names import GROUNDING
    from dsg.runtime.devices import select_devices

    trained = find_trained(options, options.snapshot, wanted=GRAPHS)
    grounded = trained.config.model == GROUNDING
    if options.setting and not grounded:
        raise UserError("--setting is for grounded graphs; what other networks are given is one thing only")
    folder = folder_for(options, trained, "scene_graphs")
    select_devices(options.gpu)
    model = load_network(trained)
    limits = {"pictures": options.pictures, "nodes": options.nodes, "edges": options.edges}
    if grounded:
        from dsg.apps.scene_graphs.annotated import network_of
        from dsg.apps.scene_graphs.grounded import grounded_graphs_of_split

        words = trained.data.vocabulary
        network = network_of(trained.about, model, trained.config, words, options.setting)
        grounded_graphs_of_split(network, trained.data, folder, **limits)
        return

    from dsg.apps.scene_graphs.command import graphs_of_split

    graphs_of_split(
        model,
        trained.config,
        trained.data,
        folder,
        about=trained.about,
        **limits,
        threshold=options.iou,
    )


def _of_images(options: argparse.Namespace) -> None:
    from dsg.apps.ask.scenes import image_files
    from dsg.apps.trained import make_folder
    from dsg.config.names import GROUNDING
    from dsg.engine.snapshots import load_meta
    from dsg.models.kinds import check_answers_queries, check_grounds, model_of
    from dsg.runtime.devices import select_devices

    if options.dataset:
        raise UserError("give either image files or --dataset, not both")
    if options.net or options.cfg or options.set:
        raise UserError("--net, --cfg and --set need --dataset: for image files the snapshot decides")
    if options.setting:
        raise UserError("--setting needs --dataset: of image files nothing is known beforehand")
    snapshot = snapshot_or_bundled(Path(options.snapshot) if options.snapshot else None)
    files = image_files(options.images)
    for path in (snapshot, *files):
        if not path.exists():
            raise UserError(f"{path}: no such file")
    meta = load_meta(snapshot)
    grounded = model_of(meta) == GROUNDING
    check = check_grounds if grounded else check_answers_queries
    check(snapshot, meta)
    folder = make_folder(Path(options.to or "output/scene_graphs"))
    select_devices(options.gpu)
    limits = {"nodes": options.nodes, "edges": options.edges}
    if grounded:
        from dsg.apps.scene_graphs.grounded import grounded_graphs_of_images

        grounded_graphs_of_images(snapshot, files, folder, **limits)
    else:
        from dsg.apps.scene_graphs.command import graphs_of_images

        graphs_of_images(snapshot, files, folder, **limits)


def _check(nodes: int, edges: int, pictures: int, iou: float) -> None:
    if nodes < 1 or edges < 0 or pictures < 0:
        raise UserError("--nodes must be at least 1, --edges and --pictures at least 0")
    if not 0 <= iou <= 1:
        raise UserError(f"--iou must be from 0 to 1, not {iou:g}")
