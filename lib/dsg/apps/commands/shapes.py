"""Generate the data set `shapes`: lit solids with complete relations, in the layout of the CLEVR release; or
`shapes150`: scene graphs in VG150's files and masks of other pictures. Examples:

    dsg shapes                              # data/shapes
    dsg shapes --graphs                     # data/shapes150
    dsg shapes /disk/few --graphs --train 200 --test 50 --masks 80
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dsg.apps.parser import Parser
from dsg.errors import UserError


def add_arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        metavar="DIR",
        help="folder of the data set (default: data/shapes; with --graphs data/shapes150)",
    )
    parser.add_argument(
        "--graphs",
        action="store_true",
        help="shapes150: scene graphs with few frequent and many rare predicates, and masks of other images",
    )
    parser.add_argument(
        "--masks",
        type=int,
        metavar="N",
        help="with --graphs: number of other images with masks to learn from (default: 800)",
    )
    parser.add_argument(
        "--train",
        type=int,
        metavar="N",
        help="number of train images (default: 3000; with --graphs 6000, a tenth of them for validation)",
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
        metavar=("FEWEST", "MOST"),
        help="number of solids in an image (default: 3 7; with --graphs 4 8)",
    )
    parser.add_argument(
        "--palette",
        choices=("clevr", "other"),
        help="colours of the solids: CLEVR's (default) or eight others; not with --graphs",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="another seed gives other images (default: 0)"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: one per processor)")
    parser.add_argument(
        "--force", action="store_true", help="replace a data set that was generated with other settings"
    )


def run(options: argparse.Namespace) -> None:
    """Generate.

    Raises:
        UserError: an option belongs to the other data set; see the generators.
    """
    from dsg.datasets.shapes.generator import generate_shapes
    from dsg.datasets.shapes.graph_generator import generate_graphs

    if options.graphs and options.palette:
        raise UserError("--palette: shapes150 has colours of its own; leave it out with --graphs")
    if options.masks is not None and not options.graphs:
        raise UserError("--masks: only with --graphs; shapes has masks of all its images")
    folder = options.folder or Path("data/shapes150" if options.graphs else "data/shapes")
    given = {"train": options.train, "objects": options.objects and tuple(options.objects)}
    own = {"masks": options.masks} if options.graphs else {"palette": options.palette}
    chosen = {name: value for name, value in {**given, **own}.items() if value is not None}
    generate = generate_graphs if options.graphs else generate_shapes
    try:
        folder = generate(
            folder,
            test=options.test,
            size=tuple(options.size),
            seed=options.seed,
            workers=options.workers,
            force=options.force,
            **chosen,
        )
    except KeyboardInterrupt:
        print(f"{folder}: nothing was changed", file=sys.stderr)
        raise
    train = chosen.get("train", 6000 if options.graphs else 3000)
    print(f"{folder}: {train} train and {options.test} test images")
