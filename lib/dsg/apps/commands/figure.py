"""Draw the paper's figures for a trained network and a data set. KIND is one of

    answers    six successes and six failures, with queries, truth and answers (figure 4)
    boxes      proposals, entities before and after refinement, background boxes, answer (figure 3)
    attention  the boxes with most attention, and the scene graph decoded from them (figure 6)
    variants   queries that the first of several networks answers and another does not (figure 7)

and for the baselines that shift attention, ssas and ss:

    shifts      what each predicate makes of a spot in the middle, from subject to object and back
    iterations  attention to subject and object before and after each shift
    saccades    attention that follows two relations: plate, on table, right of person

Examples:

    dsg figure answers --dataset visualgenome --net res101 --name mine --gpu 0
    dsg figure variants --dataset vrd --net res101 \\
        --snapshot DSG=table_dsg_iter_0 --snapshot NO-DSG=table_no_dsg_iter_0
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dsg.apps.parser import Parser
from dsg.apps.trained import BOXES, SHIFTS, add_folder_option, add_trained_options, find_trained, folder_for
from dsg.errors import UserError

SHIFT_KINDS = ("shifts", "iterations", "saccades")
KINDS = ("answers", "boxes", "attention", "variants", *SHIFT_KINDS)


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
        help="successes and failures (default: 6), or images (default: 3)",
    )
    parser.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="NAME",
        help="draw this image; for boxes, attention, iterations and saccades",
    )


def run(options: argparse.Namespace) -> None:
    """Draw."""
    # TensorFlow takes seconds to load and comes last, so that wrong options are reported at once.
    from dsg.apps.trained import load_network
    from dsg.runtime.devices import select_devices

    if options.count < 0:
        raise UserError(f"--count must be at least 1, not {options.count}")
    if len(options.snapshot) > 1 and options.kind != "variants":
        raise UserError(f"the figure {options.kind} shows one network: give --snapshot once")
    shifting = options.kind in SHIFT_KINDS
    named = [_labelled(text) for text in options.snapshot] or [("", None)]
    several = [find_trained(options, text, wanted=SHIFTS if shifting else BOXES) for _, text in named]
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
    networks = [Network(label, load_network(one), one.config) for label, one in zip(labels, several)]
    if options.kind == "answers":
        answers_figure(networks[0], data, folder, count=options.count or 6)
    elif options.kind == "variants":
        variants_figure(networks, data, folder)
    else:
        draw = shift_figures if shifting else image_figures
        draw(options.kind, networks[0], data, folder, count=options.count or 3, names=options.image)


def _labelled(text: str) -> tuple[str, str | None]:
    """`LABEL=SNAPSHOT`, or a snapshot without a label."""
    label, separator, snapshot = text.partition("=")
    return (label, snapshot) if separator and not Path(text).is_file() else ("", text)
