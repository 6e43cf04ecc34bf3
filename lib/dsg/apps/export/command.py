"""What `dsg export` does: each export that was asked for, and a line about it."""

from __future__ import annotations

import logging
from pathlib import Path

from dsg.apps.export.places import check_places
from dsg.apps.export.weights import share_weights
from dsg.config.names import GROUNDING
from dsg.errors import UserError
from dsg.models.kinds import kind_of

LOG = logging.getLogger("dsg")


def export(
    snapshot: Path,
    *,
    weights: Path | None = None,
    precision: str = "float32",
    saved_model: Path | None = None,
    for_gpu: bool = False,
    onnx: Path | None = None,
) -> None:
    """Write a file of weights, a SavedModel and an ONNX file, whichever have a place.

    Raises:
        UserError: the snapshot cannot be read, an export would replace it, another one, or what is none (then
            nothing was begun), or something cannot be written.
    """
    if kind_of(snapshot) == GROUNDING and onnx is not None:
        raise UserError(
            f"{snapshot}: grounded graphs cannot be exported to ONNX, which knows no convolution by a kernel "
            "for each pair, of which the number is not fixed; --saved-model can"
        )
    check_places(snapshot, weights, saved_model, onnx)
    for path in (weights, saved_model, onnx):
        if path is not None:
            _make_folder(path.parent)
    if weights is not None:
        size = share_weights(snapshot, weights, precision)
        LOG.info("%s: %s bytes; dsg.load opens it", weights, f"{size:,}")
    if saved_model is None and onnx is None:
        return
    from dsg.apps.export.functions import load_any_trained

    trained = load_any_trained(snapshot)
    if saved_model is not None:
        from dsg.apps.export.saved_model import export_saved_model

        export_saved_model(trained, saved_model, direct=for_gpu)
        LOG.info("%s: tf.saved_model.load opens it, see docs/export.md", saved_model)
    if onnx is not None:
        from dsg.apps.export.onnx_file import export_onnx

        export_onnx(trained, onnx)
        LOG.info("%s: %s bytes; onnxruntime opens it", onnx, f"{onnx.stat().st_size:,}")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be created ({error.strerror or error})") from error
