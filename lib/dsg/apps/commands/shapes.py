"""Generate the data set `shapes`: lit solids with complete relations, in the layout of the CLEVR release."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dsg.apps.parser import Parser


def add_arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path("data/shapes"),
        metavar="DIR",
        help="folder of the data set (default: data/shapes)",
    )
    parser.add_argument(
        "--train", type=int, default=3000, metavar="N", help="number of train images (default: 3000)"
    )
    parser.add_argument(
        "--test", type=int, default=400, metavar="N", help="number of test images (default: 400)"
    )
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        default=(192, 128),
        metavar=("WIDTH", "HEIGHT"),
        help="size of the images in pixels (default: 192 128)",
    )
    parser.add_argument(
        "--objects",
        type=int,
        nargs=2,
        default=(3, 7),
        metavar=("FEWEST", "MOST"),
        help="number of solids in an image (default: 3 7)",
    )
    parser.add_argument(
        "--palette",
        choices=("clevr", "other"),
        default="clevr",
        help="colours of the solids: CLEVR's (default) or eight others",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="another seed gives other images (default: 0)"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: one per processor)")
    parser.add_argument(
        "--force", action="store_true", help="replace a data set that was generated with other settings"
    )


def run(options: argparse.Namespace) -> None:
    """Generate."""
    from dsg.datasets.shapes.generator import generate_shapes

    try:
        folder = generate_shapes(
            options.folder,
            train=options.train,
            test=options.test,
            size=tuple(options.size),
            seed=options.seed,
            workers=options.workers,
            objects=tuple(options.objects),
            force=options.force,
            palette=options.palette,
        )
    except KeyboardInterrupt:
        print(f"{options.folder}: nothing was changed", file=sys.stderr)
        raise
    print(f"{folder}: {options.train} train and {options.test} test images")
