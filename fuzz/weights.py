"""Readers of weights: snapshots, caches, `.pth`, TensorFlow 1 checkpoints, word vectors."""

from __future__ import annotations

import functools
import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dsg.datasets import load_dataset
from fuzz.annotations import RELATIONSHIPS
from fuzz.mutations import (
    Files,
    changed_archive,
    changed_bytes,
    changed_value,
    npy,
    odd_array,
    one_changed,
    zipped,
)
from fuzz.reader import Reader, require
from tests.crafted import CRAFTED

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden"
SNAPSHOT = "run_iter_0.npz"


def entries_of(content: bytes) -> Files:
    """The entries of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@functools.cache
def _meta() -> dict[str, Any]:
    from dataclasses import asdict

    from dsg.config import Config, flatten
    from dsg.engine.snapshots import Meta

    history = [{"epoch": 1, "loss": 0.5, "validation": {"iou": 0.2}}]
    state = {"steps": 3, "sums": {"loss": 1.5}, "unreadable": ["a.jpg"]}
    values = {
        "net": "mini",
        "epoch": 2,
        "step": 9,
        "best_score": 0.3,
        "history": history,
        "epoch_state": state,
    }
    words = {"objects": ["cat", "dog"], "predicates": ["on"], "config": flatten(Config())}
    return asdict(Meta(**values, **words))  # type: ignore[arg-type]


def _snapshot_entries(meta: Any) -> Files:
    arrays = {"meta": np.array(json.dumps(meta)), "variables/a/kernel": np.ones((3, 4), np.float32)}
    arrays["slots/a/kernel/momentum"] = np.zeros((3, 4), np.float32)
    return {f"{name}.npy": npy(array) for name, array in arrays.items()}


def _snapshot_files() -> Files:
    return {SNAPSHOT: zipped(_snapshot_entries(_meta()))}


def _crafted(entries: Files, entry: str) -> st.SearchStrategy[bytes]:
    """What nobody writes: see `tests.crafted`. Made by files of its own."""

    def made(kind: str) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "a.npz")
            path.write_bytes(zipped(entries))
            CRAFTED[kind](path, entry)
            return path.read_bytes()

    return st.sampled_from(sorted(set(CRAFTED) - {"zeros"})).map(functools.cache(made))


def _snapshot_cases(files: Files) -> st.SearchStrategy[Files]:
    entries = entries_of(files[SNAPSHOT])
    told = changed_value(_meta()).map(lambda meta: zipped(_snapshot_entries(meta)))
    contents = st.one_of(told, changed_archive(entries), _crafted(entries, "variables/a/kernel.npy"))
    return contents.map(lambda content: {SNAPSHOT: content})


def _read_snapshot(folder: Path) -> None:
    from dsg.apps.snapshot_choice import stored_config
    from dsg.config import Config
    from dsg.engine.snapshots import check_vocabulary, load_meta, load_snapshot

    saved = load_snapshot(folder / SNAPSHOT)
    require(load_meta(folder).net == saved.meta.net, "two descriptions")
    for array in (*saved.variables.values(), *saved.slots.values()):
        require(array.dtype.kind in "biuf", "an array of no numbers")
    check_vocabulary(folder, saved.meta, saved.meta.objects, saved.meta.predicates)
    stored_config(folder / SNAPSHOT, Config(backbone="mini"))


SNAPSHOTS = Reader("snapshots", _snapshot_files, _snapshot_cases, _read_snapshot)


def _cache_files() -> Files:
    """Annotations and the cache that reading them leaves."""
    with tempfile.TemporaryDirectory() as place:
        files = RELATIONSHIPS.files()
        folder = Path(place, "data")
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        load_dataset(folder, "train", cache=Path(place, "kept"))
        (kept,) = Path(place, "kept").iterdir()
        return {**files, f"kept/{kept.name}": kept.read_bytes()}


def _cache_cases(files: Files) -> st.SearchStrategy[Files]:
    (name,) = (name for name in files if name.startswith("kept/"))
    entries = entries_of(files[name])
    about = json.loads(bytes(np.load(io.BytesIO(entries["about.npy"]))))
    told = changed_value(about).map(
        lambda value: zipped(
            {**entries, "about.npy": npy(np.frombuffer(json.dumps(value).encode(), np.uint8))}
        )
    )
    return st.one_of(told, changed_archive(entries)).map(lambda content: {name: content})


def _read_cached(folder: Path) -> None:
    dataset = load_dataset(folder, "train", cache=folder / "kept")
    for record in dataset.records:
        require(record.roles.shape == (len(record.queries), len(record.boxes)), "roles of another shape")
    dataset.summary()


CACHES = Reader("caches", _cache_files, _cache_cases, _read_cached, 0.7)


def _torch_files() -> Files:
    return {"a.pth": (GOLDEN / "pth" / "nested_zip.pth").read_bytes()}


OPCODES = (
    b"(",
    b"N",
    b"J\xff\xff\xff\xff",
    b"X\xff\xff\xff\xff",
    b"]",
    b"e",
    b"}",
    b"u",
    b"t",
    b"Q",
    b"R",
    b"b",
    b"0",
    b"2",
)
GLOBALS = (
    b"cos\nsystem\n",
    b"cbuiltins\neval\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ccollections\nOrderedDict\n",
)


@st.composite
def _changed_pickle(draw: st.DrawFn, content: bytes) -> bytes:
    data = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        piece = draw(
            st.sampled_from((*OPCODES, *GLOBALS, b"\x8a\xff" + b"\x7f" * 255, b"h\0", b"q\0", b"\x85" * 5000))
        )
        data[at : at + draw(st.sampled_from((0, 1, len(piece))))] = piece
    return bytes(data)


def _torch_cases(files: Files) -> st.SearchStrategy[Files]:
    golden = sorted(path for path in (GOLDEN / "pth").glob("*.pth"))
    packed = [content for content in (path.read_bytes() for path in golden) if content.startswith(b"PK")]
    plain = [content for content in (path.read_bytes() for path in golden) if not content.startswith(b"PK")]

    def changed(content: bytes) -> st.SearchStrategy[bytes]:
        try:
            entries = entries_of(content)
        except zipfile.BadZipFile:
            return changed_bytes(content)
        name = next(name for name in entries if name.endswith("data.pkl"))
        pickles = st.one_of(_changed_pickle(entries[name]), changed_bytes(entries[name]))
        return st.one_of(
            pickles.map(lambda pickle: zipped({**entries, name: pickle})), changed_archive(entries)
        )

    legacy = st.sampled_from(plain).flatmap(lambda content: _changed_pickle(content) | changed_bytes(content))
    contents = st.one_of(st.sampled_from(packed).flatmap(changed), legacy)
    return contents.map(lambda content: {"a.pth": content})


def _read_torch(folder: Path) -> None:
    from dsg.checkpoints.pth import read_pth

    for name, array in read_pth(folder / "a.pth").items():
        require(isinstance(name, str) and array.dtype.kind in "biuf", "no tensor")
        require(np.asarray(array, np.float64).sum() is not None, "")  # every byte is touched


TORCH = Reader("PyTorch's .pth", _torch_files, _torch_cases, _read_torch, 1.5)


@functools.cache
def _checkpoint() -> Files:
    import tensorflow as tf

    values = {"a/weights": np.ones((2, 3, 4, 5), np.float32), "a/biases": np.arange(5, dtype=np.float32)}
    with tempfile.TemporaryDirectory() as place:
        tf.raw_ops.SaveV2(
            prefix=f"{place}/net.ckpt",
            tensor_names=list(values),
            shape_and_slices=[""] * 2,
            tensors=[tf.constant(value) for value in values.values()],
        )
        tf.raw_ops.Save(filename=f"{place}/old.ckpt", tensor_names=list(values), data=list(values.values()))
        return {path.name: path.read_bytes() for path in sorted(Path(place).iterdir())}


def _read_checkpoint(folder: Path) -> None:
    from dsg.checkpoints.tf1 import names_in_checkpoint, read_checkpoint

    names_in_checkpoint(folder / "old.ckpt")
    for prefix in ("net.ckpt", "old.ckpt"):
        values, report = read_checkpoint(folder / prefix, {"k": "a/weights", "b": "a/biases", "n": "nowhere"})
        require(all(value.dtype.kind == "f" for value in values.values()), "no numbers")
        str(report)


CHECKPOINTS = Reader(
    "TensorFlow 1 checkpoints",
    lambda: dict(_checkpoint()),
    lambda files: one_changed(files, {name: changed_bytes(content, 2) for name, content in files.items()}),
    _read_checkpoint,
    0.3,
)


def _word_files() -> Files:
    rows = np.arange(8, dtype=np.float32).reshape(2, 4)
    triplets = npy(np.array([[1, 2, 1]]))
    return {"glove.txt": b"cat 0 1 2 3\nmat 4 5 6 7.5\n", "rows.npy": npy(rows), "zero_shot.npy": triplets}


def _word_cases(files: Files) -> st.SearchStrategy[Files]:
    arrays = {name: st.one_of(odd_array().map(npy), changed_bytes(files[name])) for name in list(files)[1:]}
    return one_changed(files, {"glove.txt": changed_bytes(files["glove.txt"]), **arrays})


def _read_words(folder: Path) -> None:
    from dsg.datasets.formats.vg150_triplets import read_zero_shot
    from dsg.models.grounding.words import name_vectors, read_glove, read_name_vectors

    found = read_glove(folder / "glove.txt", {"cat", "mat"}, 4)
    require(
        np.isfinite(name_vectors(["cat mat", "dog"], found, 4, np.random.default_rng(0))).all(), "vectors"
    )
    require(np.isfinite(read_name_vectors(folder / "rows.npy", 2)).all(), "word vectors that are not finite")
    triplets = read_zero_shot(folder / "zero_shot.npy", 2, 1)
    require(((triplets >= 0) & (triplets < [2, 2, 1])).all(), "triplets")


WORDS = Reader("word vectors and triplets", _word_files, _word_cases, _read_words, 0.5)


READERS = (SNAPSHOTS, CACHES, TORCH, CHECKPOINTS, WORDS)
