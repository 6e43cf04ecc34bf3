"""Run golden files of the reference format through the library, as a user would, and compare every stage.

The weights are written as a TensorFlow 1 checkpoint and loaded from it, the image goes through the input
pipeline, the model is called, and the answers are scored. Every stage is printed with its largest absolute
error, its error relative to the reference's largest value, and the tolerance. The contents of a file decide
what is run: forward, gradients, gpi_methods, layers, iou_metric, roidb, detection or torchvision.
"""

from __future__ import annotations

import argparse

from dsg.apps.configurations import configuration_folder
from dsg.apps.parser import Parser
from dsg.errors import UserError

EPILOG = "Exit status: 0 all stages agree, 1 some do not, 2 a file cannot be used."


def add_arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument("files", nargs="+", metavar="FILE.npz", help="golden files of any kind")
    parser.add_argument(
        "--forward", metavar="FILE.npz", help="inputs of a gradients file (default: beside it)"
    )
    parser.add_argument(
        "--json", metavar="FILE", help="also write every comparison to this file (- for the terminal)"
    )
    parser.add_argument("--every-row", action="store_true", help="print a line for every array")
    parser.add_argument("--traceback", action="store_true", help="show where a computation refused a file")
    parser.add_argument("--quiet", action="store_true", help="print only the verdict of each file")


def run(options: argparse.Namespace) -> int:
    """Compare; the exit status."""
    if options.forward is not None and len(options.files) > 1:
        raise UserError("--forward needs a single gradients file")

    from dsg.parity.command import compare

    return compare(options, configuration_folder())
