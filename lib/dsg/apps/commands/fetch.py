"""Fetch data sets and weights to where training and testing look for them.

Files that already exist are verified and kept; the same command resumes an interrupted download. Examples:

    dsg fetch visualgenome                      # annotations, images.zip, images2.zip
    dsg fetch visualgenome annotations
    dsg fetch weights fasterrcnn_resnet50_fpn   # torchvision's detector, trained on COCO
    dsg fetch imagenet_weights res101 --data /disk/datasets
    dsg fetch clevr --from ~/Downloads          # you already have the archives
"""

from __future__ import annotations

import argparse

from dsg.apps.parser import Parser
from dsg.checkpoints.published import BY_NAME

PARTS = {  # as in the catalogue, whose mirrors.yml only PyYAML can read
    "visualgenome": ("annotations", "images", "images2"),
    "vrd": ("annotations", "images"),
    "clevr": ("annotations", "images"),
    "pascal_voc": ("trainval", "test"),
    "pascal_voc_0712": ("trainval", "test", "trainval2012"),
    "coco": ("annotations", "train", "val"),
    "vg150": ("graphs", "dictionary", "image_data"),
    "glove": ("6B", "840B"),
    "imagenet_weights": ("res50", "res101", "res152", "vgg16", "mobile"),
    "dsg_pretrained": ("index", "data"),
    "weights": tuple(BY_NAME),
}
EPILOG = "names, and their parts:\n" + "\n".join(
    f"  {name}: {', '.join(parts)}" for name, parts in PARTS.items()
)


def add_arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument("name", metavar="NAME", help="what to fetch: " + ", ".join(PARTS))
    parser.add_argument(
        "parts", metavar="PART", nargs="*", help="only these parts of it; weights needs at least one"
    )
    parser.add_argument(
        "--from",
        dest="source",
        default="",
        metavar="FOLDER_OR_URL",
        help="a folder or web address that has the files, instead of the known mirrors",
    )
    parser.add_argument("--data", default="data", metavar="DIR", help="the data folder (default: data)")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="PART",
        help="the older spelling of PART; can be repeated",
    )
    parser.add_argument("--keep", action="store_true", help="keep downloaded archives after unpacking")
    parser.add_argument(
        "--verify", action="store_true", help="compare existing files by checksum, not only by size"
    )


def run(options: argparse.Namespace) -> None:
    """Fetch."""
    from dsg.apps.fetch.command import fetch
    from dsg.runtime.paths import expanded

    fetch(
        options.name,
        expanded(options.data),
        source=options.source,
        only=[*options.parts, *options.only],
        keep=options.keep,
        thorough=options.verify,
    )
