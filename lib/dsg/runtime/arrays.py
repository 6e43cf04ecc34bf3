"""Arrays from an `.npz` or `.npy` file that may have come from anywhere: no pickle, and no more memory than a
file of its size accounts for, whatever it says of itself.
"""

from __future__ import annotations

import contextlib
import math
import re
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path

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
HEADER = re.compile(
    rb"\x93NUMPY(?:\x01\0..|\x02\0....)\{'descr': '([<>|][biufUcmMOVS]\d{1,8})', "
    rb"'fortran_order': (True|False), 'shape': \(([\d, ]*)\), \} *\n",
    re.DOTALL,
)
"""What NumPy begins a plain array with; elements of more than 8 digits would be longer than it can count."""
LARGEST_NUMBER = 8
"""Bytes of the largest number that TensorFlow takes."""


def reason_of(error: BaseException, length: int = 200) -> str:
    """What an error says, in one line; its type where it says nothing, as a MemoryError does."""
    return " ".join(str(error).split())[:length] or type(error).__name__


def open_archive(path: Path, *, packed: bool = True) -> zipfile.ZipFile:
    """The archive in a file, for `read_array`; the caller closes it.

    Raises:
        DAMAGE: one of these, where it is none that NumPy writes, or claims to hold more than one of its size
            does.
    """
    with contextlib.ExitStack() as closing:
        archive = closing.enter_context(zipfile.ZipFile(path))
        members = archive.infolist()
        ways = PACKED if packed else (zipfile.ZIP_STORED,)
        if any(member.compress_type not in ways for member in members):
            raise ValueError("packed in a way that NumPy does not pack")
        held, size = sum(member.file_size for member in members), path.stat().st_size
        if held > Limits().unpacked(size):
            raise ValueError(f"{size:,} bytes that claim to hold {held:,}")
        closing.pop_all()  # the caller closes it
    return archive


def read_array(archive: zipfile.ZipFile, entry: str, kinds: str = NUMBERS) -> np.ndarray:
    """An entry of an archive, read-only, its checksum compared. It takes as much memory as the entry is long.

    Args:
        kinds: NumPy's letters of the types that it may be of.

    Raises:
        DAMAGE: one of these, if it is absent, damaged, of another type or larger than the entry.
    """
    with archive.open(entry) as stream:
        content = stream.read(archive.getinfo(entry).file_size)
        stream.read(1)  # at the end the checksum is compared
    return _plain_array(content, entry, kinds)


def read_npy(path: Path, kinds: str = NUMBERS) -> np.ndarray:
    """The array of a `.npy` file, read-only.

    Raises:
        DAMAGE: one of these, if it is absent, damaged, of another type or larger than the file.
    """
    return _plain_array(path.read_bytes(), path.name, kinds)


def _plain_array(content: bytes, entry: str, kinds: str) -> np.ndarray:
    # Not NumPy's own reader: it makes room before it has seen whether the numbers are there.
    header = HEADER.match(content)
    if header is None:
        raise ValueError(f"{entry} is no plain array")
    dtype = np.dtype(header[1].decode())
    if dtype.kind not in kinds or (dtype.kind in NUMBERS and dtype.itemsize > LARGEST_NUMBER):
        raise ValueError(f"{entry} is of the type {dtype}")
    shape = [int(length) for length in header[3].split(b",") if length.strip()]
    count, held = math.prod(shape), len(content) - header.end()
    if count * max(dtype.itemsize, 1) > held:  # NumPy would multiply in 64 bits, and read beyond the end
        raise ValueError(f"{entry} of {held:,} bytes claims to be {dtype} {shape}")
    flat = np.frombuffer(content, dtype, count, header.end())
    value = flat.reshape(shape, order="F") if header[2] == b"True" else flat.reshape(shape)
    return value.astype(dtype.newbyteorder("="), copy=False)


def read_arrays(path: Path, kinds: str = NUMBERS, *, packed: bool = True) -> dict[str, np.ndarray]:
    """All arrays of a file by name.

    Args:
        packed: the file may be compressed.

    Raises:
        DAMAGE: see `open_archive` and `read_array`.
    """
    with open_archive(path, packed=packed) as archive:
        return {name.removesuffix(".npy"): read_array(archive, name, kinds) for name in archive.namelist()}
