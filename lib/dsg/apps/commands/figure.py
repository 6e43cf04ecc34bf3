"""Draw the paper's figures for a trained network and a data set. KIND is one of

    answers    six successes and six failures, with queries, truth and answers (figure 4)
    boxes      proposals, entities before and after refinement, background boxes, answer (figure 3)
    attention  the boxes with most attention, and the scene graph decoded from them (figure 6)
    variants   queries that the first of several networks answers and another does not (figure 7)

and for the baselines that shift attention, ssas and ss:

    shifts      what each predicate makes of a spot in the middle, from subject to object and back
    iterations  attention to subject and object before and after each shift
    saccades    attention that follows two relations: plate, on table, right of person

and for grounded scene graphs, in the setting that --setting names or that the network was trained for:

    graphs      picture with masks, and the graph (figure 1 of the grounding paper)
    relations   relations and zero-shot triplets that the first of several networks finds and the others do
                not, with the masks (figure 3)
    regions     the regions of subject and object that the best relations attend to
    refinement  masks before and after refinement

Examples:

    dsg figure answers --dataset visualgenome --net res101 --name mine --gpu 0
    dsg figure variants --dataset vrd --net res101 \\
        --snapshot DSG=table_dsg_iter_0 --snapshot NO-DSG=table_no_dsg_iter_0
    dsg figure relations --dataset shapes150 --net grounding_mini \\
        --snapshot OURS=grounded_iter_0 --snapshot MOTIF=plain_iter_0
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dsg.apps.parser import Parser
from dsg.apps.trained import (
    BOXES,
    GROUNDED,
    SHIFTS,
    Trained,
    add_folder_option,
    add_setting_option,
    add_trained_options,
    find_trained,
    folder_for,
)
from dsg.errors import UserError

SHIFT_KINDS = ("shifts", "iterations", "saccades")
GRAPH_KINDS = ("graphs", "relations", "regions", "refinement")
SEVERAL = ("variants", "relations")  # networks
KINDS = ("answers", "boxes", "attention", "variants", *SHIFT_KINDS, *GRAPH_KINDS)


def add_arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument("kind", metavar="KIND", choices=KINDS, help=", ".join(KINDS))
    add_trained_options(parser, several=True)
    add_folder_option(parser, "folder of the pictures")
    parser.add_argument(
        "--count",
        type=int,
        default=0,
        metavar="N",
        help="successes and failures (default: 6), images (default: 3), or relations (default: 2)",
    )
    parser.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="NAME",
        help="draw this image; for boxes, attention, iterations, saccades, graphs, regions and refinement",
    )
    add_setting_option(parser)


def run(options: argparse.Namespace) -> None:
    """Draw."""
    # TensorFlow takes seconds to load and comes last, so that wrong options are reported at once.
    from dsg.apps.trained import load_network
    from dsg.runtime.devices import select_devices

    if options.count < 0:
        raise UserError(f"--count must be at least 1, not {options.count}")
    if len(options.snapshot) > 1 and options.kind not in SEVERAL:
        raise UserError(f"the figure {options.kind} shows one network: give --snapshot once")
    shifting, grounded = options.kind in SHIFT_KINDS, options.kind in GRAPH_KINDS
    if options.setting and not grounded:
        raise UserError(f"--setting is for {', '.join(GRAPH_KINDS)}, not for {options.kind}")
    wanted = SHIFTS if shifting else GROUNDED if grounded else BOXES
    named = [_labelled(text) for text in options.snapshot] or [("", None)]
    several = [find_trained(options, text, wanted=wanted) for _, text in named]
    data = several[0].data
    folder = folder_for(options, several[0], "figures")
    select_devices(options.gpu)

    from dsg.apps.figures.command import answers_figure, image_figures, shift_figures, variants_figure
    from dsg.apps.figures.variants import Network

    labels = [label or trained.path.stem for (label, _), trained in zip(named, several)]
    twice = [label for place, label in enumerate(labels) if label in labels[:place]]
    if twice:
        raise UserError(
            f"two networks are called {twice[0]!r}: name one of them with --snapshot LABEL=SNAPSHOT"
        )
    if grounded:
        _grounded(options, several, labels, folder)
        return
    networks = [Network(label, load_network(one), one.config) for label, one in zip(labels, several)]
    if options.kind == "answers":
        answers_figure(networks[0], data, folder, count=options.count or 6)
    elif options.kind == "variants":
        variants_figure(networks, data, folder)
    else:
        draw = shift_figures if shifting else image_figures
        draw(options.kind, networks[0], data, folder, count=options.count or 3, names=options.image)


def _grounded(
    options: argparse.Namespace, several: Sequence[Trained], labels: Sequence[str], folder: Path
) -> None:
    from dsg.apps.figures.command import grounded_figures
    from dsg.apps.scene_graphs.annotated import network_of
    from dsg.apps.trained import load_network

    data: Any = several[0].data
    networks = [
        network_of(label, load_network(one), one.config, data.vocabulary, options.setting)
        for label, one in zip(labels, several)
    ]
    count = options.count or (2 if options.kind == "relations" else 3)
    grounded_figures(options.kind, networks, data, folder, count=count, names=options.image)


def _labelled(text: str) -> tuple[str, str | None]:
    """`LABEL=SNAPSHOT`, or a snapshot without a label."""
    label, separator, snapshot = text.partition("=")
    return (label, snapshot) if separator and not Path(text).is_file() else ("", text)
