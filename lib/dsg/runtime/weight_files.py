"""What kind of file weights and snapshots are in, told by name and content, so that the file that is meant is
found, and another one is named for what it is.
"""

from __future__ import annotations

import codecs
import difflib
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from dsg.errors import UserError
from dsg.runtime.foreign import foreign_content

PRETRAINED = "dsg_pretrained"
"""The released checkpoint's name."""
ARCHIVE, CHECKPOINT, TORCH = "archive", "checkpoint", "torch"
CHECKPOINT_PART = re.compile(r"(?P<prefix>.+)\.(index|meta|data-\d{5}-of-\d{5})")
RUN_SNAPSHOT = re.compile(r"(?P<run>.+)_(iter_(?P<epoch>\d+)|last)\.npz")
STATE = "checkpoint"  # TensorFlow 1 writes the name of the newest checkpoint into this file
HEAD = 512
READ = (
    "a snapshot (.npz, or a run's folder), a TensorFlow 1 checkpoint, weights of torchvision (.pth), or an "
    "archive of kernels (.npz)"
)
PYTORCH = "a file of PyTorch"
ENDINGS = {
    ".h5": "a file of weights of Keras",
    ".hdf5": "a file of weights of Keras",
    ".keras": "a model of Keras",
    ".pth": PYTORCH,
    ".pt": PYTORCH,
    ".onnx": "a model in the ONNX format",
    ".pb": "a SavedModel or a graph of TensorFlow",
    ".safetensors": "a file of safetensors",
    ".tflite": "a model of TensorFlow Lite",
    ".msgpack": "a file of weights of Flax",
}


@dataclass(frozen=True)
class WeightFile:
    """A file that can be read, or the prefix of a checkpoint's files."""

    kind: str  # ARCHIVE, CHECKPOINT or TORCH
    path: Path


def find_weights(path: Path) -> WeightFile:
    """The file that a path means: itself, the checkpoint that it is a part of, or the best snapshot of a run
    whose folder it is.

    Raises:
        UserError: the file does not exist, or its format, which the message names, is not supported.
    """
    if path.is_dir():
        return _in_folder(path)
    part = CHECKPOINT_PART.fullmatch(path.name)
    if part is not None and (path.is_file() or is_checkpoint(path.with_name(part["prefix"]))):
        return WeightFile(CHECKPOINT, path.with_name(part["prefix"]))
    if not path.is_file():
        if is_checkpoint(path):
            return WeightFile(CHECKPOINT, path)
        raise UserError(_absent(path))
    if path.name == STATE:
        return WeightFile(CHECKPOINT, _newest(path))
    foreign = foreign_format(path)
    if foreign == PYTORCH:
        return WeightFile(TORCH, path)
    if foreign:
        raise UserError(f"{path}: is {foreign}; expected is {READ}")
    head = _head(path)
    return WeightFile(ARCHIVE if head.startswith(b"PK") or path.suffix == ".npz" else CHECKPOINT, path)


def is_checkpoint(prefix: Path) -> bool:
    """Whether a path is the prefix of a TensorFlow 1 checkpoint's files."""
    return Path(f"{prefix}.index").is_file()


def foreign_format(path: Path) -> str:
    """What a file is instead of weights that are read, in words; empty if nothing speaks against it."""
    head = _head(path)
    if CHECKPOINT_PART.fullmatch(path.name) or is_checkpoint(path):
        return "a part of a TensorFlow 1 checkpoint"
    suffix = path.suffix.lower()
    if not head:
        return "an empty file"
    foreign = foreign_content(head)
    if foreign:
        return foreign
    if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ")) or head[257:262] == b"ustar":
        return f"a packed archive: unpack it (tar xf {path.name}), then name the file in it"
    if head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"RIFF")):
        return "a picture"
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return ENDINGS[".keras"] if suffix == ".keras" else ENDINGS[".h5"]
    if head.startswith(b"PK"):
        return _zip_format(path)
    if head.startswith(b"\x80") and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return (
            ENDINGS[".pth"]
            if suffix in ENDINGS
            else "a pickle, which is not opened, such as a file of PyTorch"
        )
    if suffix in ENDINGS:
        return ENDINGS[suffix]
    return "a text, no weights" if _is_text(head) else ""


def _is_text(head: bytes) -> bool:
    """Whether a file begins as a text of one or more lines; its last character may be cut."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(word.isprintable() for word in text.split())


def best_snapshot(folder: Path) -> Path | None:
    """The best snapshot of a run in its folder, or the one of the last epoch; None if there is none."""
    found: list[tuple[bool, int, Path]] = []
    for path in folder.glob("*.npz"):
        name = RUN_SNAPSHOT.fullmatch(path.name)
        if name is not None:
            epoch = int(name["epoch"]) if name["epoch"] else -1
            found.append((epoch == 0, epoch, path))
    return max(found)[2] if found else None


def _in_folder(folder: Path) -> WeightFile:
    snapshot = best_snapshot(folder)
    if snapshot is not None:
        return WeightFile(ARCHIVE, snapshot)
    prefixes = sorted(path.with_suffix("") for path in folder.glob("*.index"))
    if len(prefixes) == 1:
        return WeightFile(CHECKPOINT, prefixes[0])
    if prefixes:
        names = ", ".join(prefix.name for prefix in prefixes[:3])
        raise UserError(f"{folder}: holds {len(prefixes)} checkpoints, name one of them: {names}")
    if (folder / "saved_model.pb").is_file():
        raise UserError(f"{folder}: is {ENDINGS['.pb']}; read is {READ}")
    raise UserError(f"{folder}: no snapshot in this folder (<name>_iter_N.npz)")


def _newest(state: Path) -> Path:
    """The checkpoint that TensorFlow 1's file `checkpoint` names."""
    text = state.read_text(encoding="utf-8", errors="replace")
    named = re.search(r'^model_checkpoint_path:\s*"([^"]*)"', text, re.MULTILINE)
    prefix = (
        state.with_name(Path(named[1]).name) if named else None
    )  # where it was written counts for nothing
    if prefix is None or not is_checkpoint(prefix):
        raise UserError(f"{state}: names no checkpoint beside it; name its .index file")
    return prefix


def _zip_format(path: Path) -> str:
    """What a zip archive is that NumPy did not write."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return ENDINGS.get(path.suffix.lower(), "")  # truncated: the reader reports it
    if any(name.rpartition("/")[2] == "data.pkl" for name in names):
        return ENDINGS[".pth"]
    if "metadata.json" in names and "config.json" in names:
        return ENDINGS[".keras"]
    if names and not any(name.endswith(".npy") for name in names):
        return "a zip archive without arrays: unpack it, then name the file in it"
    return ""


def _head(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error


def _absent(path: Path) -> str:
    """That a file is not there, with names like it."""
    try:
        names = {CHECKPOINT_PART.sub(r"\g<prefix>", other.name) for other in path.parent.iterdir()}
    except OSError:
        return f"{path}: no such file"
    close = difflib.get_close_matches(path.name, names, n=2)
    return f"{path}: no such file" + (f"; nearby: {' and '.join(close)}" if close else "")
