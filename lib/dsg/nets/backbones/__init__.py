"""The backbones by the name that BACKBONE gives them: what builds them, and what they expect of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from dsg.nets.backbones.mobilenet import MobileTrunk
from dsg.nets.backbones.resnet import SLIM, TORCHVISION, UNITS, ResnetHead, ResnetTrunk
from dsg.nets.backbones.resnet_body import ResnetBody
from dsg.nets.backbones.small import SmallHead, SmallTrunk
from dsg.nets.backbones.vgg import VggTrunk


@dataclass(frozen=True)
class Backbone:
    """A trunk, and the heads of DSG that read crops of its map."""

    # Of FEATURE_STRIDE and the number of fixed blocks: RESNET.FIXED_BLOCKS, MOBILENET.FIXED_LAYERS, or what
    # DETECTOR.TRAINED_BLOCKS leaves of a pyramid's conv1 and four blocks. See `TrunkFeatures`.
    trunk: Callable[[int, int], Any]
    # Of the map's channels, HEAD.CHANNELS, HEAD.DIM, cells a side. None: of a pyramid, whose crops DSG reads
    # with a detector's box head, and of backbones that DSG does not have.
    head: Callable[[int, int, int, int], Any] | None
    strides: tuple[int, ...]  # pixels between two cells of its map, the usual one first
    levels: int  # maps that boxes are proposed and cropped on
    means: tuple[float, float, float]  # of B, G and R in 0..255: PIXEL_MEANS of its weights
    released: bool = False  # in the release, whose initial values suit it


def _resnet(net: str, layout: str = SLIM) -> Backbone:
    """One of the release's nets."""
    return Backbone(
        trunk=lambda stride, fixed_blocks: ResnetTrunk(net, fixed_blocks, layout),
        head=lambda cin, channels, dim, size: ResnetHead(dim),
        strides=(16,),
        levels=1,
        means=(102.9801, 115.9465, 122.7717),
        released=True,
    )


def _pyramid(body: str) -> Backbone:
    """A body that a feature pyramid joins."""
    return Backbone(
        trunk=lambda stride, fixed_blocks: ResnetBody(body, 5 - fixed_blocks),
        head=None,
        strides=(16,),
        levels=5,
        means=IMAGENET_MEANS,
    )


IMAGENET_MEANS = (103.53, 116.28, 123.675)
BACKBONES: dict[str, Backbone] = {
    "res18": Backbone(
        trunk=partial(SmallTrunk, "res18"),
        head=SmallHead,
        strides=(16, 8),
        levels=1,
        means=IMAGENET_MEANS,
    ),
    **{net: _resnet(net) for net in UNITS},
    "mini": Backbone(
        trunk=partial(SmallTrunk, "mini"),
        head=SmallHead,
        strides=(16, 8),
        levels=1,
        means=(110.0, 110.0, 110.0),
    ),
    "vgg16": Backbone(
        trunk=lambda stride, fixed_blocks: VggTrunk(),
        head=None,
        strides=(16,),
        levels=1,
        means=(102.9801, 115.9465, 122.7717),
    ),
    "mobile": Backbone(
        trunk=lambda stride, fixed_layers: MobileTrunk(fixed_layers),
        head=None,
        strides=(16,),
        levels=1,
        means=(102.9801, 115.9465, 122.7717),
    ),
    "res50_fpn": _pyramid("res50"),
    "res101_fpn": _pyramid("res101"),
    "x101_32x8d_fpn": _pyramid("x101_32x8d"),
}
"""As `dsg.config.names` lists them, which knows their strides, too; a test holds the two together."""
_OTHER_LAYOUT = {net: _resnet(net, TORCHVISION) for net in UNITS}


def backbone_of(name: str, layout: str = SLIM) -> Backbone:
    """The backbone of a name, a ResNet of one map in the layout that RESNET.LAYOUT names; others have one."""
    return _OTHER_LAYOUT.get(name, BACKBONES[name]) if layout == TORCHVISION else BACKBONES[name]
