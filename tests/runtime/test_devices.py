"""What a user may write for <gpu>. Choosing devices itself is tested by the scripts, in new processes."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from dsg.errors import UserError
from dsg.runtime.devices import parse_gpus, warn_of_slow_precision
from dsg.runtime.machine import imitates


@pytest.mark.parametrize(
    ("text", "numbers"), [("cpu", []), ("CPU", []), ("0", [0]), ("0,1", [0, 1]), ("3", [3])]
)
def test_valid(text, numbers):
    assert parse_gpus(text) == numbers


@pytest.mark.parametrize("text", ["gpu", "", "0,", "-1", "0;1", "0,0", "1.0"])
def test_invalid(text):
    with pytest.raises(UserError):
        parse_gpus(text)


@pytest.mark.parametrize(
    ("precision", "flags", "warned"),
    [
        ("bfloat16", "fma avx2", True),
        ("bfloat16", "fma avx2 avx512_bf16", False),
        ("float16", "avx2 avx512_bf16", True),
        ("float16", "fp asimd fphp", False),
        ("float32", "avx2", False),
        ("bfloat16", None, False),
    ],
)
def test_imitated_precision_is_said_to_be_slow(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    flags: str | None,
    warned: bool,
) -> None:
    cpu_info = tmp_path / "cpuinfo"
    if flags is not None:
        cpu_info.write_text(f"processor : 0\nflags : fpu {flags} sse\n")
    caplog.set_level(logging.WARNING, "dsg")
    monkeypatch.setattr(logging.getLogger("dsg"), "propagate", True)
    assert imitates(precision, cpu_info) == warned
    warn_of_slow_precision("TRAIN.PRECISION", precision, cpu_info)
    assert (f"TRAIN.PRECISION {precision}: not faster here" in caplog.text) == warned
