"""Archives of arrays as nobody writes them: what a reader of files from outside has to refuse."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SMALL = np.arange(6, dtype=np.float32)


def npy(value: Any) -> bytes:
    """A `.npy` file."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(value), allow_pickle=False)
    return stream.getvalue()


def header(descr: str, shape: tuple[int, ...], content: bytes = b"") -> bytes:
    """A `.npy` file that claims to be more than it holds."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue() + content


def replace(path: Path, entry: str, content: bytes, packing: int = zipfile.ZIP_STORED) -> None:
    """The same archive with other content of one entry."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, old in entries.items():
            archive.writestr(name, content if name == entry else old, packing if name == entry else None)


def _change(path: Path, entry: str, place: int, value: int) -> None:
    """Sets a byte of the central directory's record of an entry."""
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02", 0, content.rindex(entry.encode())) + place] = value
    path.write_bytes(content)


def _encrypt(path: Path, entry: str) -> None:
    _change(path, entry, 8, 1)


def _pack_strangely(path: Path, entry: str) -> None:
    _change(path, entry, 10, 99)


def _damage_lzma(path: Path, entry: str) -> None:
    replace(path, entry, npy(np.zeros(1000)), zipfile.ZIP_LZMA)
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo(entry).header_offset + 30 + len(entry)
    content = bytearray(path.read_bytes())
    content[start + 4] = 255  # of the packing's own properties
    path.write_bytes(content)


def _with(content: Callable[[], bytes], packing: int = zipfile.ZIP_STORED) -> Callable[[Path, str], None]:
    return lambda path, entry: replace(path, entry, content(), packing)


# What to do to an entry of an archive.
CRAFTED: dict[str, Callable[[Path, str], None]] = {
    "more than any memory": _with(lambda: header("<f4", (10**14,))),
    "more than 64 bits count": _with(lambda: header("<f4", (10**23,))),
    "as many bytes as 64 bits count from 0 again": _with(lambda: header("<f4", (2**62,))),
    "an open bracket": _with(lambda: header("<f4", (1,), bytes(4)).replace(b"(1,)", b"((1,")),
    "a negative length": _with(lambda: header("<f4", (-2, -3))),
    "empty texts without number": _with(lambda: header("<U0", (10**14,))),
    "text of gigabytes": _with(lambda: header("<U1000000000", ())),
    "objects": _with(lambda: header("|O", (1,), b"\x80\x04N.")),
    "a header nested too deeply": _with(lambda: b"\x93NUMPY\x01\x00\x28\x23" + b"-" * 8999 + b"1"),
    "zeros": _with(lambda: header("<f4", (26_000_000,), bytes(104_000_000)), zipfile.ZIP_DEFLATED),
    "no array": _with(lambda: b"text"),
    "damaged LZMA": _damage_lzma,
    "encrypted": _encrypt,
    "packed in an unknown way": _pack_strangely,
}
NO_NUMBERS = {
    "text": npy("x"),
    "complex": npy(SMALL.astype(np.complex64)),
    "a time": header("<M8[s]", (1,), bytes(8)),
    "fields": header([("a", "<f4")], (1,), bytes(4)),  # type: ignore[arg-type]
}
if np.dtype(np.longdouble).itemsize > 8:  # not on every processor
    NO_NUMBERS["more than 64 bits"] = npy(SMALL.astype(np.longdouble))
