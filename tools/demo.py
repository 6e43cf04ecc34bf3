#!/usr/bin/env python3
"""Answer queries about images with a trained model, and draw the answers and the decoded scene graph.

Without options: the bundled images and the bundled model. Examples:

    python tools/demo.py
    python tools/demo.py --image scene.png --query "red metal cube, left, blue rubber sphere"
    python tools/demo.py --image photos --query "man, riding, horse" --snapshot FILE

Boxes in answers.json are x1 y1 x2 y2 in pixels of the image, turned as its EXIF orientation says.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dsg.apps.cli import Parser, main  # noqa: E402

DATA = Path(__file__).resolve().parents[1] / "data" / "demo"


def run(arguments: Sequence[str]) -> None:
    """Parse the options and demonstrate."""
    assert __doc__
    parser = Parser("demo.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--image",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="ask about this image, or those in this folder, instead of the bundled ones; may be repeated",
    )
    parser.add_argument(
        "--query",
        action="append",
        default=[],
        metavar="TEXT",
        help="subject, predicate, object in words of the snapshot's vocabulary; may be repeated",
    )
    parser.add_argument(
        "--snapshot", type=Path, default=DATA / "mini.npz", metavar="FILE", help="trained model (.npz)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("output/demo"), metavar="DIR", help="default: output/demo"
    )
    parser.add_argument("--gpu", default="cpu", help="0, or cpu (default)")
    options = parser.parse_args(arguments)

    from dsg.apps.demo.command import demo

    demo(DATA, options.snapshot, options.output, options.image, options.query, options.gpu)


if __name__ == "__main__":
    main(run)
