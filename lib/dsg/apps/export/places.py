"""Where exports go, looked at before any work begins: what is no earlier export must not be lost.

TensorFlow is not loaded here, so mistakes are reported at once.
"""

from __future__ import annotations

import re
from pathlib import Path

from dsg.errors import UserError
from dsg.runtime.files import refuse_folder

VOCABULARY = "vocabulary.json"
PARTS = re.compile(
    rf"(saved_model|fingerprint|keras_metadata)\.pb|{re.escape(VOCABULARY)}|assets|variables(/variables\.[^/]+)?"
)
"""What an exported SavedModel, of whatever TensorFlow, has in its folder."""


def check_places(snapshot: Path, weights: Path | None, saved_model: Path | None, onnx: Path | None) -> None:
    """See that no export would replace the snapshot, another export, or a file of the user's.

    Raises:
        UserError: one would, or a file's name is that of a folder.
    """
    files = [path for path in (weights, onnx) if path is not None]
    for path in files:
        refuse_folder(path)
        if path.resolve() == snapshot.resolve():
            raise UserError(f"{path}: is the snapshot itself; give another file")
    if weights is not None and onnx is not None and weights.resolve() == onnx.resolve():
        raise UserError(f"{onnx}: would be written twice; give another file")
    if saved_model is None:
        return
    for path in (snapshot, *files):
        if saved_model.resolve() in (path.resolve(), *path.resolve().parents):
            raise UserError(f"{path}: is inside {saved_model}, which will be replaced; give another folder")
    check_saved_model_folder(saved_model)


def check_saved_model_folder(folder: Path) -> None:
    """See that a folder can be replaced: it is not there, empty, or holds an earlier SavedModel alone.

    Raises:
        UserError: it cannot.
    """
    if not folder.name:
        raise UserError(f"{folder}: would be replaced as a whole; give a folder inside it")
    if folder.is_symlink():
        raise UserError(f"{folder}: is a link; give the folder itself")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"{folder}: is a file; give a folder")
    if any(folder.iterdir()) and not (folder / "saved_model.pb").is_file():
        raise UserError(f"{folder}: contains something other than a SavedModel; give another folder")
    for path in folder.rglob("*"):
        part = path.relative_to(folder).as_posix()
        if not PARTS.fullmatch(part) or (path.is_dir() and part not in ("assets", "variables")):
            raise UserError(
                f"{folder}: contains {part}, which is not part of a SavedModel; give another folder"
            )
