"""`tools/export.py`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import dsg
from tests.programs import run_program
from tests.shared import ROOT
from tests.small_trained import write_snapshot


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_snapshot(tmp_path_factory.mktemp("program") / "run_iter_0.npz")


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return run_program("export", *arguments, cwd=cwd)


def test_weights_and_saved_model(snapshot: Path, tmp_path: Path) -> None:
    weights, folder = tmp_path / "new" / "shared.npz", tmp_path / "model"
    given = ("--snapshot", snapshot, "--weights", weights, "--precision", "float16", "--saved-model", folder)
    done = run(*given, "--for-gpu")
    assert done.returncode == 0, done.stderr
    assert str(weights) in done.stdout and str(folder) in done.stdout
    assert repr(dsg.load(weights)) == "<dsg model mini: 48 categories, 4 predicates>"
    assert (folder / "saved_model.pb").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to do: give --weights FILE, --saved-model DIR or --onnx FILE"),
        (["--weights", "{snapshot}"], "is the snapshot itself; give another file"),
        (["--weights", "{snapshot}/a.npz"], "cannot be created"),
        (["--weights", "a.npz", "--precision", "int8"], "invalid choice: 'int8'"),
        (["--weights", "a.npz", "--snapshot", "absent.npz"], "absent.npz: no such snapshot"),
        (["--onnx", "{snapshot}"], "is the snapshot itself; give another file"),
        (["--onnx", "{folder}/a/../run_iter_0.npz"], "is the snapshot itself; give another file"),
        (["--weights", "a.npz", "--onnx", "b/../a.npz"], "a.npz: would be written twice; give another file"),
        (["--weights", "."], ".: is a folder; name a file"),
        (["--weights", "/"], "/: is a folder; name a file"),
        (["--weights", ""], ".: is a folder; name a file"),
        (["--onnx", "."], ".: is a folder; name a file"),
        (["--onnx", "{folder}"], "is a folder; name a file"),
        (
            ["--weights", "new/a.npz", "--saved-model", "new"],
            "new/a.npz: is inside new, which will be replaced",
        ),
        (
            ["--onnx", "new/b/c.onnx", "--saved-model", "new"],
            "new/b/c.onnx: is inside new, which will be replaced",
        ),
        (["--saved-model", "{folder}"], "is inside"),
        (["--weights", "a.npz", "--saved-model", "/etc"], "/etc: contains something other than a SavedModel"),
        (["--weights", "a.npz", "--saved-model", "{snapshot}"], "is inside"),
    ],
)
def test_mistakes_are_one_line(snapshot: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    before = snapshot.read_bytes()
    words = [word.format(snapshot=snapshot, folder=snapshot.parent) for word in arguments]
    done = run("--snapshot", snapshot, *words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr and done.stderr.count("\n") == 1
    assert snapshot.read_bytes() == before and not list(tmp_path.iterdir())  # nothing was begun


def test_weights_need_no_tensorflow(snapshot: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from dsg.apps.export.command import export\n"
        f"export(Path({str(snapshot)!r}), weights=Path({str(tmp_path / 'a.npz')!r}))\n"
        "sys.exit('tensorflow' in sys.modules)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT / "lib")}
    assert subprocess.run([sys.executable, "-c", code], env=env, check=False).returncode == 0
