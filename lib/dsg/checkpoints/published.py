"""The weights that torchvision publishes and this library can read: names, sizes, hashes, what they reach.

The facts are those of torchvision's own code. The eight digits in a file's name begin its SHA-256, which
`check_hash` compares.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from dsg.errors import UserError

URL = "https://download.pytorch.org/models/"
BLOCK = 1 << 20
# Batch normalisation adds this to a variance; torchvision sets it to 0 in a detector that loads COCO weights
# of the first generation, and leaves it in all others.
EPSILON, EPSILON_COCO_V1 = 1e-5, 0.0

# Categories of the published detectors by their number, which is COCO's own; the gaps are called N/A.
_NAMES = (
    "__background__,person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,"
    "fire hydrant,N/A,stop sign,parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,"
    "giraffe,N/A,backpack,umbrella,N/A,N/A,handbag,tie,suitcase,frisbee,skis,snowboard,sports ball,"
    "kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,N/A,wine glass,cup,"
    "fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,"
    "couch,potted plant,bed,N/A,dining table,N/A,N/A,toilet,N/A,tv,laptop,mouse,remote,keyboard,"
    "cell phone,microwave,oven,toaster,sink,refrigerator,N/A,book,clock,vase,scissors,teddy bear,"
    "hair drier,toothbrush"
)
COCO_NAMES = tuple(_NAMES.split(","))


class PublishedFile(NamedTuple):
    """One published file."""

    file: str
    net: str  # torchvision's name of the network
    mebibytes: float
    trained_on: str  # "ImageNet" or "COCO"
    figure: float  # ImageNet: top-1 accuracy; COCO: box AP
    mask_ap: float | None = None
    epsilon: float = EPSILON

    @property
    def hash_start(self) -> str:
        """First hexadecimal digits of the SHA-256."""
        return hash_in_name(self.file)

    @property
    def url(self) -> str:
        """Where torchvision fetches it from."""
        return URL + self.file


PUBLISHED = {
    row.file: row
    for row in (
        PublishedFile("resnet18-f37072fd.pth", "resnet18", 44.661, "ImageNet", 69.758),
        PublishedFile("resnet50-0676ba61.pth", "resnet50", 97.781, "ImageNet", 76.13),
        PublishedFile("resnet50-11ad3fa6.pth", "resnet50", 97.79, "ImageNet", 80.858),
        PublishedFile("resnet101-63fe2227.pth", "resnet101", 170.511, "ImageNet", 77.374),
        PublishedFile("resnet101-cd907fc2.pth", "resnet101", 170.53, "ImageNet", 81.886),
        PublishedFile("resnet152-394f9c45.pth", "resnet152", 230.434, "ImageNet", 78.312),
        PublishedFile("resnet152-f82ba261.pth", "resnet152", 230.474, "ImageNet", 82.284),
        PublishedFile("resnext101_32x8d-8ba56ff5.pth", "resnext101_32x8d", 339.586, "ImageNet", 79.312),
        PublishedFile("resnext101_32x8d-110c445d.pth", "resnext101_32x8d", 339.673, "ImageNet", 82.834),
        PublishedFile("vgg16-397923af.pth", "vgg16", 527.796, "ImageNet", 71.592),
        PublishedFile(
            "fasterrcnn_resnet50_fpn_coco-258fb6c6.pth",
            *("fasterrcnn_resnet50_fpn", 159.743, "COCO", 37.0, None, EPSILON_COCO_V1),
        ),
        PublishedFile(
            "fasterrcnn_resnet50_fpn_v2_coco-dd69338a.pth",
            *("fasterrcnn_resnet50_fpn_v2", 167.104, "COCO", 46.7),
        ),
        PublishedFile(
            "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth",
            *("maskrcnn_resnet50_fpn", 169.84, "COCO", 37.9, 34.6, EPSILON_COCO_V1),
        ),
        PublishedFile(
            "maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth",
            *("maskrcnn_resnet50_fpn_v2", 177.219, "COCO", 47.4, 41.8),
        ),
    )
}


def _by_name() -> dict[str, PublishedFile]:
    names: dict[str, PublishedFile] = {}
    for row in PUBLISHED.values():
        names[f"{row.net}_v2" if row.net in names else row.net] = row
    return names


BY_NAME = _by_name()
"""The files by a short name: torchvision's of the network, with `_v2` for the later of two files."""


def published_files(net: str) -> list[PublishedFile]:
    """The files of a network by torchvision's name for it, the better first.

    Raises:
        UserError: it publishes none that can be read here.
    """
    rows = sorted((row for row in PUBLISHED.values() if row.net == net), key=lambda row: -row.figure)
    if not rows:
        nets = sorted({row.net for row in PUBLISHED.values()})
        raise UserError(f"{net}: no published weights; there are some of {', '.join(nets)}")
    return rows


def hash_in_name(file: str) -> str:
    """The digits in a published file's name that begin its SHA-256, or "" in another name.

    Example:
        >>> hash_in_name("resnet18-f37072fd.pth"), hash_in_name("mine.pth")
        ('f37072fd', '')
    """
    match = re.search(r"-([0-9a-f]{8,64})\.pth$", file)
    return match[1] if match else ""


def check_hash(path: str | Path) -> bool:
    """Whether a file's name carries the start of its SHA-256, and so it was checked.

    Raises:
        UserError: the content has another hash than the name says, or cannot be read.
    """
    path = Path(path)
    wanted = hash_in_name(path.name)
    if not wanted:
        return False
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError as error:
        raise UserError(f"{path}: cannot read it ({error.strerror or error})") from error
    actual = digest.hexdigest()[: len(wanted)]
    if actual != wanted:
        raise UserError(f"{path}: damaged, its SHA-256 begins with {actual} and not {wanted}; fetch it again")
    return True
