"""A folder that is being made, and what killed processes left of theirs."""

from __future__ import annotations

import pytest

from dsg.runtime.scratch import exchange, scratch_folder

ABANDONED = ".own.unfinished-abcd1234"


def test_it_is_gone_at_the_end_or_has_its_name(tmp_path):
    with scratch_folder(tmp_path / "own") as made:
        assert made.parent == tmp_path and list(made.iterdir()) == []
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "old").touch()
    with scratch_folder(tmp_path / "own") as made:
        (made / "new").touch()
        exchange(made, tmp_path / "own")
    assert [path.name for path in tmp_path.rglob("*")] == ["own", "new"]
    with pytest.raises(KeyboardInterrupt), scratch_folder(tmp_path / "own"):
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    others = [".own.unfinished-notes", ".own.unfinished-abcd1234.txt", ".other.unfinished-abcd1234", "own"]
    for name in (ABANDONED, *others):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    with scratch_folder(tmp_path / "own"), scratch_folder(tmp_path / "own"):  # neither removes the other
        assert not (tmp_path / ABANDONED).exists()
        assert len(list(tmp_path.iterdir())) == len(others) + 2
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)


def test_what_was_moved_away_is_kept_until_the_new_one_is_there(tmp_path):
    """A process that was killed while it exchanged the two leaves the old one alone."""
    replaced = tmp_path / f"{ABANDONED}-replaced"
    replaced.mkdir()
    with scratch_folder(tmp_path / "own"):
        assert replaced.exists()
    assert not replaced.exists()
