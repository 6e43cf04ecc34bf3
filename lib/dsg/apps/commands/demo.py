"""Answer queries about the bundled images with the bundled model; draw the answers and the scene graphs.

The true answers are known, so each query is printed with its IoU. `dsg ask` answers queries about your own
images.
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
        help="subject, predicate, object, in words of the model's vocabulary; can be repeated",
    )
    parser.add_argument(
        "--image",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="ask about this image or folder instead, as `dsg ask` does; can be repeated",
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
            "the bundled images come with a clone of the repository, and this is not one; use `dsg ask` for "
            "your own"
        )

    from dsg.apps.demo.command import demo

    demo(folder, snapshot, options.output, options.query, options.gpu)
