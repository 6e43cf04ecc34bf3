"""The tables' scripts, from training to table, interrupted and given again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.models.baselines.small_runs import PAIRS
from tests.shared import ROOT
from tests.tiny import make_tiny_shapes


def script(place: Path, number: int, *words: str) -> subprocess.Popen:
    command = [str(ROOT / "experiments/scripts" / f"table{number}.sh"), "cpu", "shapes", "mini", *words]
    command += ["--data", str(place / "data"), "--output", str(place / "out")]
    environment = {**os.environ, "DSG_PYTHON": sys.executable}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=place, env=environment, text=True, **pipes)


def finish(process: subprocess.Popen) -> tuple[int, str, str]:
    output, errors = process.communicate()
    return process.returncode, output, errors


def test_a_table_is_interrupted_goes_on_and_repeats_nothing(tmp_path):
    """With the row that trains quickest; which runs the tables share is planned, see test_plan.py."""
    make_tiny_shapes(tmp_path / "data")
    words = [*PAIRS, "TRAIN.EPOCHS", "4", "TEST.PICTURES", "0", "--rows", "co"]
    history = tmp_path / "out/co/shapes_train/table_mini/history.jsonl"
    process = script(tmp_path, 1, *words)
    deadline = time.monotonic() + 900  # the machine may be busy with other things
    while not history.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    status, output, errors = finish(process)
    assert status == 143, output[-2000:] + errors[-2000:]
    assert "time left not known yet" in output and history.read_text().count("\n") < 4

    status, output, errors = finish(script(tmp_path, 1, *words))
    assert status == 0, errors[-2000:]
    assert history.read_text().count("\n") == 4 and "| CO |" in output
    folder = tmp_path / "out/mini/shapes_tables/table"
    found = json.loads((folder / "table1.json").read_text())
    assert found["complete"] and found["rows"]["co"]["queries"]["all"] > 0
    assert (folder / "table1.md").is_file() and (folder / "table1.png").is_file()

    written = history.stat().st_mtime_ns
    status, output, _ = finish(script(tmp_path, 1, *words))
    assert status == 0 and "CO: already finished" in output and history.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rows", "dgs"], "no row 'dgs'"),
        (["TRAIN.EPOCH", "1"], "did you mean TRAIN.EPOCHS"),
        (["--seeds"], "--seeds needs a value"),
        (["--tag", "a/b"], "plain name"),
        (["--sede=3"], "unknown option --sede=3"),
    ],
)
def test_mistakes_are_one_line(tmp_path, words, message):
    status, _, errors = finish(script(tmp_path, 1, *words))
    assert status == 2 and message in errors
    assert len(errors.splitlines()) == 1 and errors.startswith("error: ")


def test_a_run_that_fails_keeps_its_message_and_the_table_its_rows(tmp_path):
    (tmp_path / "data/shapes").mkdir(parents=True)
    status, output, errors = finish(script(tmp_path, 2, "--rows", "dsg"))
    assert status == 2
    assert "1 of 1 runs failed: DSG (mini table_dsg)" in errors.splitlines()[-1]
    assert "| DSG | - |" in output
