#!/usr/bin/env python3
"""Generates the `shapes` data set: lit solids with complete relations, in the layout of the CLEVR release."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("data/shapes"), help="where the data set goes"
    )
    parser.add_argument("--train", type=int, default=3000, help="number of train images")
    parser.add_argument("--test", type=int, default=400, help="number of test images")
    parser.add_argument(
        "--size", type=int, nargs=2, default=(192, 128), metavar=("WIDTH", "HEIGHT"), help="pixels"
    )
    parser.add_argument(
        "--objects", type=int, nargs=2, default=(3, 7), metavar=("FEWEST", "MOST"), help="in an image"
    )
    parser.add_argument("--seed", type=int, default=0, help="another seed, other images")
    parser.add_argument("--workers", type=int, help="processes; as many as there are processors if not given")
    parser.add_argument(
        "--force", action="store_true", help="replace a data set generated with other settings"
    )
    options = parser.parse_args(arguments)

    from dsg.datasets.shapes.generator import generate_shapes
    from dsg.errors import UserError
    from dsg.runtime.interrupt import Interrupted

    def stop(number: int, _: object) -> None:
        # Impatience would leave the folder that is being removed.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Interrupted(number)

    try:
        signal.signal(signal.SIGTERM, stop)  # what train.sh makes of Ctrl-C
        folder = generate_shapes(
            options.folder,
            train=options.train,
            test=options.test,
            size=tuple(options.size),
            seed=options.seed,
            workers=options.workers,
            objects=tuple(options.objects),
            force=options.force,
        )
    except UserError as error:
        print(f"generate_shapes: {error}", file=sys.stderr)
        return 2
    except PermissionError as error:
        print(f"generate_shapes: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        print("generate_shapes: interrupted; nothing was changed", file=sys.stderr)
        return 128 + getattr(error, "signal", signal.SIGINT)
    print(f"{folder}: {options.train} train and {options.test} test images")
    return 0


if __name__ == "__main__":
    sys.exit(main())
