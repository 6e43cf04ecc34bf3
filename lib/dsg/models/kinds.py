"""What a snapshot's model can be asked for, told before the model is loaded."""

from __future__ import annotations

from pathlib import Path

from dsg.config import stored_values
from dsg.config.names import BASELINES, DETECTOR, DSG, GROUNDING, meaning
from dsg.engine.snapshots import Meta, load_meta
from dsg.errors import UserError
from dsg.runtime.weight_files import ARCHIVE, CHECKPOINT, TORCH, find_weights

USES = {
    DSG: "`dsg ask`, or ask() in Python",
    DETECTOR: "`dsg detect`, or detect() in Python",
    GROUNDING: "`dsg graph`, or scene_graph() in Python",
    **dict.fromkeys(BASELINES, "`dsg test`"),
}
"""What a system is used with."""


def model_of(meta: Meta) -> str:
    """The MODEL of a snapshot: dsg, detector, grounding, or a baseline."""
    return str(stored_values(meta.config).get("MODEL", meaning(meta.net)["MODEL"]))


def kind_of(path: str | Path) -> str:
    """The MODEL of a snapshot's path; a file as torchvision publishes them is a detector.

    Raises:
        UserError: it is neither a snapshot nor such a file.
    """
    if find_weights(Path(path)).kind == TORCH:
        return DETECTOR
    return model_of(load_meta(Path(path)))


def check_answers_queries(path: str | Path, meta: Meta) -> None:
    """Refuse the snapshot of a system that answers no queries.

    Raises:
        UserError: it is one; the message says what that is used with.
    """
    model = model_of(meta)
    if model in (DETECTOR, GROUNDING):
        what = "a detector" if model == DETECTOR else "a model of scene graphs"
        raise UserError(f"{path}: {what} ({meta.net}), which answers no queries; use {USES[model]}")


def check_detects(path: str | Path, meta: Meta) -> None:
    """Refuse what is not the snapshot of a detector.

    Raises:
        UserError: it is of another system; the message says what that is used with.
    """
    _check_is(DETECTOR, "a detector", path, meta)


def check_grounds(path: str | Path, meta: Meta) -> None:
    """Refuse what is not the snapshot of a grounded scene graph.

    Raises:
        UserError: it is of another system, whose use the message says, or of a detector alone.
    """
    _check_is(GROUNDING, "a model of grounded scene graphs", path, meta)
    if stored_values(meta.config).get("GROUNDING.STAGE") == DETECTOR:
        raise UserError(
            f"{path}: the detector of a scene graph, without the graph; train that on it (train_sg.sh)"
        )


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


def _check_is(wanted: str, name: str, path: str | Path, meta: Meta) -> None:
    model = model_of(meta)
    if model != wanted:
        raise UserError(f"{path}: a snapshot of {meta.net}, not of {name}; use {USES[model]}")
