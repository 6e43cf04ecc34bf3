"""Answer queries about the bundled pictures with the bundled model; draw the answers and the scene graphs.

The answers are known, so that the IoU stands beside each query. `dsg ask` asks pictures of your own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dsg.apps.bundled import bundled_folder, snapshot_or_bundled
from dsg.apps.parser import Parser
from dsg.errors import UserError


def add_arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument(
        "--query",
        action="append",
        default=[],
        metavar="TEXT",
        help="subject, predicate, object in words of the snapshot's vocabulary; may be repeated",
    )
    parser.add_argument(
        "--image",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="ask about this picture, or those in this folder, instead, as `dsg ask` does; may be repeated",
    )
    parser.add_argument(
        "--snapshot",
        old=("--model",),
        type=Path,
        metavar="FILE",
        help="trained model (.npz; default: the bundled one)",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("output/demo"), metavar="DIR", help="default: output/demo"
    )
    parser.add_argument("--gpu", default="cpu", help="0, or cpu (default)")


def run(options: argparse.Namespace) -> None:
    """Demonstrate."""
    snapshot, folder = snapshot_or_bundled(options.snapshot), bundled_folder()
    if options.image:
        from dsg.apps.ask.command import ask

        ask(snapshot, options.image, options.query, out=options.output, devices=options.gpu)
        return
    if folder is None:
        raise UserError(
            "the demonstration's pictures lie in a clone, and this is none; `dsg ask` asks others"
        )

    from dsg.apps.demo.command import demo

    demo(folder, snapshot, options.output, options.query, options.gpu)
