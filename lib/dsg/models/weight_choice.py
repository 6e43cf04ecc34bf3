"""Which file a new training run starts from: the one that WEIGHTS names, or the one kept for the backbone."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from dsg.checkpoints.published import BY_NAME, PUBLISHED, published_files
from dsg.config import Config
from dsg.config.names import PYRAMIDS
from dsg.datasets.remedies import fetch_command
from dsg.errors import UserError
from dsg.nets.backbones.resnet import SLIM, TORCHVISION, UNITS
from dsg.runtime.weight_files import PRETRAINED, WeightFile, find_weights, is_checkpoint

NO_WEIGHTS = "none"  # the value of WEIGHTS that asks for random weights
IMAGENET, PUBLISHED_HERE = "imagenet_weights", "weights"
FOLDERS = (IMAGENET, PUBLISHED_HERE)  # below a folder of data sets


class Kept(NamedTuple):
    """ImageNet weights of a backbone."""

    files: tuple[str, ...]  # their names; the first that exists is read
    fetch: tuple[str, str]  # the words after `dsg fetch` that fetch one of them


def body_of(config: Config) -> tuple[str, str]:
    """The trunk's network, and of ResNets that have bottlenecks the layout of its strides; a pyramid's is
    torchvision's.
    """
    if config.backbone in PYRAMIDS:
        return config.backbone.removesuffix("_fpn"), TORCHVISION
    return config.backbone, config.resnet.layout if config.backbone in UNITS else ""


def kept_weights(config: Config) -> Kept | None:
    """The ImageNet weights of the backbone; None if it learns from random weights."""
    net, layout = body_of(config)
    if layout == SLIM:  # as the release's instructions name the file, and as slim's archive does
        return Kept((f"{net}.ckpt", f"resnet_v1_{net[3:]}.ckpt"), (IMAGENET, net))
    if layout == TORCHVISION:
        network = net.replace("x101", "resnext101") if net.startswith("x") else f"resnet{net[3:]}"
        return Kept(_published(network), (PUBLISHED_HERE, network))
    return {
        "res18": Kept(("resnet18_trunk_imagenet.npz", *_published("resnet18")), (PUBLISHED_HERE, "resnet18")),
        "vgg16": Kept(("vgg16.ckpt", "vgg_16.ckpt", *_published("vgg16")), (IMAGENET, net)),
        "mobile": Kept(("mobile.ckpt", "mobilenet_v1_1.0_224.ckpt"), (IMAGENET, net)),
    }.get(net)


def chosen_weights(config: Config, folder: Path) -> WeightFile | None:
    """The file of weights to start from; None for random weights.

    Args:
        config: BACKBONE, WEIGHTS, DATA.DIR and RESNET.LAYOUT.
        folder: holds `imagenet_weights/` and `weights/`, searched before DATA.DIR.

    Raises:
        UserError: it does not exist, or its format is not supported.
    """
    kept = kept_weights(config)
    if config.weights.lower() == NO_WEIGHTS or (kept is None and not config.weights):
        return None
    if config.weights:
        return find_weights(_named(config, folder))
    assert kept is not None
    path = _found(config, folder, kept.files)
    if path is None:
        raise _missing(config, folder, kept, f"the ImageNet weights of {config.backbone} are missing")
    return find_weights(path)


def _published(net: str) -> tuple[str, ...]:
    """torchvision's files of a network, the one its detectors start from first."""
    return tuple(row.file for row in reversed(published_files(net)))


def _named(config: Config, folder: Path) -> Path:
    """What WEIGHTS names: a path, or a published file wherever it is kept."""
    named = Path(config.weights)
    if config.weights == PRETRAINED:
        places = [root / "pretrained" / f"{PRETRAINED}.ckpt" for root in (Path(config.data.dir), folder)]
        return next((place for place in places if is_checkpoint(place)), places[0])
    row = BY_NAME.get(config.weights) or PUBLISHED.get(config.weights)
    if row is None or named.exists():
        return named
    path = _found(config, folder, (row.file,))
    if path is None:
        name = next(name for name, other in BY_NAME.items() if other is row)
        kept = Kept((row.file,), (PUBLISHED_HERE, name))
        raise _missing(config, folder, kept, "torchvision's weights are missing")
    return path


def _found(config: Config, folder: Path, files: tuple[str, ...]) -> Path | None:
    """The first place that has one of the files."""
    for root in _roots(config, folder):
        for path in (root / below / file for file in files for below in FOLDERS):
            if path.is_file() or is_checkpoint(path):
                return path
    return None


def _roots(config: Config, folder: Path) -> list[Path]:
    data = Path(config.data.dir)
    # DATA.DIR may be one data set's own folder: what lies beside the data sets is then one level up.
    return list(dict.fromkeys([folder, data, data.parent]))


def _missing(config: Config, folder: Path, kept: Kept, what: str) -> UserError:
    name, part = kept.fetch
    file = next(
        (file for file in kept.files if file.endswith(".pth") == (name == PUBLISHED_HERE)), kept.files[0]
    )
    return UserError(
        f"{_roots(config, folder)[0] / name / file}: {what}; `{fetch_command(name, folder, part)}` fetches "
        f"them (data/README.md), or name a file with WEIGHTS FILE (WEIGHTS {NO_WEIGHTS} starts from random "
        "weights, which rarely learns)"
    )
