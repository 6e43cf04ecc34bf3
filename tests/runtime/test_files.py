"""Text files appear whole, whatever is in them."""

from __future__ import annotations

import subprocess
import sys

from dsg.runtime.files import write_text
from tests.tiny import ROOT


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
