"""What a new training run starts from: ImageNet weights of its trunk by the place they are kept in, or what
WEIGHTS names: such weights, a snapshot, or the released checkpoint.

res50, res101 and res152 read slim's TensorFlow 1 checkpoints, res18 an archive of folded kernels; mini learns
from random weights. Files come from outside: archives are read without pickle, names and shapes are checked,
and what does not fit is answered with one line.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from dsg.checkpoints.tf1 import LoadReport, is_released, load_imagenet_checkpoint, read_released
from dsg.config import Config
from dsg.datasets.records import Vocabulary
from dsg.datasets.remedies import fetch_command
from dsg.engine.snapshots import holds_snapshot, load_snapshot
from dsg.errors import UserError
from dsg.models.fine_tuning import CATEGORIES, PREDICATES, start_from, words_of
from dsg.nets.backbones import BACKBONES, FOLDED, Backbone, InitialWeights
from dsg.runtime.arrays import DAMAGE, read_arrays, reason_of
from dsg.runtime.weight_files import ARCHIVE, CHECKPOINT, PRETRAINED, find_weights, is_checkpoint

NO_WEIGHTS = "none"  # the value of WEIGHTS that asks for random weights


def load_initial_weights(
    model: Any, config: Config, folder: str | Path = "data", vocabulary: Vocabulary | None = None
) -> LoadReport:
    """Fills a new model with what `config.weights` names, or its trunk with the weights kept for
    `config.backbone`.

    Of a snapshot all is taken that has the model's names and shapes, rows and columns of words by word, and
    never the optimiser's state (`dsg.models.fine_tuning`).

    Args:
        model: a `DSG` of `config`.
        config: BACKBONE, WEIGHTS, DATA.DIR and the RESNET.* options about ImageNet weights.
        folder: holds `imagenet_weights/`, searched before DATA.DIR.
        vocabulary: of the model, for snapshots.

    Returns:
        What was filled; a report without names where weights stay random (mini, or WEIGHTS none).

    Raises:
        UserError: the weights are not there, or not those of this net.
    """
    name = config.backbone
    kept = BACKBONES[name].weights
    if config.weights.lower() == NO_WEIGHTS or (kept is None and not config.weights):
        return LoadReport(f"{name} starts from random weights")
    if config.weights:
        found = find_weights(_named(config, Path(folder)))
        words = vocabulary or Vocabulary((), ())
        if found.kind == ARCHIVE and holds_snapshot(found.path):
            return _start_from_snapshot(model, found.path, words)
        if found.kind == CHECKPOINT and is_released(found.path):
            return _start_from_released(model, found.path, words)
        if kept is None:
            todo = f"{name} has no ImageNet weights; give a snapshot as WEIGHTS, or leave it out"
            raise UserError(f"{found.path}: is not a snapshot: {todo}")
        path = found.path
    else:
        assert kept is not None
        path = _kept_weights(config, kept, Path(folder))
    file = Path(kept.files[0]).name
    if kept.kind == FOLDED:
        if path.suffix != ".npz":
            raise UserError(f"{path}: {name} starts from {file}, not from a TensorFlow checkpoint")
        return _load_folded(model, path, BACKBONES[name])
    if path.suffix == ".npz":
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


def _named(config: Config, folder: Path) -> Path:
    """What WEIGHTS names: a path, or the released checkpoint wherever it is kept."""
    if config.weights != PRETRAINED:
        return Path(config.weights)
    places = [root / "pretrained" / f"{PRETRAINED}.ckpt" for root in (Path(config.data.dir), folder)]
    return next((place for place in places if is_checkpoint(place)), places[0])


def _start_from_snapshot(model: Any, path: Path, vocabulary: Vocabulary) -> LoadReport:
    snapshot = load_snapshot(path)
    trained = Vocabulary(tuple(snapshot.meta.objects), tuple(snapshot.meta.predicates))
    sizes = {CATEGORIES: len(trained.objects), PREDICATES: len(trained.predicates)}
    words = words_of(vocabulary, trained, sizes)
    try:
        return start_from(model, str(path), snapshot.variables, words)
    except UserError as error:
        raise UserError(f"{error} ({snapshot.meta.net}, here {model.config.net})") from None


def _start_from_released(model: Any, prefix: Path, vocabulary: Vocabulary) -> LoadReport:
    """From the released checkpoint, which names no words: label layers of as many are the same."""
    trained = read_released(prefix, model.config.backbone, list(model.named_variables()))
    sizes = {
        kind: len(trained[name]) if name in trained else 0
        for kind, name in ((CATEGORIES, "labels/entities/bias"), (PREDICATES, "labels/predicates/0/bias"))
    }
    return start_from(model, str(prefix), trained, words_of(vocabulary, None, sizes))


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
        f"{roots[0] / kept.files[0]}: the ImageNet weights of {config.backbone} are missing; {todo}, "
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
    """The arrays of an .npz file, or a `UserError` that says why they cannot be read."""
    try:
        return read_arrays(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file of weights") from None
    except DAMAGE as error:
        raise UserError(
            f"{path}: not a readable archive of weights ({reason_of(error)}); fetch it again"
        ) from error
