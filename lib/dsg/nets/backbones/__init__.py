"""The backbones by the name that BACKBONE gives them: what builds them, and what they expect of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from dsg.nets.backbones.resnet import SLIM, TORCHVISION, UNITS, ResnetHead, ResnetTrunk
from dsg.nets.backbones.small import SmallHead, SmallTrunk


@dataclass(frozen=True)
class Backbone:
    """A trunk, and the heads that read crops of its map."""

    trunk: Callable[[int, int], Any]  # of FEATURE_STRIDE and RESNET.FIXED_BLOCKS; see `TrunkFeatures`
    head: Callable[[int, int, int, int], Any]  # of the map's channels, HEAD.CHANNELS, HEAD.DIM, cells a side
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


BACKBONES: dict[str, Backbone] = {
    "res18": Backbone(
        trunk=partial(SmallTrunk, "res18"),
        head=SmallHead,
        strides=(16, 8),
        levels=1,
        means=(103.53, 116.28, 123.675),
    ),
    **{net: _resnet(net) for net in UNITS},
    "mini": Backbone(
        trunk=partial(SmallTrunk, "mini"),
        head=SmallHead,
        strides=(16, 8),
        levels=1,
        means=(110.0, 110.0, 110.0),
    ),
}
"""As `dsg.config.names` lists them, which knows their strides, too; a test holds the two together."""
_OTHER_LAYOUT = {net: _resnet(net, TORCHVISION) for net in UNITS}


def backbone_of(name: str, layout: str = SLIM) -> Backbone:
    """The backbone of a name, a ResNet of one map in the layout that RESNET.LAYOUT names; others have one."""
    return _OTHER_LAYOUT.get(name, BACKBONES[name]) if layout == TORCHVISION else BACKBONES[name]
