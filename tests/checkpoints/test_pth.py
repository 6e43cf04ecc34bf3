"""`.pth` files of torch: read to the last bit, and refused before anything is called."""

from __future__ import annotations

import json
import os
import posix
import re
import shutil
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dsg.checkpoints.pth import read_pth, read_tensors
from dsg.errors import UserError

FOLDER = Path(__file__).parents[1] / "golden" / "pth"
EXPECTED = dict(np.load(FOLDER / "expected.npz"))
SHAPES = json.loads((FOLDER / "expected.json").read_text())


def expected(prefix: str) -> dict[str, np.ndarray]:
    return {name[len(prefix) :]: value for name, value in EXPECTED.items() if name.startswith(prefix)}


def same(value: np.ndarray, wanted: np.ndarray) -> None:
    assert value.dtype == wanted.dtype and value.shape == wanted.shape
    assert np.array_equal(value, wanted) and value.flags.c_contiguous and value.flags.aligned


@pytest.mark.parametrize("file", ["small_zip", "small_legacy", "small_zip_torch1_7"])
def test_a_state_dict_is_read_to_the_last_bit(file: str) -> None:
    values = read_pth(FOLDER / f"{file}.pth")
    assert list(values) == list(SHAPES)
    for name, wanted in expected("small/").items():
        same(values[name], wanted)


@pytest.mark.parametrize("file", ["nested_zip", "nested_legacy"])
def test_a_training_checkpoint_gives_its_model_or_everything(file: str) -> None:
    model = read_pth(FOLDER / f"{file}.pth")
    assert list(model) == list(SHAPES)
    for name, wanted in expected("small/").items():
        same(model[name], wanted)
    everything = read_tensors(FOLDER / f"{file}.pth")
    same(everything["optimizer/state/0/momentum_buffer"], EXPECTED["nested/optimizer/momentum_buffer"])
    same(everything["param"], EXPECTED["nested/param"])
    assert len(everything) == len(SHAPES) + 2


def test_a_single_tensor() -> None:
    values = read_tensors(FOLDER / "tensor_zip.pth")
    assert list(values) == ["tensor"]
    same(values["tensor"], EXPECTED["tensor"])


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("refuse_call_zip", "asks for 'posix.getcwd'"),
        ("refuse_call_legacy", "asks for 'posix.getcwd'"),
        ("refuse_inst_zip", "protocol 2"),
        ("refuse_dotted_zip", "protocol 2|'torch.os.getcwd'"),
        ("refuse_outside_storage_zip", "outside its storage of 4 elements"),
        ("refuse_cut_zip", "truncated, damaged"),
        ("refuse_cut_legacy", "is cut|ends in the middle"),
    ],
)
def test_hostile_and_cut_files_are_refused_in_one_line(
    file: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    with monkeypatch.context() as patches:
        patches.setattr(posix, "getcwd", lambda: calls.append("posix"))
        patches.setattr(os, "getcwd", lambda: calls.append("os"))
        with pytest.raises(UserError) as caught:
            read_pth(FOLDER / f"{file}.pth")
    assert not calls
    message = str(caught.value)
    assert re.search(reason, message) and "\n" not in message and f"{file}.pth" in message


@pytest.mark.parametrize("file", ["small_zip.pth", "small_legacy.pth"])
def test_a_file_cut_anywhere_is_refused(file: str, tmp_path: Path) -> None:
    content = (FOLDER / file).read_bytes()
    for length in [*range(0, len(content), 97), len(content) - 1]:
        (tmp_path / file).write_bytes(content[:length])
        with pytest.raises(UserError):
            read_pth(tmp_path / file)


@pytest.mark.parametrize("file", ["small_zip.pth", "small_legacy.pth", "nested_legacy.pth"])
def test_a_damaged_byte_is_read_or_refused_but_never_a_traceback(file: str, tmp_path: Path) -> None:
    content = (FOLDER / file).read_bytes()
    for place in range(0, len(content), 23):
        damaged = bytearray(content)
        damaged[place] ^= 0x15
        (tmp_path / file).write_bytes(damaged)
        try:
            read_pth(tmp_path / file)
        except UserError as error:
            assert "\n" not in str(error)


# Pickles written by hand, opcode by opcode.


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    encoded = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(encoded)]) + encoded


def numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(shape: tuple[int, ...], strides: tuple[int, ...], *, offset: int = 0, count: int = 4) -> bytes:
    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + number(count)
    arguments = storage + b"tQ" + number(offset) + numbers(shape) + numbers(strides)
    hooks = b"\x89ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + arguments + hooks + b"tR"


def write(path: Path, body: bytes, storage: bytes = bytes(16)) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02" + body + b".")
        archive.writestr("a/data/0", storage)
    return path


def state(value: bytes) -> bytes:
    return b"}" + text("w") + value + b"s"


def laughs(depth: int) -> bytes:
    """A list of two lists of two lists ...: few bytes, 2 ** depth paths."""
    body = b"(]" + tensor((1,), (1,)) + b"aq\x00"
    for level in range(1, depth):
        body += b"](h" + bytes([level - 1]) + b"h" + bytes([level - 1]) + b"eq" + bytes([level])
    return body + b"t"


HOSTILE = {
    "a huge count": (state(tensor((2,), (1,), count=10**15)), "says that storage"),
    "a huge shape": (state(tensor((10**30, 10**30), (0, 0))), "claims"),
    "a stride of zero over and over": (state(tensor((10**9,), (0,))), "claims"),
    "a negative stride": (state(tensor((2,), (-1,), offset=3)), "negative"),
    "a negative side": (state(tensor((-2,), (1,))), "negative"),
    "a negative offset": (state(tensor((2,), (1,), offset=-1)), "negative"),
    "an offset behind the end": (state(tensor((2,), (1,), offset=3)), "outside its storage"),
    "a stride out of the storage": (state(tensor((2, 2), (2**62, 1))), "outside its storage"),
    "sides without strides": (state(tensor((2, 2), (1,))), "without storage, shape or strides"),
    "a hundred axes": (state(tensor((1,) * 100, (1,) * 100)), "without storage, shape or strides"),
    "a list in itself": (b"]q\x00h\x00a", "holds more values"),
    "a dictionary in itself": (b"}q\x00" + text("w") + b"h\x00s", "holds more values"),
    "lists of lists of lists": (laughs(60), "holds more values"),
    "a name of a megabyte": (b"}" + text("w" * 1_000_000) + tensor((1,), (1,)) + b"s", "longer"),
    "a text longer than the file": (b"X\xff\xff\xff\xff", "ends in the middle"),
    "a tuple as a key": (b"}" + b")" + b"\x85" * 100_000 + b"Ns", "tuple as a key"),
    "tuples ten thousand deep": (b")" + b"\x85" * 10_000, "longer"),
    "a mark too few": (b"u", "no mark"),
    "values below a mark": (b"N(\x86", "empty stack"),
    "a memo that is not there": (b"j\xff\xff\xff\xff", "not stored"),
    "a call of a class of storage": (b"ctorch\nFloatStorage\n)R", "calls 'torch.FloatStorage'"),
    "a call of a text": (text("x") + b")R", "wrong place"),
    "a call with too many arguments": (b"ccollections\nOrderedDict\n(NNNtR", "damaged"),
    "pairs that are none": (b"ccollections\nOrderedDict\n](NNe\x85R", "pairs"),
    "eval": (b"cbuiltins\neval\n" + text("1") + b"\x85R", "asks for 'builtins.eval'"),
    "a call by the opcode INST": (b"(iposix\ngetcwd\n", "opcode b'i'"),
    "a name by the stack": (text("os") + text("getcwd") + b"\x93", "opcode"),
    "a name without end": (b"c" + b"a" * 10_000, "without end"),
    "a stored thing that is no storage": (text("x") + b"\x85Q", "no storage"),
    "another protocol": (b"\x80\x04N", "opcode"),
    "no tensor": (state(b"N"), "holds no tensor"),
    "nothing": (b"", "complete"),
    "a storage it lacks": (state(tensor((2,), (1,)).replace(text("0"), text("1"))), "lacks its storage"),
    "a storage out of the folder": (
        state(tensor((2,), (1,)).replace(text("0"), text("../../x"))),
        "lacks its storage",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_crafted_pickles_are_refused_in_little_memory(case: str, tmp_path: Path) -> None:
    body, reason = HOSTILE[case]
    path = write(tmp_path / "crafted.pth", body)
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=reason):
            read_pth(path)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


def test_what_the_crafted_pickles_are_made_of_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "good.pth", state(tensor((2, 2), (1, 2))), np.arange(4, dtype="<f4").tobytes())
    assert np.array_equal(read_pth(path)["w"], [[0, 2], [1, 3]])


def test_big_endian_files_are_turned(tmp_path: Path) -> None:
    path = write(tmp_path / "big.pth", state(tensor((4,), (1,))), np.arange(4, dtype=">f4").tobytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a/byteorder", "big")
    value = read_pth(path)["w"]
    assert value.dtype == np.float32 and np.array_equal(value, [0, 1, 2, 3])


def test_pairs_of_python_2_make_a_dictionary(tmp_path: Path) -> None:
    pairs = b"](](U\x01w" + tensor((4,), (1,)) + b"ee"
    path = write(tmp_path / "two.pth", b"ccollections\nOrderedDict\n" + pairs + b"\x85R")
    assert list(read_pth(path)) == ["w"]


def test_a_packed_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "packed.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}.")
        archive.writestr("a/data/0", bytes(10_000_000))
    with pytest.raises(UserError, match="packed"):
        read_pth(path)


def test_other_files_and_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_pth(tmp_path / "absent.pth")
    with pytest.raises(UserError, match="no such file"):
        read_pth(tmp_path)
    page = tmp_path / "page.pth"
    page.write_text("<html>404</html>")
    with pytest.raises(UserError, match="is a web page"):
        read_pth(page)
    page.write_text("numbers")
    with pytest.raises(UserError, match="no file of torch.save"):
        read_pth(page)
    archive = tmp_path / "other.pth"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x.txt", "x")
    with pytest.raises(UserError, match=r"no data\.pkl"):
        read_pth(archive)
    copy = shutil.copy(FOLDER / "small_zip.pth", tmp_path / "copy.pth")
    with zipfile.ZipFile(copy, "a") as file:
        file.writestr("second/data.pkl", b"\x80\x02N.")
    with pytest.raises(UserError, match=r"no data\.pkl"):
        read_pth(copy)
