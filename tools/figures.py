#!/usr/bin/env python3
"""The paper's figures for a trained network and a data set. KIND is one of

    answers    six successes and six failures, with queries, truth and answers (figure 4)
    boxes      proposals, entities before and after refinement, background boxes, answer (figure 3)
    attention  the most attended boxes, and the scene graph decoded from them (figure 6)
    variants   queries that the first of several networks answers and another does not (figure 7)

and of the baselines that shift attention, ssas and ss:

    shifts      what each predicate makes of a spot in the middle, from subject to object and back
    iterations  attention to subject and object before and after each shift
    saccades    attention that follows two relations: plate, on table, right of person

Example:

    python tools/figures.py answers --imdb visualgenome --net res101 --model mine_iter_0 --gpu 0
    python tools/figures.py variants --imdb vrd --net res101 \\
        --model DSG=table_dsg_iter_0 --model NO-DSG=table_no_dsg_iter_0
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dsg.apps.cli import main  # noqa: E402
from dsg.errors import UserError  # noqa: E402

SHIFTS = ("shifts", "iterations", "saccades")
KINDS = ("answers", "boxes", "attention", "variants", *SHIFTS)


def run(arguments: Sequence[str]) -> None:
    """Parse the options and draw."""
    # TensorFlow, which takes seconds to load, comes last: what is wrong with the options is said at once.
    from dsg.apps.snapshot_choice import result_folder
    from dsg.apps.trained import find_trained, load_network, make_folder, trained_parser
    from dsg.runtime.devices import parse_gpus, select_devices

    assert __doc__
    parser = trained_parser("figures.py", __doc__, several=True)
    parser.add_argument("kind", metavar="KIND", choices=KINDS, help=", ".join(KINDS))
    parser.add_argument("--to", default="", metavar="DIR", help="folder of the pictures")
    parser.add_argument(
        "--count", type=int, default=0, metavar="N", help="answers of each sort (6), images (3)"
    )
    parser.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="NAME",
        help="of boxes, attention, iterations, saccades: this one",
    )
    options = parser.parse_args(arguments)
    parse_gpus(options.gpu)
    if options.count < 0:
        raise UserError(f"--count is {options.count}; it takes at least 1")
    if len(options.model) > 1 and options.kind != "variants":
        raise UserError(f"{options.kind} are drawn for one network: give --model once")
    named = [_labelled(text) for text in options.model]
    several = [find_trained(options, text, shifting=options.kind in SHIFTS) for _, text in named]
    first = several[0]
    folder = (
        result_folder(first.path, Path(options.output), options.net or first.config.net, first.data)
        / "figures"
    )
    folder = make_folder(Path(options.to) if options.to else folder)
    select_devices(options.gpu)

    from dsg.apps.figures.command import answers_figure, image_figures, shift_figures, variants_figure
    from dsg.apps.figures.variants import Network

    labels = [label or trained.path.stem for (label, _), trained in zip(named, several)]
    twice = [label for place, label in enumerate(labels) if label in labels[:place]]
    if twice:
        raise UserError(f"two networks are called {twice[0]!r}: give --model LABEL=SNAPSHOT for one of them")
    networks = [Network(label, load_network(one), one.config) for label, one in zip(labels, several)]
    if options.kind == "answers":
        answers_figure(networks[0], first.data, folder, count=options.count or 6)
    elif options.kind == "variants":
        variants_figure(networks, first.data, folder)
    else:
        draw = shift_figures if options.kind in SHIFTS else image_figures
        draw(options.kind, networks[0], first.data, folder, count=options.count or 3, names=options.image)


def _labelled(text: str) -> tuple[str, str]:
    """`LABEL=SNAPSHOT`, or a snapshot without a label."""
    label, separator, model = text.partition("=")
    return (label, model) if separator and not Path(text).is_file() else ("", text)


if __name__ == "__main__":
    main(run)
