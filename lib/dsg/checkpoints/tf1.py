"""Reading TensorFlow 1 checkpoints: the release's `dsg_pretrained.ckpt` and slim's ImageNet
`resnet_v1_*.ckpt`.

Both the sharded format (`.index` and `.data-*`) and the old single file are read. Files come from outside:
nothing in them is executed, names and shapes are checked, and what is no checkpoint is answered with one
line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.checkpoints.tf1_names import release_name
from dsg.errors import UserError
from dsg.runtime.foreign import foreign_file

# What TensorFlow's reader raises for a damaged file, depending on where the damage is.
READ_ERRORS = (tf.errors.OpError, RuntimeError, ValueError, IndexError, NotImplementedError)
# Saved beside the model: the optimiser's slots, the learning rate and counters.
BOOKKEEPING = re.compile(
    r"(^Variable(_\d+)?$|/(Momentum|Adam(_1)?|RMSProp(_1)?|ExponentialMovingAverage)$|^beta[12]_power$|"
    r"^global_step$|^logits/|/mean_rgb$)"
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
    net, variables = model.config.backbone, model.named_variables()
    # A variable without a name there is missing, too: it would keep its random start unnoticed.
    theirs = {name: release_name(name, net) or "" for name in variables}
    values, report = read_checkpoint(prefix, theirs)
    if report.missing:
        raise UserError(
            f"{prefix}: lacks {len(report.missing)} of the model's variables, such as {report.missing[0]}; "
            f"it is not a checkpoint of {net} as configured"
        )
    for name, value in values.items():
        if value.shape != tuple(variables[name].shape):
            raise UserError(
                f"{prefix}: {theirs[name]} has shape {list(value.shape)}, the model's {name} has "
                f"{list(variables[name].shape)}; another network or vocabulary"
            )
    for name, value in values.items():  # all or nothing
        variables[name].assign(value)
    return report


def read_checkpoint(
    prefix: str | Path, theirs: Mapping[str, str]
) -> tuple[dict[str, np.ndarray], LoadReport]:
    """Variables of a checkpoint by our names.

    Args:
        prefix: of the checkpoint's files, without `.index`.
        theirs: our name -> the checkpoint's.

    Returns:
        Our name -> value, and the report; its `missing` are names of ours that the checkpoint lacks.

    Raises:
        UserError: it is damaged, no checkpoint, or holds something else than numbers.
    """
    reader = open_checkpoint(prefix)
    there = reader.get_variable_to_shape_map()
    report = LoadReport(str(prefix))
    report.matched = [name for name, other in theirs.items() if other in there]
    report.missing = [name for name, other in theirs.items() if other not in there]
    values = {name: _value(reader, theirs[name], str(prefix)) for name in report.matched}
    rest = sorted(set(there) - {theirs[name] for name in report.matched})
    report.unused = [name for name in rest if not BOOKKEEPING.search(name)]
    report.bookkeeping = len(rest) - len(report.unused)
    return values, report


def names_in_checkpoint(prefix: str | Path) -> list[str]:
    """Names of its variables.

    Raises:
        UserError: it is damaged or no checkpoint.
    """
    return list(open_checkpoint(prefix).get_variable_to_shape_map())


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
        reader = tf.train.load_checkpoint(str(prefix))
        reader.get_variable_to_shape_map()  # of a damaged file, names may be no text
        return reader
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
