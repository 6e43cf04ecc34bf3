"""What is done to valid files: strategies of hypothesis that change bytes, JSON values and arrays."""

from __future__ import annotations

import copy
import io
import json
import math
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

Files = dict[str, bytes]
"""Contents by path below a folder."""
DEEPEST = 1200  # lists in lists: beyond Python's own limit
EDGES = (
    *(0, 1, -1, 2, 127, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**53 + 1, 2**63 - 1, 2**63),
    *(-(2**31), -(2**63), 10**20, 10**400),
)
FLOATS = (0.0, -0.0, 0.5, 1e-300, 5e-324, 1e308, -1e308, 16777217.5, math.nan, math.inf, -math.inf)
TEXTS = (
    *(
        "",
        " ",
        "0",
        "12",
        "12.0",
        "-1",
        "1e5",
        "nan",
        "\0",
        "a\nb",
        "\x1b[31m",
        "\u2028",
        "\ud800",
        "é" * 300,
    ),
    *(
        "../a.jpg",
        "/etc/passwd",
        "a/../../b",
        "C:\\a",
        "\\\\host\\a",
        "a" * 300,
        "a/" * 2000,
        ".",
        "..",
        "~root",
    ),
    *(
        "__class__",
        "%s%n",
        "{0}",
        "<script>",
        "=1+1",
        "file:///etc/passwd",
        "http://127.0.0.1:9/",
        "ß" * 70000,
    ),
)


def _nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 3 else {"a": value}
    return value


ODD: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from((None, True, False)),
    st.sampled_from(EDGES),
    st.sampled_from(FLOATS),
    st.sampled_from(TEXTS),
    st.sampled_from(("empty list", "empty object", "many", "pair", "deep", "deeper")).map(
        lambda kind: {
            "empty list": [],
            "empty object": {},
            "many": [0] * 3000,
            "pair": [[1, 2], {"id": 1}],
            "deep": _nested(60),
            "deeper": _nested(300),
        }[kind]
    ),
    st.integers(-5, 130),
    st.floats(-200, 200),
    st.text(max_size=4),
)
"""A JSON value that is seldom what is expected."""


@st.composite
def changed_bytes(draw: st.DrawFn, content: bytes, most: int = 4) -> bytes:
    """Bytes of which some are others, lost, repeated or moved."""
    data = bytearray(content)
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        kind = draw(st.integers(0, 8))
        if kind == 0:
            del data[at:]
        elif kind == 1:
            del data[at : at + draw(st.integers(1, 40))]
        elif kind == 2 and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == 3 and data:
            data[at] = draw(st.sampled_from((0, 1, 9, 10, 34, 44, 58, 91, 93, 123, 125, 127, 128, 255)))
        elif kind == 4:
            data[at:at] = draw(st.binary(min_size=1, max_size=12))
        elif kind == 5:
            end = at + draw(st.integers(1, 60))
            data[at:at] = data[at:end] * draw(st.sampled_from((1, 1, 2, 50)))
        elif kind == 6:
            form = draw(st.sampled_from(("<B", "<H", ">H", "<I", ">I", "<Q", ">Q")))
            value = draw(st.sampled_from(EDGES[:15])) % (1 << 8 * struct.calcsize(form))
            data[at : at + struct.calcsize(form)] = struct.pack(form, value)
        elif kind == 7:
            end, to = at + draw(st.integers(1, 60)), draw(st.integers(0, max(len(data) - 1, 0)))
            piece = data[at:end]
            del data[at:end]
            data[to:to] = piece
        else:
            data[at : at + draw(st.integers(1, 30))] = bytes(draw(st.integers(0, 60)))
    return bytes(data)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Container and key of everything in a JSON value."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        keys: Any = list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        for key in keys:
            yield one, key
            waiting.append(one[key])


@st.composite
def changed_value(draw: st.DrawFn, value: Any, most: int = 3) -> Any:
    """A JSON value of which some parts are others, absent, repeated, renamed, exchanged or nested."""
    root = [copy.deepcopy(value)]
    for _ in range(draw(st.integers(1, most))):
        places = list(_places(root))
        if not places:
            break
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        kind = draw(st.integers(0, 9))
        if kind <= 4:
            holder[key] = draw(ODD)
        elif kind == 5 and holder is not root:
            del holder[key]
        elif kind == 6:
            other, name = places[draw(st.integers(0, len(places) - 1))]
            holder[key] = copy.deepcopy(other[name])
        elif kind == 7 and isinstance(holder, dict):
            holder[draw(st.sampled_from(TEXTS))] = holder.pop(key)
        elif kind == 8 and isinstance(holder, list) and holder is not root:
            holder[key:key] = [copy.deepcopy(holder[key])] * draw(st.sampled_from((1, 2, 300)))
        elif kind == 9 and type(holder[key]) in (int, float):
            held = holder[key]
            holder[key] = draw(
                st.sampled_from((str(held), -held, held + 0.5, held * 1000, [held], float(held)))
            )
    return root[0]


def json_bytes(value: Any) -> bytes:
    """As a file; of texts that UTF-8 cannot say, as JSON spells them."""
    return json.dumps(value).encode()


DEEP = b"[" * DEEPEST + b"]" * DEEPEST
SPELLINGS: Sequence[Callable[[bytes], bytes]] = (
    lambda text: text,
    lambda text: text,
    lambda text: b"\xef\xbb\xbf" + text,
    lambda text: text.decode().encode("utf-16"),
    lambda text: text.replace(b"1", b"9" * 5000, 1),
    lambda text: text.replace(b"1", DEEP, 1),
    lambda text: text.replace(b"{", b'{"a": 1, "a": 2, ', 1),
    lambda text: text.replace(b",", b",\n"),
    lambda text: text + b" []",
)
"""The same text, or almost, in other bytes."""


def changed_json(content: bytes) -> st.SearchStrategy[bytes]:
    """A JSON file with other values, or other bytes."""
    values = changed_value(json.loads(content)).map(json_bytes)
    spelled = st.tuples(values, st.sampled_from(SPELLINGS)).map(lambda pair: pair[1](pair[0]))
    return st.one_of(values, values, spelled, changed_bytes(content))


def one_changed(files: Mapping[str, bytes], changes: Mapping[str, st.SearchStrategy[bytes]]) -> Any:
    """Files of which one, seldom two, are changed, or absent: the changed ones; an absent one is empty."""
    names = st.sampled_from(sorted(changes))

    def drawn(name: str) -> st.SearchStrategy[Files]:
        return changes[name].map(lambda content: {name: content})

    one = names.flatmap(drawn)
    return st.one_of(one, one, one, st.tuples(one, one).map(lambda pair: {**pair[0], **pair[1]}))


SHAPES = ((), (0,), (1,), (3,), (0, 4), (4, 0), (3, 4), (1, 5), (2, 1, 4), (2, 2, 2, 2))
TYPES = ("<f4", "<f8", "<f2", ">f4", "<i4", "<i8", "<u8", "|u1", "|i1", "|b1", "<c8", "<U3", "|S3", "<M8[s]")


@st.composite
def odd_array(draw: st.DrawFn, like: np.ndarray | None = None) -> np.ndarray:
    """An array of another type, shape or content."""
    shape = draw(st.sampled_from(SHAPES)) if like is None or draw(st.booleans()) else like.shape
    dtype = np.dtype(draw(st.sampled_from(TYPES)) if like is None or draw(st.booleans()) else like.dtype)
    size = math.prod(shape)
    if dtype.kind in "fc":
        values = draw(
            st.lists(st.sampled_from((*FLOATS, 1.0, -3.0, 70.0, 1e30)), min_size=size, max_size=size)
        )
    elif dtype.kind in "iub":
        bits = 8 * dtype.itemsize - (dtype.kind == "i")
        wide = (0, 1, 2, 5, -1, 2**bits - 1, -(2**bits))
        values = [
            value % 2**bits for value in draw(st.lists(st.sampled_from(wide), min_size=size, max_size=size))
        ]
    else:
        return np.zeros(shape, dtype)
    with np.errstate(all="ignore"):
        return np.array(values).astype(dtype).reshape(shape)


def npy(array: np.ndarray) -> bytes:
    """An array as a `.npy` file."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=False)
    return stream.getvalue()


def zipped(entries: Mapping[str, bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive, its checksums right."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", packing) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return stream.getvalue()


@st.composite
def changed_archive(draw: st.DrawFn, entries: Mapping[str, bytes]) -> bytes:
    """An archive with entries that are changed, absent or renamed; or changed bytes of a good one."""
    kind = draw(st.integers(0, 6))
    name = draw(st.sampled_from(sorted(entries)))
    if kind == 0:
        return draw(changed_bytes(zipped(entries)))
    changed = dict(entries)
    if kind <= 2:
        changed[name] = draw(changed_bytes(entries[name]))
    elif kind == 3:
        del changed[name]
    elif kind == 4:
        changed[draw(st.sampled_from(TEXTS)).encode("utf-8", "replace").decode()[:9000]] = changed.pop(name)
    elif name.endswith(".npy"):
        changed[name] = npy(draw(odd_array(np.load(io.BytesIO(entries[name])))))
    packing = draw(st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))
    return zipped(changed, packing)
