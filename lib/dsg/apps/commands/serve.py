"""Open a page in the browser to try a trained model on images.

Only this machine can open it, unless --host is given. Needs gradio (requirements-serve.txt), which
experiments/scripts/serve.sh installs if it is missing. Examples:

    dsg serve
    dsg serve --snapshot FILE --gpu 0 --host 0.0.0.0 --port 8000
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from dsg.apps.bundled import bundled_folder, snapshot_or_bundled
from dsg.apps.parser import Parser
from dsg.errors import UserError


def add_arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument(
        "--snapshot",
        old=("--model",),
        type=Path,
        metavar="FILE",
        help="trained model (.npz; default: the bundled one)",
    )
    parser.add_argument("--gpu", default="cpu", help="0, or cpu (default)")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1, this machine only; 0.0.0.0: every machine)",
    )
    parser.add_argument(
        "--port", type=int, default=7860, help="port to listen on (default: 7860; 0: a free one)"
    )
    parser.add_argument(
        "--max-mb", type=float, default=20.0, metavar="N", help="largest upload in MB (default: 20)"
    )
    parser.add_argument(
        "--max-megapixels",
        type=float,
        default=40.0,
        metavar="N",
        help="largest upload in megapixels (default: 40)",
    )
    parser.add_argument(
        "--examples", type=Path, metavar="DIR", help="example images (default: the bundled ones)"
    )


def run(options: argparse.Namespace) -> None:
    """Serve."""
    if not 0 <= options.port < 65536:
        raise UserError(f"--port must be from 0 to 65535, not {options.port}")
    if not (0 < options.max_mb < math.inf and 0 < options.max_megapixels < math.inf):
        raise UserError("--max-mb and --max-megapixels must be above 0")
    snapshot = snapshot_or_bundled(options.snapshot)

    from dsg.apps.serve.command import serve
    from dsg.apps.serve.upload import Limits

    serve(
        snapshot,
        devices=options.gpu,
        host=options.host,
        port=options.port,
        limits=Limits(options.max_mb, options.max_megapixels),
        examples=options.examples or bundled_folder(),
    )
