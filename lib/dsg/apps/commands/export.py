"""Export a snapshot as a file of weights, a TensorFlow SavedModel or an ONNX file.

    --weights FILE      network, options, vocabulary and weights in one file; dsg.load("FILE") opens it
    --saved-model DIR   needs only TensorFlow: uint8 image and query indices in, boxes and scores out
    --onnx FILE         the same for other runtimes; needs requirements-export.txt

Examples:

    dsg export --snapshot data/demo/mini.npz --saved-model output/mini
    dsg export --snapshot output/res101/visualgenome_train/run/run_iter_0.npz --weights vg.npz \\
        --precision float16
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from dsg.apps.parser import Parser
from dsg.errors import UserError

PRECISIONS = ("float32", "rounded", "float16")


def add_arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument(
        "--snapshot", old=("--model",), type=Path, required=True, metavar="FILE", help="trained model (.npz)"
    )
    parser.add_argument("--weights", type=Path, metavar="FILE", help="write a file of weights")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="how the weights are stored: every bit (default), rounded to 1 in 8,192, or in half the bytes",
    )
    parser.add_argument("--saved-model", type=Path, metavar="DIR", help="write a TensorFlow SavedModel")
    parser.add_argument(
        "--for-gpu",
        action="store_true",
        help="SavedModel with plain convolutions: faster on a GPU, slower on a CPU",
    )
    parser.add_argument("--onnx", type=Path, metavar="FILE", help="write an ONNX file")


def run(options: argparse.Namespace) -> None:
    """Export."""
    if not (options.weights or options.saved_model or options.onnx):
        raise UserError("nothing to do: give --weights FILE, --saved-model DIR or --onnx FILE")

    # The export must not depend on the machine: if a GPU is visible, networks leave out what helps only on
    # CPUs. TensorFlow reads the variable when it is loaded, which weights alone do not need.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

    from dsg.apps.export.command import export

    export(
        options.snapshot,
        weights=options.weights,
        precision=options.precision,
        saved_model=options.saved_model,
        for_gpu=options.for_gpu,
        onnx=options.onnx,
    )
