"""A snapshot comes back as it was, appears whole or not at all, and says plainly what does not fit."""

from __future__ import annotations

import dataclasses
import json
import re
import resource
import shutil

import numpy as np
import pytest

from dsg.engine.snapshots import Meta, assign, check_vocabulary, load_meta, load_snapshot, save_snapshot
from dsg.errors import UserError
from tests.crafted import CRAFTED, NO_NUMBERS, npy, replace

META = Meta(
    net="mini",
    epoch=3,
    step=120,
    epoch_step=7,
    epoch_state={"sums": {"total": 0.1 + 0.2}},
    best_score=1 / 3,
    best_epoch=2,
    history=[{"epoch": 1, "total": 1e-7}],
    seed=3,
    config={"NET": "mini", "TRAIN.STEPSIZE": [4, 8]},
    dataset="shapes",
    objects=["cube", "ball"],
    predicates=["left", "right"],
    version="1.0",
)
VARIABLES = {"gpi/rho/0/kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "rpn/bias": np.float32([0.5])}
SLOTS = {"momentum/rpn/bias": np.float32([0.25]), "adam/steps": np.int64(5)}


class Cell:
    """As much of a variable as `assign` needs."""

    def __init__(self, shape):
        self.shape, self.value = shape, None

    def assign(self, value):
        self.value = value


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "run_iter_3.npz"
    save_snapshot(file, VARIABLES, SLOTS, META)
    return file


def test_round_trip(path):
    read = load_snapshot(path)
    assert read.meta == META == load_meta(path)
    for expected, found in ((VARIABLES, read.variables), (SLOTS, read.slots)):
        assert list(expected) == list(found)
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value)
            assert found[name].dtype == np.asarray(value).dtype
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_plain_numpy_opens_it(path):
    with np.load(path, allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["variables/rpn/bias"], VARIABLES["rpn/bias"])


@pytest.mark.parametrize("keep", [10, 300, 0.5, 0.95])
def test_a_file_cut_short_is_named(path, keep):
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    with pytest.raises(UserError, match="run_iter_3.npz: damaged, truncated or not a snapshot"):
        load_snapshot(path)


def test_a_flipped_bit_is_found(path):
    content = bytearray(path.read_bytes())
    where = content.find(VARIABLES["gpi/rho/0/kernel"].tobytes())
    content[where + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        load_snapshot(path)


def test_other_files_are_no_snapshots(tmp_path):
    pointer = tmp_path / "pointer.npz"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(UserError, match="git lfs pull"):
        load_snapshot(pointer)
    np.savez(tmp_path / "arrays.npz", a=np.zeros(3))
    with pytest.raises(UserError, match="not a snapshot"):
        load_snapshot(tmp_path / "arrays.npz")
    with pytest.raises(UserError, match="absent.npz: no such file"):
        load_snapshot(tmp_path / "absent.npz")
    (tmp_path / "empty.npz").write_bytes(b"")
    with pytest.raises(UserError, match="empty.npz: is an empty file"):
        load_snapshot(tmp_path / "empty.npz")


def one_line_about(path, load=load_snapshot):
    """What is said of a snapshot that cannot be read."""
    with pytest.raises(UserError, match="run_iter_3.npz: damaged, truncated or not a snapshot") as caught:
        load(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    return str(caught.value)


@pytest.mark.parametrize("entry", ["meta.npy", "variables/rpn/bias.npy", "slots/adam/steps.npy"])
@pytest.mark.parametrize("kind", list(CRAFTED))
def test_a_crafted_file_is_refused_before_it_takes_memory(path, kind, entry):
    CRAFTED[kind](path, entry)
    one_line_about(path)
    if entry == "meta.npy":
        one_line_about(path, load_meta)


@pytest.mark.parametrize("kind", list(NO_NUMBERS))
def test_variables_are_real_numbers(path, kind):
    replace(path, "variables/rpn/bias.npy", NO_NUMBERS[kind])
    assert re.search("variables/rpn/bias.npy is (of the type|no plain array)", one_line_about(path))


def test_numbers_of_the_other_byte_order(path):
    replace(path, "variables/rpn/bias.npy", npy(np.array([0.5], ">f4")))
    bias = load_snapshot(path).variables["rpn/bias"]
    assert bias.tolist() == [0.5] and bias.dtype.isnative


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("net", 3),
        ("epoch", "x"),
        ("epoch", None),
        ("step", 1.5),
        ("epoch_state", []),
        ("epoch_state", {"position": "x"}),
        ("epoch_state", {"sums": 3}),
        ("epoch_state", {"unreadable": [3]}),
        ("epoch_state", {"sums": {"total": None}}),
        ("best_score", "high"),
        ("history", {}),
        ("history", [1]),
        ("config", [1]),
        ("objects", "cube"),
        ("objects", ["cube", 1]),
        ("predicates", None),
    ],
)
def test_a_description_of_other_types_is_no_snapshot(path, name, value):
    replace(path, "meta.npy", npy(json.dumps({**dataclasses.asdict(META), name: value})))
    for load in load_snapshot, load_meta:
        assert f"{name} is " in one_line_about(path, load)


@pytest.mark.parametrize("text", ["[" * 100_000, "[1]", "1", "{", '{"format": 1}'])
def test_a_description_that_is_none(path, text):
    replace(path, "meta.npy", npy(text))
    one_line_about(path, load_meta)


def test_a_full_disk_leaves_the_earlier_snapshot(path):
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # the system's own "no more room"
    try:
        with pytest.raises(UserError, match="cannot save the snapshot .* earlier snapshots are intact"):
            save_snapshot(path, {"big": np.zeros(1_000_000, np.float32)}, {}, META)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_an_absent_folder(tmp_path, path):
    with pytest.raises(UserError, match="cannot save"):
        save_snapshot(tmp_path / "no" / "a.npz", {}, {}, META)
    shutil.rmtree(path.parent)


def test_assign_is_strict_and_all_or_nothing(path):
    read = load_snapshot(path)
    cells = {"gpi/rho/0/kernel": Cell((2, 3)), "rpn/bias": Cell((1,))}
    assign(path, "variables", read.variables, cells)
    np.testing.assert_array_equal(cells["rpn/bias"].value, [0.5])
    other = {"gpi/rho/0/kernel": Cell((2, 4)), "rr/0/kernel": Cell((1,))}
    with pytest.raises(UserError) as caught:
        assign(path, "variables", read.variables, other)
    message = str(caught.value)
    for part in (
        "run_iter_3.npz",
        "another network",
        "3 variables",
        "[2, 3] in the file, [2, 4] in the network",
    ):
        assert part in message
    assert "rr/0/kernel is missing" in message and "rpn/bias is not in the network" in message
    assert all(cell.value is None for cell in other.values())


def test_vocabulary_must_be_the_same(path):
    check_vocabulary(path, META, ("cube", "ball"), ("left", "right"))
    with pytest.raises(UserError, match="number 1 is 'ball', here 'cone'"):
        check_vocabulary(path, META, ("cube", "cone"), ("left", "right"))
    with pytest.raises(UserError, match=r"other predicates \(2, here 3\)"):
        check_vocabulary(path, META, ("cube", "ball"), ("left", "right", "on"))
