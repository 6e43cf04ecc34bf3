"""Where a new training run takes its trunk from: ImageNet weights by the place they are kept in, or by name.

res50, res101 and res152 read slim's TensorFlow 1 checkpoints, res18 an archive of folded kernels; mini learns
from random weights. Files come from outside: archives are read without pickle, names and shapes are checked,
and what does not fit is answered with one line.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from dsg.checkpoints.tf1 import LoadReport, load_imagenet_checkpoint
from dsg.config import Config
from dsg.datasets.remedies import fetch_command
from dsg.errors import UserError
from dsg.nets.backbones import BACKBONES, FOLDED, Backbone, InitialWeights
from dsg.runtime.arrays import DAMAGE, read_arrays, reason_of
from dsg.runtime.foreign import foreign_file

NO_WEIGHTS = "none"  # the value of WEIGHTS that asks for random weights
ARCHIVE = ".npz"


def load_initial_weights(model: Any, config: Config, folder: str | Path = "data") -> LoadReport:
    """Fills the trunk of a new model with the weights that `config.weights` names, or with those kept for
    `config.backbone`.

    Args:
        model: a `DSG` of `config`.
        config: BACKBONE, WEIGHTS, DATA.DIR and the RESNET.* options about ImageNet weights.
        folder: holds `imagenet_weights/`, searched before DATA.DIR.

    Returns:
        What was filled; a report without names where weights stay random (mini, or WEIGHTS none).

    Raises:
        UserError: the weights are not there, or not those of this net.
    """
    name = config.backbone
    kept = BACKBONES[name].weights
    if config.weights.lower() == NO_WEIGHTS or (kept is None and not config.weights):
        return LoadReport(f"{name} starts from random weights")
    if kept is None:
        raise UserError(f"WEIGHTS {config.weights}: {name} has no weights to start from; leave WEIGHTS out")
    path = Path(config.weights) if config.weights else _kept_weights(config, kept, Path(folder))
    file = Path(kept.files[0]).name
    if kept.kind == FOLDED:
        if path.suffix != ARCHIVE:
            raise UserError(f"{path}: {name} starts from {file}, not from a TensorFlow checkpoint")
        return _load_folded(model, path, BACKBONES[name])
    if path.suffix == ARCHIVE:
        raise UserError(f"{path}: {name} starts from a TensorFlow checkpoint, {file}, not an archive")
    return load_imagenet_checkpoint(model, path)


def resnet18_name(name: str) -> str | None:
    """The name of our variable in the archive, or None for one that it does not have.

    Example:
        >>> resnet18_name("trunk/block2/0/shortcut/kernel")
        'layer2.0.downsample.0.weight'
    """
    leaf = {"kernel": "weight", "bias": "bias"}.get(name.rsplit("/", 1)[-1])
    if leaf and name.startswith("trunk/conv1/"):
        return f"conv1.{leaf}"
    unit = re.match(r"trunk/block(\d)/(\d+)/(conv\d|shortcut)/", name)
    if not leaf or unit is None:
        return None
    layer = "downsample.0" if unit[3] == "shortcut" else unit[3]
    return f"layer{unit[1]}.{unit[2]}.{layer}.{leaf}"


def _kept_weights(config: Config, kept: InitialWeights, folder: Path) -> Path:
    """The first place that has weights for the backbone: `imagenet_weights/` below `folder` or DATA.DIR."""
    data = Path(config.data.dir)
    # DATA.DIR may be one data set's own folder: what lies beside the data sets is then one level up.
    roots = list(dict.fromkeys([folder, data, data.parent]))
    for path in (root / file for root in roots for file in kept.files):
        if path.is_file() or Path(f"{path}.index").is_file():
            return path
    todo = "put the file there (data/README.md)"
    if kept.fetched:
        todo = f"`{fetch_command('imagenet_weights', folder, config.backbone)}` fetches them (data/README.md)"
    raise UserError(
        f"{roots[0] / kept.files[0]}: the ImageNet weights of {config.backbone} are not there; {todo}, "
        "or name them with WEIGHTS FILE"
        f" (WEIGHTS {NO_WEIGHTS} starts from random weights, which rarely learns)"
    )


def _load_folded(model: Any, path: Path, backbone: Backbone) -> LoadReport:
    """Fills conv1 and blocks 1 to 3 from an archive of folded kernels [kh, kw, in, out] and biases."""
    assert backbone.weights is not None and backbone.stds is not None
    expected = Path(backbone.weights.files[0]).name
    arrays = _read_archive(path)
    report = LoadReport(str(path))
    values = []
    for name, variable in model.named_variables().items():
        theirs = resnet18_name(name)
        if theirs is None:
            continue
        if theirs not in arrays:
            raise UserError(f"{path}: lacks {theirs}; it is not a ResNet-18 trunk ({expected})")
        value = arrays.pop(theirs)
        if value.shape != tuple(variable.shape) or value.dtype != np.float32:
            raise UserError(
                f"{path}: {theirs} is {value.dtype} {list(value.shape)}, "
                f"the model's {name} float32 {list(variable.shape)}"
            )
        values.append((variable, _from_rgb(value, backbone.stds) if theirs == "conv1.weight" else value))
        report.matched.append(name)
    for variable, value in values:  # all or nothing
        variable.assign(value)
    report.unused = sorted(arrays)
    return report


def _from_rgb(kernel: np.ndarray, stds: tuple[float, float, float]) -> np.ndarray:
    """conv1's kernel for pixels 0..255 in B, G, R order, from one for R, G, B in 0..1 over `stds`, less means
    that PIXEL_MEANS subtracts; the sums stay what they were.
    """
    scaled = kernel / (255.0 * np.array(stds)[:, None])
    return scaled[:, :, ::-1].astype(np.float32)


def _read_archive(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, or a `UserError` that says why there are none."""
    try:
        return read_arrays(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file of weights") from None
    except DAMAGE as error:
        reason = foreign_file(path) or reason_of(error)
        raise UserError(f"{path}: not a readable archive of weights ({reason}); fetch it again") from error
