"""Tensors out of the files that `torch.save` writes (`.pth`), without torch and without running a pickle.

Two formats: a zip archive (since torch 1.6) with a pickle and a file for each storage, and the older one,
five pickles in a row and the storages behind them. Files come from outside: a pickle is read by
`dsg.checkpoints.pickles`, which calls nothing but what is listed here, every view is checked against its
storage and every storage against the file.
"""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dsg.checkpoints.pickles import Name, PickleReader, Refused, checked_key
from dsg.errors import UserError
from dsg.runtime.arrays import DAMAGE, reason_of
from dsg.runtime.foreign import foreign_file
from dsg.runtime.limits import Limits

ZIP_START = b"PK\x03\x04"
LEGACY_MAGIC, LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
MODEL_KEYS = ("model", "state_dict")  # where a training checkpoint keeps its weights
MAX_AXES = 32
MAX_VALUES, MAX_NAME = 200_000, 1000  # entries of all containers, letters of a path to one

# torch's classes of storages; bfloat16 is read as its bits
STORAGES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": "u2",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "b1",
}


class Storage(NamedTuple):
    """A storage that a pickle mentions: class, key in the file, number of elements."""

    kind: str
    key: str
    elements: int


class View(NamedTuple):
    """A tensor: a strided view of a storage, in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of elements."""
        size = 1
        for side in self.shape:
            size *= side
        return size


def read_pth(path: str | Path) -> dict[str, np.ndarray]:
    """The weights in a `.pth` file: those under `model` or `state_dict` where it is a training checkpoint.

    Returns:
        Arrays by name in the file's order; bfloat16 as float32, all other types as they are. They may be
        read-only.

    Raises:
        UserError: there is no such file, it is cut or damaged, or holds something other than tensors in plain
            containers.
    """
    tensors = read_tensors(path)
    for key in MODEL_KEYS:
        weights = {
            name[len(key) + 1 :]: value for name, value in tensors.items() if name.startswith(f"{key}/")
        }
        if weights:
            return weights
    return tensors


def read_tensors(path: str | Path) -> dict[str, np.ndarray]:
    """Every tensor of a `.pth` file, whatever else it holds: `{"optimizer": {"state": [t]}}` gives the name
    `optimizer/state/0`, a file of one tensor the name `tensor`.

    Raises:
        UserError: see `read_pth`.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    foreign = foreign_file(path)
    if foreign:
        raise UserError(f"{path}: is {foreign}")
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            start = file.read(len(ZIP_START))
        reader = _read_zip if start == ZIP_START else _read_legacy
        with reader(path) as (root, storage_of):
            return _arrays(dict(_views(root)), storage_of, Limits().unpacked(size))
    except Refused as error:
        raise UserError(
            f"{path}: {error}; not loaded, because it may be damaged or unsafe: use weights published by "
            "torchvision"
        ) from error
    except DAMAGE as error:
        raise UserError(
            f"{path}: truncated, damaged or not a file of torch.save ({reason_of(error)}); fetch it again"
        ) from error


ReadStorage = Callable[[Storage], np.ndarray]


@contextlib.contextmanager
def _read_zip(path: Path) -> Iterator[tuple[Any, ReadStorage]]:
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
            raise Refused("is a packed archive, which torch.save does not write")
        if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
            raise Refused("claims to hold more than it does")
        pickles = [name for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(pickles) != 1:
            raise Refused("is a zip archive, but not one of torch.save (no data.pkl)")
        prefix = pickles[0][: -len("data.pkl")]
        order = (
            ">" if f"{prefix}byteorder" in entries and archive.read(f"{prefix}byteorder") == b"big" else "<"
        )

        def read_storage(storage: Storage) -> np.ndarray:
            name = f"{prefix}data/{storage.key}"
            if name not in entries:
                raise Refused(f"lacks its storage {storage.key[:40]!r}")
            return _storage_array(archive.read(name), storage, order)

        yield PickleReader(archive.read(pickles[0]), NAMES, _storage).read(), read_storage


@contextlib.contextmanager
def _read_legacy(path: Path) -> Iterator[tuple[Any, ReadStorage]]:
    content = memoryview(path.read_bytes())
    reader = PickleReader(content, NAMES, _storage)
    try:
        magic = reader.read()
    except Refused as error:
        raise Refused("is no file of torch.save") from error
    if magic != LEGACY_MAGIC or reader.read() != LEGACY_PROTOCOL:
        raise Refused("is no file of torch.save")
    system = reader.read()
    order = ">" if isinstance(system, dict) and system.get("little_endian") is False else "<"
    root, keys = reader.read(), reader.read()
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise Refused("does not list its storages")
    kinds = {view.storage.key: view.storage.kind for _, view in _views(root)}
    places: dict[str, memoryview] = {}
    position = reader.position
    for key in keys:
        if key not in kinds:
            raise Refused(f"holds a storage {key[:40]!r} that no tensor uses")
        count = int.from_bytes(content[position : position + 8], "little")
        end = position + 8 + count * _dtype(kinds[key], order).itemsize
        if end > len(content):
            raise Refused("is truncated: it ends before its tensors do")
        places[key] = content[position + 8 : end]
        position = end

    def read_storage(storage: Storage) -> np.ndarray:
        if storage.key not in places:
            raise Refused(f"lacks its storage {storage.key[:40]!r}")
        return _storage_array(places[storage.key], storage, order)

    yield root, read_storage


def _dtype(kind: str, order: str) -> np.dtype:
    return np.dtype(STORAGES[kind]).newbyteorder(order)  # type: ignore[arg-type]


def _storage_array(content: bytes | memoryview, storage: Storage, order: str) -> np.ndarray:
    dtype = _dtype(storage.kind, order)
    if len(content) != storage.elements * dtype.itemsize:
        raise Refused(
            f"says that storage {storage.key[:40]!r} has {storage.elements} elements, and it has "
            f"{len(content) // dtype.itemsize}"
        )
    if storage.kind == "BoolStorage":  # a byte other than 0 and 1 is no bool to NumPy
        return np.frombuffer(content, np.uint8) != 0
    return np.frombuffer(content, dtype)


def _views(root: Any) -> Iterator[tuple[str, View]]:
    """Every tensor in nested containers with its path. A container met twice is walked twice, and one that
    contains itself until the path is too long.
    """
    count = 0
    waiting: list[tuple[str, Any]] = [("", root)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, View):
            yield path or "tensor", value
        elif isinstance(value, (dict, list, tuple)):
            count += len(value)
            prefix = f"{path}/" if path else ""
            keys = value if isinstance(value, dict) else range(len(value))
            if count > MAX_VALUES or any(len(prefix) + len(str(key)) > MAX_NAME for key in keys):
                raise Refused("holds more values, or names that are longer, than a file of weights does")
            items = list(value.items() if isinstance(value, dict) else enumerate(value))
            waiting.extend((f"{prefix}{key}", item) for key, item in reversed(items))


def _arrays(views: dict[str, View], read_storage: ReadStorage, allowed: int) -> dict[str, np.ndarray]:
    if not views:
        raise Refused("holds no tensor")
    held = sum(view.size * np.dtype(STORAGES[view.storage.kind]).itemsize for view in views.values())
    if held > allowed:  # views may share a storage, or repeat it by a stride of 0
        raise Refused(f"claims {held:,} bytes of tensors, more than a file of its size has")
    storages: dict[Storage, np.ndarray] = {}
    arrays = {}
    for name, view in views.items():
        if view.storage not in storages:
            storages[view.storage] = read_storage(view.storage)
        arrays[name] = _array(storages[view.storage], view)
    return arrays


def _array(storage: np.ndarray, view: View) -> np.ndarray:
    steps = [stride * storage.itemsize for stride in view.strides]
    start = storage[view.offset :] if view.size else storage[:0]
    strided = np.lib.stride_tricks.as_strided(
        start, view.shape, steps if view.size else None, writeable=False
    )
    if view.storage.kind == "BFloat16Storage":
        return (strided.astype(np.uint32) << 16).view(np.float32)
    native = strided.astype(strided.dtype.newbyteorder("="), copy=False)
    return np.require(native, requirements=["C", "A"])


def _storage(identity: tuple[Any, ...]) -> Storage:
    """What a persistent id means: ('storage', class, key, location, count), in the older format with None."""
    known = len(identity) == 5 or (len(identity) == 6 and identity[5] is None)
    if not known or identity[0] != "storage" or not isinstance(identity[1], Name):
        raise Refused("mentions something stored that is no storage")
    _, name, key, _, count = identity[:5]
    kind = name.name.rpartition(" ")[2]
    if kind not in STORAGES or not isinstance(key, str) or not _counts((count,)):
        raise Refused("mentions something stored that is no storage")
    return Storage(kind, key, count)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> View:
    """`torch._utils._rebuild_tensor_v2`."""
    sides = isinstance(shape, tuple) and isinstance(strides, tuple) and len(shape) == len(strides) <= MAX_AXES
    if not isinstance(storage, Storage) or not sides or not _counts((offset, *shape, *strides)):
        raise Refused("has a tensor without storage, shape or strides, or with negative ones")
    if all(shape) and offset + sum((n - 1) * step for n, step in zip(shape, strides)) >= storage.elements:
        raise Refused(f"has a tensor that reaches outside its storage of {storage.elements} elements")
    return View(storage, offset, shape, tuple(step if side > 1 else 0 for side, step in zip(shape, strides)))


def _parameter(data: Any, *_: Any) -> View:
    """`torch._utils._rebuild_parameter`."""
    if not isinstance(data, View):
        raise Refused("has a parameter that is no tensor")
    return data


def _ordered(items: Any = ()) -> dict[Any, Any]:
    """`collections.OrderedDict`, empty or, as Python 2 wrote it, of a list of pairs."""
    pairs = isinstance(items, (list, tuple)) and all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in items
    )
    if not pairs:
        raise Refused("has an OrderedDict of something else than pairs")
    return {checked_key(key): value for key, value in items}


def _counts(values: tuple[Any, ...]) -> bool:
    return all(isinstance(value, int) and not isinstance(value, bool) and value >= 0 for value in values)


NAMES: dict[str, Callable[..., Any] | None] = {
    "collections OrderedDict": _ordered,
    "torch._utils _rebuild_tensor_v2": _tensor,
    "torch._utils _rebuild_parameter": _parameter,
    **dict.fromkeys(f"torch {kind}" for kind in STORAGES),
}
