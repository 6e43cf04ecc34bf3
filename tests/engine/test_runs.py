"""Names become files, the furthest whole snapshot is where a run goes on, and old ones are cleared away."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from dsg.engine.names import is_snapshot_name
from dsg.engine.runs import Run, find_snapshot
from dsg.engine.snapshots import Meta, save_snapshot
from dsg.errors import UserError


@pytest.fixture
def run(tmp_path):
    made = Run.of(tmp_path / "output", "mini", "shapes", "try")
    made.make_folder()
    for epoch in (1, 2, 9, 10):
        save(made.snapshot(epoch), epoch)
    save(made.snapshot(0), 2)
    return made


def save(path, epoch, epoch_step=0):
    meta = Meta(net="mini", epoch=epoch, step=10 * epoch, epoch_step=epoch_step)
    save_snapshot(path, {"w": np.float32([epoch])}, {}, meta)


def test_layout(run, tmp_path):
    assert run.folder == tmp_path / "output" / "mini" / "shapes_train" / "try"
    assert run.snapshot(3).name == "try_iter_3.npz"
    assert run.epochs() == [1, 2, 9, 10]


@pytest.mark.parametrize("name", ["", "a/b", "..", "try_iter_3", "dsg_pretrained", "try_last"])
def test_names_that_are_none(tmp_path, name):
    with pytest.raises(UserError):
        Run.of(tmp_path, "mini", "shapes", name)


def test_prune_keeps_the_newest_and_the_best(run):
    run.prune(2)
    assert run.epochs() == [9, 10] and run.snapshot(0).exists()
    run.prune(0)
    assert run.epochs() == [10]


def test_resume_takes_the_furthest(run):
    assert run.resume().meta.epoch == 10
    save(run.last, 10, epoch_step=3)
    assert run.resume().path == run.last
    save(run.last, 9, epoch_step=3)  # left over: the epoch it was in has ended since
    assert run.resume().path == run.snapshot(10)


def test_resume_passes_over_damaged_files(run, caplog):
    run.snapshot(10).write_bytes(run.snapshot(10).read_bytes()[:100])
    run.last.write_bytes(b"")
    with caplog.at_level(logging.WARNING, "dsg"):
        assert run.resume().path == run.snapshot(9)
    messages = [record.getMessage() for record in caplog.records]
    assert "try_iter_10.npz: damaged" in messages[0] and "try_last.npz: is an empty" in messages[1]
    assert messages[-1] == "resuming from try_iter_9.npz instead"


def test_one_process_at_a_time(run):
    with run.lock(), pytest.raises(UserError, match="another process"), run.lock():
        pass
    with run.lock():
        pass


def test_what_a_killed_process_left_half_written_is_removed(run):
    left = [".try_iter_11.npz.tmp", ".try_last.npz.tmp", ".history.jsonl.123.tmp", ".curves.png.7.tmp"]
    others = [".other_last.npz.tmp", ".report.html.123.tmp", ".try_last.npz.tmp.bak"]
    for name in left + others:
        (run.folder / name).touch()
    with run.lock():
        assert not any((run.folder / name).exists() for name in left)
    assert all((run.folder / name).exists() for name in others)


def test_nothing_to_resume(tmp_path):
    fresh = Run.of(tmp_path, "mini", "shapes", "fresh")
    assert fresh.resume() is None
    fresh.make_folder()
    fresh.snapshot(1).write_bytes(b"x")
    with pytest.raises(UserError, match="none of its 1 snapshots can be read"):
        fresh.resume()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write there .* --output"):
        Run.of(tmp_path / "file", "mini", "shapes", "try").make_folder()


def test_a_best_snapshot_that_is_left_alone_is_not_replaced(run):
    run.check_new(snapshot_iters=3)  # its epoch, 2, is before the first that can be gone on from
    with pytest.raises(UserError, match="only the best snapshot, of epoch 2, is left.*move try_iter_0.npz"):
        run.check_new(snapshot_iters=1)
    run.snapshot(0).write_bytes(b"damaged")
    run.check_new(snapshot_iters=1)
    run.snapshot(0).unlink()
    run.check_new(snapshot_iters=1)


def test_a_run_killed_between_its_best_and_its_first_snapshot_begins_again(tmp_path):
    """The best one of an epoch is written first, and the history last."""
    killed = Run.of(tmp_path, "mini", "shapes", "killed")
    killed.make_folder()
    for first in (1, 3):
        save(killed.snapshot(0), first)
        (killed.folder / "history.jsonl").write_text("{}\n" * (first - 1))
        killed.check_new(snapshot_iters=first)
        (killed.folder / "history.jsonl").write_text("{}\n" * first)
        with pytest.raises(UserError, match="only the best snapshot"):
            killed.check_new(snapshot_iters=first)


def test_find_by_name_and_path(run, tmp_path, monkeypatch):
    find = lambda text: find_snapshot(text, tmp_path / "output", "mini", "shapes", tmp_path / "data")  # noqa: E731
    assert find("try_iter_0") == run.snapshot(0)
    assert find(str(run.snapshot(2))) == run.snapshot(2)
    assert find(str(run.snapshot(2))[: -len(".npz")]) == run.snapshot(2)
    monkeypatch.chdir(tmp_path)  # where a stray file of that name lies
    save(tmp_path / "try_iter_0.npz", 7)
    assert find("try_iter_0") == run.snapshot(0) and find("try_iter_0.npz").samefile("try_iter_0.npz")
    with pytest.raises(
        UserError, match="available: try_iter_0, try_iter_1, try_iter_10, try_iter_2, try_iter_9"
    ):
        find("try_iter_3")
    with pytest.raises(UserError, match=r"pretrained.* \(data/README.md\)"):
        find("dsg_pretrained")
    (tmp_path / "data" / "pretrained").mkdir(parents=True)
    (tmp_path / "data" / "pretrained" / "dsg_pretrained.ckpt.index").write_text("")
    assert find("dsg_pretrained") == tmp_path / "data" / "pretrained" / "dsg_pretrained.ckpt"


@pytest.mark.parametrize("text", [".", "/", "..", "", "a" * 300, "a\0"])
def test_what_is_no_name_of_a_snapshot(run, tmp_path, text):
    with pytest.raises(UserError, match="no snapshot .* available: try_iter_0"):
        find_snapshot(text, tmp_path / "output", "mini", "shapes", tmp_path / "data")


def test_snapshot_names():
    assert [is_snapshot_name(name) for name in ("a_iter_3", "dsg_pretrained", "a_iter_", "default")] == [
        True,
        True,
        False,
        False,
    ]
