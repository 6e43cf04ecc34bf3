"""Files as `torch.save` writes them, without torch."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dsg.checkpoints.torchvision import torchvision_name


def write_pth(path: Path, values: Mapping[str, np.ndarray]) -> Path:
    """A state dict, opcode by opcode."""

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def numbers(sides: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(b"J" + struct.pack("<i", side) for side in sides) + b"t"

    body = b"\x80\x02}("
    for key, (name, value) in enumerate(values.items()):
        value = np.ascontiguousarray(value)
        strides = tuple(step // value.itemsize for step in value.strides)
        storage = text("storage") + b"ctorch\nFloatStorage\n" + text(str(key)) + text("cpu")
        body += text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n((" + storage
        body += b"J" + struct.pack("<i", value.size) + b"tQK\x00" + numbers(value.shape) + numbers(strides)
        body += b"\x89}tR"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", body + b"u.")
        for key, value in enumerate(values.values()):
            archive.writestr(f"archive/data/{key}", value.astype("<f4").tobytes())
    return path


def torch_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape in torch's layout of a kernel, a dense layer or a vector of ours."""
    return tuple(shape[axis] for axis in (3, 2, 0, 1)) if len(shape) == 4 else tuple(shape[::-1])


def torch_state(shapes: Mapping[str, Sequence[int]], body: str = "") -> dict[str, np.ndarray]:
    """A tensor for each of our variables that torchvision has: small numbers that differ from tensor to
    tensor; `body` precedes a ResNet's names.
    """
    named = {name: (number, torchvision_name(name, body)) for number, name in enumerate(shapes)}
    return {
        theirs: np.full(torch_shape(shapes[name]), (number + 1) / 1000, np.float32)
        for name, (number, theirs) in named.items()
        if theirs
    }
