"""Text files appear whole, whatever is in them."""

from __future__ import annotations

from dsg.engine.files import write_text


def test_what_is_not_unicode_is_escaped(tmp_path):
    write_text(tmp_path / "report.txt", "/data/caf\udce9: caf\u00e9")
    assert (tmp_path / "report.txt").read_text(encoding="utf-8") == "/data/caf\\udce9: caf\u00e9"
    assert [path.name for path in tmp_path.iterdir()] == ["report.txt"]
