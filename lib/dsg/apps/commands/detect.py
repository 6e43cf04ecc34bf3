"""Detect objects in images: a picture with boxes, labels and masks, and a JSON file, for each image.

The snapshot is one of a detector (`dsg train --net detector_...`), a file that torchvision publishes
(`dsg fetch weights`), or a TensorFlow 1 checkpoint of tf-faster-rcnn with its network. Examples:

    dsg detect photo.jpg --snapshot FILE
    dsg detect photos more.jpg --snapshot FILE --threshold 0.7 --to found
    dsg detect photo.jpg --snapshot fasterrcnn_resnet50_fpn_coco-258fb6c6.pth --json
    dsg detect photo.jpg --snapshot vgg16_faster_rcnn_iter_70000.ckpt --net vgg16

Boxes are x1 y1 x2 y2 in pixels of the image, turned upright by its EXIF orientation.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dsg.apps.parser import Parser
from dsg.errors import UserError

FOLDER = Path("output/detect")


def add_arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="images, or folders of images")
    parser.add_argument(
        "--snapshot", old=("--model",), type=Path, required=True, metavar="FILE", help="trained detector"
    )
    parser.add_argument(
        "--to",
        old=("--out",),
        type=Path,
        metavar="DIR",
        help=f"folder of the pictures and JSON files (default: {FOLDER}; with --json: none are written)",
    )
    parser.add_argument(
        "--threshold", type=float, default=0.5, metavar="P", help="lowest score that is shown (default: 0.5)"
    )
    parser.add_argument(
        "--limit", type=int, default=100, metavar="N", help="at most so many objects an image (default: 100)"
    )
    parser.add_argument(
        "--by-object", action="store_true", help="a colour for each object instead of each class"
    )
    parser.add_argument("--json", action="store_true", help="print the objects as JSON")
    parser.add_argument(
        "--net", default="", metavar="NET", help="network of a TensorFlow 1 checkpoint: res101, vgg16 ..."
    )
    parser.add_argument("--gpu", default="cpu", help="0, or cpu (default)")


def run(options: argparse.Namespace) -> None:
    """Detect."""
    if not 0 <= options.threshold <= 1:
        raise UserError(f"--threshold must be from 0 to 1, not {options.threshold:g}")
    if options.limit < 1:
        raise UserError(f"--limit must be 1 or more, not {options.limit}")

    from dsg.apps.detect.command import detect

    detect(
        options.snapshot,
        options.images,
        folder=options.to or (None if options.json else FOLDER),
        threshold=options.threshold,
        limit=options.limit,
        by_object=options.by_object,
        as_json=options.json,
        backbone=options.net,
        devices=options.gpu,
    )
