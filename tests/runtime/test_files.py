"""Files appear whole or not at all, whatever is in them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dsg.errors import UserError
from dsg.runtime.files import prepare_place, replacing, write_bytes, write_text
from tests.shared import ROOT


def test_what_is_not_unicode_is_escaped(tmp_path):
    write_text(tmp_path / "report.txt", "/data/caf\udce9: caf\u00e9")
    assert (tmp_path / "report.txt").read_text(encoding="utf-8") == "/data/caf\\udce9: caf\u00e9"
    assert [path.name for path in tmp_path.iterdir()] == ["report.txt"]


def test_two_processes_may_write_the_same_file(tmp_path):
    """As tests of one run do that end together, whose report is one."""
    program = "import sys\nfrom pathlib import Path\nfrom dsg.runtime.files import write_text\n"
    program += "for _ in range(500): write_text(Path(sys.argv[1]), 'whole')"
    command = [sys.executable, "-c", program, str(tmp_path / "report.txt")]
    writing = [subprocess.Popen(command, cwd=ROOT / "lib", stderr=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate()[1] for process in writing] == [b"", b""]
    assert [path.name for path in tmp_path.iterdir()] == ["report.txt"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("options", [{}, {"alone": True}, {"durable": True}])
def test_what_was_there_stays_until_the_new_file_is_whole(tmp_path, error, options):
    path = tmp_path / "a.bin"
    path.write_text("old")
    with pytest.raises(error), replacing(path, **options) as temporary:
        temporary.write_text("ne")
        raise error
    assert [file.name for file in tmp_path.iterdir()] == ["a.bin"] and path.read_text() == "old"
    with replacing(path, **options) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.bin"] and path.read_text() == "new"


def test_what_a_killed_process_left_is_overwritten(tmp_path):
    (tmp_path / ".a.bin.tmp").write_text("half")
    with replacing(tmp_path / "a.bin", alone=True) as temporary:
        temporary.write_text("new")
    assert [file.name for file in tmp_path.iterdir()] == ["a.bin"]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="b.png: cannot write the picture .*No such file"):
        write_bytes(tmp_path / "a" / "b.png", b"", "the picture")
    write_bytes(tmp_path / "a" / "b.png", b"1", "the picture", make_folder=True)
    assert (tmp_path / "a" / "b.png").read_bytes() == b"1"


def test_a_place_is_prepared_before_there_is_anything_to_write(tmp_path):
    prepare_place(tmp_path / "new" / "report.json")
    assert [path.name for path in tmp_path.iterdir()] == ["new"] and not any((tmp_path / "new").iterdir())
    (tmp_path / "file").touch()
    for place, reason in (
        (tmp_path / "new", "is a folder"),
        (tmp_path / "file" / "report.json", "cannot write"),
    ):
        with pytest.raises(UserError, match=reason):
            prepare_place(place)
