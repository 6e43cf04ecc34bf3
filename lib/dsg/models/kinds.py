"""What a snapshot's model can be asked for, told before the model is loaded."""

from __future__ import annotations

from pathlib import Path

from dsg.config import stored_values
from dsg.config.names import BASELINES, DETECTOR, meaning
from dsg.engine.snapshots import Meta, load_meta
from dsg.errors import UserError
from dsg.runtime.weight_files import ARCHIVE, CHECKPOINT, TORCH, find_weights


def model_of(meta: Meta) -> str:
    """The MODEL of a snapshot: dsg, detector, or a baseline."""
    return str(stored_values(meta.config).get("MODEL", meaning(meta.net)["MODEL"]))


def holds_detector(path: str | Path) -> bool:
    """Whether a path is that of a detector's snapshot, or of a file as torchvision publishes them.

    Raises:
        UserError: it is neither that nor another snapshot.
    """
    return find_weights(Path(path)).kind == TORCH or model_of(load_meta(Path(path))) == DETECTOR


def check_answers_queries(path: str | Path, meta: Meta) -> None:
    """Refuse the snapshot of a detector.

    Raises:
        UserError: it is one.
    """
    if model_of(meta) == DETECTOR:
        raise UserError(
            f"{path}: a detector ({meta.net}), which answers no queries; use `dsg detect`, or detect() in "
            "Python"
        )


def check_detects(path: str | Path, meta: Meta) -> None:
    """Refuse what is not the snapshot of a detector.

    Raises:
        UserError: it is of another system; the message says what that is used with.
    """
    model = model_of(meta)
    if model == DETECTOR:
        return
    use = "`dsg test`" if model in BASELINES else "`dsg ask`, or ask() in Python"
    raise UserError(f"{path}: a snapshot of {meta.net}, not of a detector; use {use}")


def check_snapshot_detects(path: str | Path, backbone: str = "") -> None:
    """`check_detects` for a path that may also be another program's file, which is not looked into.

    Args:
        path: of a snapshot, a file of torchvision or a TensorFlow 1 checkpoint.
        backbone: of a checkpoint; the others say themselves which they are of.

    Raises:
        UserError: there is no such file, it is a snapshot of another system, or it needs no `backbone`.
    """
    weights = find_weights(Path(path))
    if backbone and weights.kind != CHECKPOINT:
        raise UserError(f"{path}: says itself of which network it is; --net is for TensorFlow 1 checkpoints")
    if weights.kind == ARCHIVE:
        check_detects(path, load_meta(weights.path))
