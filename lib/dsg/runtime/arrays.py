"""Arrays from an `.npz` file that may have come from anywhere: no pickle, and no more memory than a file of
its size accounts for, whatever it says of itself.
"""

from __future__ import annotations

import contextlib
import math
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from dsg.runtime.limits import Limits

NUMBERS = "biuf"
"""NumPy's kinds of real numbers: bool, whole, unsigned, floating point."""
DAMAGE = (
    *(OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, ArithmeticError),
    *(MemoryError, struct.error, zipfile.BadZipFile, zlib.error, SyntaxError, tokenize.TokenError),
)
"""What reading a file can raise that only looks like an archive of arrays; an encrypted or a strangely packed
one raises RuntimeErrors, a header that is no Python SyntaxErrors and TokenErrors."""
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How NumPy packs; other ways inflate a few bytes to any size at once."""
LARGEST_NUMBER = 8
"""Bytes of the largest number that TensorFlow takes."""


def reason_of(error: BaseException, length: int = 200) -> str:
    """What an error says, in one line; its type where it says nothing, as a MemoryError does."""
    return " ".join(str(error).split())[:length] or type(error).__name__


def open_archive(path: Path) -> zipfile.ZipFile:
    """The archive in a file, for `read_array`; to be closed by whoever asks.

    Raises:
        DAMAGE: one of these, where it is none that NumPy writes, or claims to hold more than one of its size
            does.
    """
    with contextlib.ExitStack() as closing:
        archive = closing.enter_context(zipfile.ZipFile(path))
        members = archive.infolist()
        if any(member.compress_type not in PACKED for member in members):
            raise ValueError("packed in a way that NumPy does not pack")
        held, size = sum(member.file_size for member in members), path.stat().st_size
        if held > Limits().unpacked(size):
            raise ValueError(f"{size:,} bytes that claim to hold {held:,}")
        closing.pop_all()  # whoever asked closes it
    return archive


def read_array(archive: zipfile.ZipFile, entry: str, kinds: str = NUMBERS) -> np.ndarray:
    """An entry of an archive, its checksum compared.

    Args:
        kinds: NumPy's letters of the types that it may be of.

    Raises:
        DAMAGE: one of these, where it is absent, damaged, of another type or larger than the entry.
    """
    with archive.open(entry) as stream:
        _check_header(stream, archive.getinfo(entry), kinds)
    with archive.open(entry) as stream:  # checks the sum of the entry when its end is reached
        value = np.lib.format.read_array(stream, allow_pickle=False)
        stream.read(1)
    return value.astype(value.dtype.newbyteorder("="), copy=False)


def read_arrays(path: Path, kinds: str = NUMBERS) -> dict[str, np.ndarray]:
    """All arrays of a file by name.

    Raises:
        DAMAGE: see `open_archive` and `read_array`.
    """
    with open_archive(path) as archive:
        return {name.removesuffix(".npy"): read_array(archive, name, kinds) for name in archive.namelist()}


def _check_header(stream: Any, member: zipfile.ZipInfo, kinds: str) -> None:
    """Refuses what NumPy would make room for before it has seen whether it is there."""
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):  # 3.0 is for names of fields
        raise ValueError(f"{member.filename} is of the version {version} of NumPy's format")
    read_header = (
        np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read_header(stream)
    if dtype.kind not in kinds or (dtype.kind in NUMBERS and dtype.itemsize > LARGEST_NUMBER):
        raise ValueError(f"{member.filename} is of the type {dtype}")
    # The length of a text may be 0, which would be no limit to their number.
    if min(shape, default=0) < 0 or math.prod(shape) * max(dtype.itemsize, 1) > member.file_size:
        raise ValueError(
            f"{member.filename} of {member.file_size:,} bytes claims to be {dtype} {list(shape)}"
        )
