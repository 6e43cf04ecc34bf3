#!/usr/bin/env python3
"""Open a page on which a trained model can be asked about pictures.

It is for this machine only unless --host says otherwise. Needs gradio (requirements-serve.txt);
experiments/scripts/serve.sh installs it where it is missing. Examples:

    python tools/serve.py
    python tools/serve.py --snapshot FILE --gpu 0 --host 0.0.0.0 --port 8000
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dsg.apps.cli import Parser, main  # noqa: E402

DATA = Path(__file__).resolve().parents[1] / "data" / "demo"


def run(arguments: Sequence[str]) -> None:
    """Parse the options and serve."""
    assert __doc__
    parser = Parser("serve.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--snapshot", type=Path, default=DATA / "mini.npz", metavar="FILE", help="trained model (.npz)"
    )
    parser.add_argument("--gpu", default="cpu", help="0, or cpu (default)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 for every machine")
    parser.add_argument("--port", type=int, default=7860, help="default: 7860; 0 for a free one")
    parser.add_argument("--max-mb", type=float, default=20.0, metavar="N", help="of an upload, default: 20")
    parser.add_argument(
        "--max-megapixels", type=float, default=40.0, metavar="N", help="of an upload, default: 40"
    )
    parser.add_argument(
        "--examples",
        type=Path,
        default=DATA,
        metavar="DIR",
        help="pictures to begin with, default: data/demo",
    )
    options = parser.parse_args(arguments)
    if not 0 <= options.port < 65536:
        parser.error(f"--port {options.port}: ports go from 0 to 65535")
    if not (0 < options.max_mb < math.inf and 0 < options.max_megapixels < math.inf):
        parser.error("limits of uploads are numbers above 0")

    from dsg.apps.serve.command import serve
    from dsg.apps.serve.upload import Limits

    serve(
        options.snapshot,
        devices=options.gpu,
        host=options.host,
        port=options.port,
        limits=Limits(options.max_mb, options.max_megapixels),
        examples=options.examples,
    )


if __name__ == "__main__":
    main(run)
