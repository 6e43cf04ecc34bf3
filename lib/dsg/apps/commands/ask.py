"""Answer queries about images: where are the man and the horse of "man, riding, horse"?

Without --snapshot the bundled model answers, which knows only generated scenes of solids. Examples:

    dsg ask photo.jpg "man, riding, horse" --snapshot FILE
    dsg ask photos "man, riding, horse" "man, wearing, hat" --snapshot FILE --json
    dsg ask data/demo/images/demo_0.png "green metal cube, behind, yellow metal cylinder" --out answer.png

Boxes are x1 y1 x2 y2 in pixels of the image, turned upright by its EXIF orientation.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from dsg.apps.bundled import snapshot_or_bundled
from dsg.apps.parser import Parser
from dsg.errors import UserError
from dsg.runtime.words import COMMAS


def add_arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="IMAGE_OR_QUERY",
        help="images or folders of images, and queries: subject, predicate, object",
    )
    parser.add_argument("--image", action="append", default=[], metavar="FILE", help="another image")
    parser.add_argument(
        "--query",
        action="append",
        default=[],
        metavar="TEXT",
        help="another query, even if it looks like a file",
    )
    parser.add_argument(
        "--snapshot",
        old=("--model",),
        type=Path,
        metavar="FILE",
        help="trained model (.npz; default: the bundled one)",
    )
    parser.add_argument("--gpu", default="cpu", help="0, or cpu (default)")
    parser.add_argument("--json", action="store_true", help="print the answers as JSON")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="PATH",
        help="draw the answers: a .png file for one image, or a folder, with scene graphs and answers.json",
    )


def run(options: argparse.Namespace) -> None:
    """Ask."""
    pictures, queries = told_apart(options.words)
    pictures += map(Path, options.image)
    queries += options.query
    if not pictures:
        raise UserError("no image to ask about: give a file or a folder")
    if not queries:
        raise UserError('no query: give one such as "man, riding, horse"')
    snapshot = snapshot_or_bundled(options.snapshot)

    from dsg.apps.ask.command import ask

    ask(snapshot, pictures, queries, out=options.out, as_json=options.json, devices=options.gpu)


def told_apart(words: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The words that name files, and those that are queries: they contain a comma and name no file.

    Example:
        >>> told_apart(["a.jpg", "man, riding, horse"])
        ([PosixPath('a.jpg')], ['man, riding, horse'])
    """
    queries = [word for word in words if COMMAS.search(word) and not os.path.exists(word)]
    return [Path(word) for word in words if word not in queries], queries
