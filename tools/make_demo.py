#!/usr/bin/env python3
"""Make what `make demo` is shipped with: images in data/demo, the model beside them, pictures for the README.

Examples:

    python tools/make_demo.py --images
    python tools/make_demo.py --snapshot output/mini_best/shapes_train/best/best_iter_0.npz --scene 3
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dsg.apps.parser import Parser  # noqa: E402
from dsg.apps.process import run_process, status_of  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
DATA, PICTURES = ROOT / "data" / "demo", ROOT / "docs" / "images"


def run(arguments: Sequence[str]) -> None:
    """Parse the options and write."""
    parser = Parser("make_demo.py", description=__doc__)
    parser.add_argument("--images", action="store_true", help="write the images and their annotations again")
    parser.add_argument(
        "--snapshot",
        type=Path,
        metavar="FILE",
        help="write mini.npz and the README's pictures again, from this",
    )
    parser.add_argument("--scene", type=int, default=0, metavar="N", help="image that the pictures show")
    options = parser.parse(arguments)
    if not options.images and options.snapshot is None:
        parser.error("nothing to do: give --images or --snapshot FILE")

    from dsg.apps.demo.data import ship_images, ship_pictures, ship_snapshot

    if options.images:
        ship_images(DATA)
        print(f"{DATA}: images and annotations written")
    if options.snapshot is not None:
        size = ship_snapshot(options.snapshot, DATA / "mini.npz")
        print(f"{DATA / 'mini.npz'}: {size:,} bytes")
        for path in ship_pictures(DATA, DATA / "mini.npz", PICTURES, options.scene):
            print(path)


if __name__ == "__main__":
    run_process(lambda words: status_of(lambda: run(words)))
