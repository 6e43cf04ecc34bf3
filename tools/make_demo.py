#!/usr/bin/env python3
"""Make what `make demo` shows: the generated images in data/demo and, of a snapshot, the model beside them.

python tools/make_demo.py --images
python tools/make_demo.py --snapshot output/mini/shapes_train/quickstart/quickstart_iter_0.npz
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dsg.cli import Parser, main  # noqa: E402

DATA = Path(__file__).resolve().parents[1] / "data" / "demo"


def run(arguments: Sequence[str]) -> None:
    """Parse the options and write."""
    assert __doc__
    parser = Parser("make_demo.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", action="store_true", help="write the images and their annotations anew")
    parser.add_argument(
        "--snapshot", type=Path, metavar="FILE", help="write mini.npz anew, from this snapshot"
    )
    parser.add_argument("--folder", type=Path, default=DATA, metavar="DIR", help="default: data/demo")
    options = parser.parse_args(arguments)
    if not options.images and options.snapshot is None:
        parser.error("nothing to do: give --images or --snapshot FILE")

    from dsg.demo_data import ship_images, ship_snapshot

    if options.images:
        ship_images(options.folder)
        print(f"{options.folder}: images and annotations written")
    if options.snapshot is not None:
        target = options.folder / "mini.npz"
        size = ship_snapshot(options.snapshot, target)
        print(f"{target}: {size:,} bytes")


if __name__ == "__main__":
    main(run)
