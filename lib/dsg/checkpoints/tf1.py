"""Reading TensorFlow 1 checkpoints: the release's `dsg_pretrained.ckpt` and slim's ImageNet
`resnet_v1_*.ckpt`.

Both the sharded format (`.index` and `.data-*`) and the old single file are read. Files come from outside:
nothing in them is executed, names and shapes are checked, and what is no checkpoint is answered with one
line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.checkpoints.tf1_names import imagenet_name, release_name
from dsg.errors import UserError
from dsg.runtime.foreign import foreign_file

# What TensorFlow's reader raises for a damaged file, depending on where the damage is.
READ_ERRORS = (tf.errors.OpError, RuntimeError, ValueError, IndexError, NotImplementedError)
# Saved beside the model: the optimiser's slots, the learning rate and counters.
BOOKKEEPING = re.compile(
    r"(^Variable(_\d+)?$|/Momentum$|/Adam(_1)?$|^beta[12]_power$|^global_step$|^logits/|/mean_rgb$)"
)


@dataclass
class LoadReport:
    """What a checkpoint gave: names of ours that were filled, of ours it lacks, and of its own that nobody
    asked for.
    """

    source: str
    matched: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    bookkeeping: int = 0
    notes: list[str] = field(default_factory=list)  # more that is to be said

    def __str__(self) -> str:
        if not (self.matched or self.missing or self.unused):
            return self.source
        counts = f"{len(self.missing)} missing, {len(self.unused)} unused"
        text = f"{self.source}: {len(self.matched)} variables matched, {counts}"
        if self.bookkeeping:
            text += f", {self.bookkeeping} of the optimiser ignored"
        for title, names in (("missing", self.missing), ("unused", self.unused)):
            if names:
                more = f" and {len(names) - 5} more" if len(names) > 5 else ""
                text += f"\n  {title}: {', '.join(names[:5])}{more}"
        text += "".join(f"\n  {note}" for note in self.notes)
        return text


def load_release_checkpoint(model: Any, prefix: str | Path) -> LoadReport:
    """Fills `model` with the release's checkpoint `prefix` (without `.index`); every variable of the model
    must be in it.

    Raises `UserError` if a file is missing, is no checkpoint, or belongs to another network or vocabulary.
    """
    reader = open_checkpoint(prefix)
    net = model.config.backbone
    # A variable without a name there is missing, too: it would keep its random start unnoticed.
    report = _fill(model, reader, str(prefix), lambda name: release_name(name, net) or "")
    if report.missing:
        raise UserError(
            f"{prefix}: lacks {len(report.missing)} of the model's variables, such as {report.missing[0]}; "
            f"it is not a checkpoint of {net} as configured"
        )
    return report


def load_imagenet_checkpoint(model: Any, path: str | Path) -> LoadReport:
    """Fills the trunk with slim's ImageNet weights; both heads' block 4, too, where RESNET.INIT_HEADS is on.

    With RESNET.RGB_WEIGHTS conv1's input channels are reversed, because images come as B, G, R and the
    weights saw R, G, B.
    """
    config = model.config
    heads = config.resnet.init_heads

    def wanted(name: str) -> str | None:
        return imagenet_name(name, config.backbone) if heads or name.startswith("trunk/") else None

    def adapt(name: str, value: np.ndarray) -> np.ndarray:
        return value[:, :, ::-1] if name == "trunk/conv1/kernel" and config.resnet.rgb_weights else value

    report = _fill(model, open_checkpoint(path), str(path), wanted, adapt)
    if not report.matched or report.missing:
        example = report.missing[0] if report.missing else "trunk/conv1/kernel"
        raise UserError(f"{path}: lacks {example}; it is not an ImageNet checkpoint of {config.backbone}")
    return report


def is_released(prefix: str | Path) -> bool:
    """Whether a checkpoint is one of the release's, rather than slim's of a trunk alone."""
    return any(name.startswith("gpi/") for name in open_checkpoint(prefix).get_variable_to_shape_map())


def read_released(prefix: str | Path, backbone: str, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Those of a released checkpoint's variables that have one of our `names`.

    Raises:
        UserError: it is of another backbone, damaged or no checkpoint.
    """
    reader = open_checkpoint(prefix)
    shapes = reader.get_variable_to_shape_map()
    theirs = {name: release_name(name, backbone) or "" for name in names}
    return {name: _value(reader, other, str(prefix)) for name, other in theirs.items() if other in shapes}


def open_checkpoint(prefix: str | Path) -> Any:
    """A reader of the checkpoint, or a `UserError` that says why it cannot be opened."""
    prefix = Path(prefix)
    parts = (
        [prefix]
        if prefix.is_file()
        else [Path(f"{prefix}.index"), *prefix.parent.glob(f"{prefix.name}.data-*")]
    )
    if not parts[0].is_file():
        raise UserError(
            f"{prefix}: no such checkpoint (neither {prefix.name} nor {prefix.name}.index exists)"
        )
    for part in parts:
        reason = foreign_file(part)
        if reason:
            raise UserError(f"{part}: is {reason}")
    if not prefix.is_file() and len(parts) == 1:
        raise UserError(f"{prefix}: {prefix.name}.data-00000-of-00001 is missing beside {prefix.name}.index")
    try:
        return tf.train.load_checkpoint(str(prefix))
    except READ_ERRORS as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{prefix}: not a readable TensorFlow checkpoint ({reason})") from error


def _value(reader: Any, name: str, source: str) -> np.ndarray:
    """A variable of a checkpoint."""
    try:
        value: np.ndarray = reader.get_tensor(name)
    except READ_ERRORS as error:
        raise UserError(f"{source}: {name} cannot be read; the file is damaged or truncated") from error
    if value.dtype.kind != "f":
        raise UserError(f"{source}: {name} holds {value.dtype}, not floating point numbers")
    return value


def _fill(
    model: Any,
    reader: Any,
    source: str,
    their_name: Callable[[str], str | None],
    adapt: Callable[[str, np.ndarray], np.ndarray] = lambda name, value: value,
) -> LoadReport:
    shapes: Mapping[str, list[int]] = reader.get_variable_to_shape_map()
    report, used = LoadReport(source), set()
    values: list[tuple[tf.Variable, np.ndarray]] = []
    for name, variable in model.named_variables().items():
        theirs = their_name(name)
        if theirs is None:
            continue
        if theirs not in shapes:
            report.missing.append(name)
            continue
        if tuple(shapes[theirs]) != tuple(variable.shape):
            raise UserError(
                f"{source}: {theirs} has shape {list(shapes[theirs])}, "
                f"the model's {name} has {list(variable.shape)}; another network or vocabulary"
            )
        value = _value(reader, theirs, source)
        used.add(theirs)
        report.matched.append(name)
        values.append((variable, adapt(name, value)))
    if not report.missing:  # all or nothing
        for variable, value in values:
            variable.assign(value)
    rest = sorted(set(shapes) - used)
    report.bookkeeping = sum(bool(BOOKKEEPING.search(name)) for name in rest)
    report.unused = [name for name in rest if not BOOKKEEPING.search(name)]
    return report
