"""The backbones by the name that BACKBONE gives them: what builds them, and what they expect of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from dsg.nets.backbones.mobilenet import MobileTrunk
from dsg.nets.backbones.resnet import UNITS, ResnetHead, ResnetTrunk
from dsg.nets.backbones.resnet_body import ResnetBody
from dsg.nets.backbones.small import SmallHead, SmallTrunk
from dsg.nets.backbones.vgg import VggTrunk

SLIM, FOLDED, TORCHVISION = "slim", "folded", "torchvision"


@dataclass(frozen=True)
class InitialWeights:
    """Weights that a new run starts from."""

    kind: str  # SLIM: a TensorFlow 1 checkpoint; FOLDED: kernels with their norms folded in; TORCHVISION: a .pth
    files: tuple[str, ...]  # below a folder of data sets; the first that is there
    fetched: bool  # whether fetch.sh knows them


@dataclass(frozen=True)
class Backbone:
    """A trunk, and the heads of DSG that read crops of its map."""

    # Of FEATURE_STRIDE and the number of fixed blocks: RESNET.FIXED_BLOCKS, MOBILENET.FIXED_LAYERS, or what
    # DETECTOR.TRAINED_BLOCKS leaves of a pyramid's conv1 and four blocks. See `TrunkFeatures`.
    trunk: Callable[[int, int], Any]
    # Of the map's channels, HEAD.CHANNELS, HEAD.DIM, cells a side; None: only the detector has this backbone.
    head: Callable[[int, int, int, int], Any] | None
    strides: tuple[int, ...]  # pixels between two cells of its map, the usual one first
    levels: int  # maps that boxes are proposed and cropped on
    weights: InitialWeights | None  # None: it learns from random weights
    means: tuple[float, float, float]  # of B, G and R in 0..255: PIXEL_MEANS of its weights
    stds: tuple[float, float, float] | None = None  # of R, G and B in 0..1, where its weights expect them
    released: bool = False  # in the release, whose initial values suit it


def _resnet(net: str) -> Backbone:
    """One of the release's nets."""
    # as the release's instructions name the checkpoint, and as slim's archive does
    files = (f"imagenet_weights/{net}.ckpt", f"imagenet_weights/resnet_v1_{net[3:]}.ckpt")
    return Backbone(
        trunk=lambda stride, fixed_blocks: ResnetTrunk(net, fixed_blocks),
        head=lambda cin, channels, dim, size: ResnetHead(dim),
        strides=(16,),
        levels=1,
        weights=InitialWeights(SLIM, files, fetched=True),
        means=(102.9801, 115.9465, 122.7717),
        released=True,
    )


def _pyramid(body: str, file: str) -> Backbone:
    """A body that a feature pyramid joins."""
    return Backbone(
        trunk=lambda stride, fixed_blocks: ResnetBody(body, 5 - fixed_blocks),
        head=None,
        strides=(16,),
        levels=5,
        weights=InitialWeights(TORCHVISION, (f"imagenet_weights/{file}",), fetched=True),
        means=IMAGENET_MEANS,
        stds=IMAGENET_STDS,
    )


IMAGENET_MEANS, IMAGENET_STDS = (103.53, 116.28, 123.675), (0.229, 0.224, 0.225)
_RES18 = "resnet18_trunk_imagenet.npz"
BACKBONES: dict[str, Backbone] = {
    "res18": Backbone(
        trunk=partial(SmallTrunk, "res18"),
        head=SmallHead,
        strides=(16, 8),
        levels=1,
        weights=InitialWeights(FOLDED, (f"imagenet_weights/{_RES18}", f"weights/{_RES18}"), fetched=False),
        means=IMAGENET_MEANS,
        stds=IMAGENET_STDS,
    ),
    **{net: _resnet(net) for net in UNITS},
    "mini": Backbone(
        trunk=partial(SmallTrunk, "mini"),
        head=SmallHead,
        strides=(16, 8),
        levels=1,
        weights=None,
        means=(110.0, 110.0, 110.0),
    ),
    "vgg16": Backbone(
        trunk=lambda stride, fixed_blocks: VggTrunk(),
        head=None,
        strides=(16,),
        levels=1,
        weights=InitialWeights(SLIM, ("imagenet_weights/vgg16.ckpt", "imagenet_weights/vgg_16.ckpt"), True),
        means=(102.9801, 115.9465, 122.7717),
    ),
    "mobile": Backbone(
        trunk=lambda stride, fixed_layers: MobileTrunk(fixed_layers),
        head=None,
        strides=(16,),
        levels=1,
        weights=InitialWeights(
            SLIM, ("imagenet_weights/mobile.ckpt", "imagenet_weights/mobilenet_v1_1.0_224.ckpt"), True
        ),
        means=(102.9801, 115.9465, 122.7717),
    ),
    "res50_fpn": _pyramid("res50", "resnet50-0676ba61.pth"),
    "res101_fpn": _pyramid("res101", "resnet101-63fe2227.pth"),
    "x101_32x8d_fpn": _pyramid("x101_32x8d", "resnext101_32x8d-8ba56ff5.pth"),
}
"""As `dsg.config.names` lists them, which knows their strides, too; a test holds the two together."""
