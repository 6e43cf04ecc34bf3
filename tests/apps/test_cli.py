"""Programs end with the right status and one line for a user's mistake; `--help` answers at once."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys

import pytest
from dsg.apps.cli import config_of, dataset_and_split, main, run_parser, split_at_end

from dsg.errors import UserError
from dsg.runtime.interrupt import Interrupted
from tests.datasets.files import write_dataset
from tests.tiny import ROOT


def test_the_environment_is_left_as_it_was(monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    with pytest.raises(SystemExit):
        main(lambda arguments: None, [])
    assert "TF_CPP_MIN_LOG_LEVEL" not in os.environ


def leave_with(error, monkeypatch):
    """The status with which a program leaves that raises `error`."""
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")

    def program(arguments):
        if error is not None:
            raise error

    with pytest.raises(SystemExit) as caught:
        main(program, [])
    return caught.value.code


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (None, 0, ""),
        (UserError("a.json: not there"), 2, "error: a.json: not there\n"),
        (PermissionError(13, "Permission denied", "/x/y"), 2, "error: /x/y: Permission denied\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (Interrupted(signal.SIGTERM), 143, "interrupted by SIGTERM\n"),
    ],
)
def test_status_and_message(error, status, message, monkeypatch, capsys):
    assert leave_with(error, monkeypatch) == status
    assert capsys.readouterr().err == message


def test_a_bug_keeps_its_traceback(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    with pytest.raises(ZeroDivisionError):
        main(lambda arguments: 1 / 0, [])


NAMES = """
import sys
from dsg.apps.cli import main
from dsg.errors import UserError


def run(arguments):
    print("caf\\udce9.png")
    print("caf\\udce9.png", file=sys.stderr)
    raise UserError("caf\\udce9.png: no such image")


main(run, [])
"""


@pytest.mark.parametrize("noise", [{}, {"TF_CPP_MIN_LOG_LEVEL": "0"}], ids=["filtered", "all"])
def test_names_that_are_not_unicode_are_escaped(noise):
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    environment |= {"PYTHONPATH": str(ROOT / "lib"), "PYTHONIOENCODING": "utf-8:strict", **noise}
    done = subprocess.run([sys.executable, "-c", NAMES], env=environment, capture_output=True, text=True)
    name = "caf\\udce9.png"
    assert (done.returncode, done.stdout) == (2, f"{name}\n"), done.stderr
    assert done.stderr == f"{name}\nerror: {name}: no such image\n"


def test_streams_of_another_kind_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", None)
    assert leave_with(None, monkeypatch) == 0


def test_noise_of_tensorflow_is_dropped_and_nothing_else():
    program = (
        "import os, sys; from dsg.apps.cli import main\n"
        "def run(arguments):\n"
        "    os.write(2, b'op_level_cost_estimator.cc: Error in PredictCost()\\n')\n"
        "    os.write(2, b'a crash\\n')\n"
        "    print('from Python', file=sys.stderr)\n"
        "main(run, [])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "lib")}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0
    assert sorted(done.stderr.splitlines()) == ["a crash", "from Python"]


def test_dataset_and_split(tmp_path):
    assert dataset_and_split("visualgenome", "train", tmp_path) == ("visualgenome", "train")
    assert dataset_and_split("visualgenome_test", "train", tmp_path) == ("visualgenome", "test")
    assert dataset_and_split("vrd_val", "test", tmp_path) == ("vrd", "validation")
    assert dataset_and_split("my_data", "test", tmp_path) == ("my_data", "test")


def test_a_data_set_whose_name_ends_like_a_split(tmp_path):
    write_dataset(tmp_path / "data" / "My_test")
    (tmp_path / "data" / "vrd_test").mkdir()  # images, maybe, but no data set
    for name in ("My_test", "my_test"):
        assert dataset_and_split(name, "train", tmp_path / "data") == (name, "train")
        assert dataset_and_split(f"{name}_val", "train", tmp_path / "data") == (name, "validation")
        assert dataset_and_split(name, "train", tmp_path / "data" / "My_test") == (name, "train")
    assert dataset_and_split("my_test", "train", tmp_path) == ("my", "test")
    assert dataset_and_split("vrd_test", "train", tmp_path / "data") == ("vrd", "test")
    path = str(tmp_path / "data" / "vrd_test")
    assert dataset_and_split(path, "train", tmp_path) == (path, "train")


def refusal(tool, *words):
    """The line on standard error with which a program refuses its options."""
    done = subprocess.run([sys.executable, ROOT / "tools" / tool, *words], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_data_set_whose_name_ends_like_a_split_is_trained_on_and_tested(tmp_path):
    """Both programs find it, and miss only what is not there."""
    folder = write_dataset(tmp_path / "data" / "my_test")
    where = ["--imdb", "my_test", "--data", str(tmp_path / "data"), "--output", str(tmp_path / "output")]
    assert f"{folder}/images" in refusal("trainval_net.py", *where)
    assert "my_test_train" in refusal("test_net.py", *where, "--model", "absent_iter_0")


def test_the_split_to_validate_on():
    for text, split in (("val", "validation"), ("vrd_val", "validation"), ("my_data_test", "test")):
        assert split_at_end(text, "--imdbval") == split
    for text in ("vrd_tset", "tset", "vrd", ""):
        said = refusal("trainval_net.py", "--imdb", "vrd", "--check", "--imdbval", text)
        assert said.startswith(f"error: --imdbval {text!r} ends with no split") and "validation" in said


def test_config_of_options(tmp_path):
    (tmp_path / "net.yml").write_text("TRAIN: {EPOCHS: 7, GAMMA: 0.1}\n")
    words = [
        "--cfg",
        str(tmp_path / "net.yml"),
        "--net",
        "mini",
        "--data",
        str(tmp_path),
        "--set",
        "TRAIN.GAMMA",
        "0.2",
    ]
    config, pairs = config_of(run_parser("test", "").parse_args(words), ["TRAIN.EPOCHS", "9"])
    assert (config.net, config.train.epochs, config.train.gamma) == ("mini", 9, 0.2)
    assert config.data.dir == str(tmp_path)
    assert pairs[-2:] == ["TRAIN.GAMMA", "0.2"]


@pytest.mark.parametrize("tool", ["trainval_net.py", "test_net.py"])
def test_help_and_wrong_options(tool):
    path = str(ROOT / "tools" / tool)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", path, "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "--imdb" in done.stdout
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "tensorflow" not in imported  # it alone takes seconds
    done = subprocess.run([sys.executable, path, "--imbd", "vrd"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "--imdb" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["check_dataset.py", "~nosuchuser/data"],
        ["check_dataset.py", "vrd", "--data", "~nosuchuser/data"],
        ["convert.py", "coco", "boxes.json", "-", "~nosuchuser/data"],
        ["convert.py", "coco", "boxes.json", "-", "new", "--images", "~nosuchuser/data"],
        ["convert.py", "coco", "boxes.json", "-", "new", "--categories", "~nosuchuser/data"],
        ["convert.py", "coco", "boxes.json", "-", "new", "--test-ids", "~nosuchuser/data"],
        ["fetch.py", "vrd", "--data", "~nosuchuser/data"],
        ["fetch.py", "vrd", "--from", "~nosuchuser/data"],
        ["table.py", "--table", "2", "--imdb", "vrd", "--net", "mini", "--data", "~nosuchuser/data"],
        ["trainval_net.py", "--imdb", "vrd", "--net", "mini", "--data", "~nosuchuser/data"],
    ],
)
def test_the_home_folder_of_nobody(words, tmp_path):
    path = str(ROOT / "tools" / words[0])
    done = subprocess.run([sys.executable, path, *words[1:]], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ~nosuchuser/data: ") and done.stderr.count("\n") == 1
    assert not list(tmp_path.glob("~*"))


@pytest.mark.parametrize(("before", "after"), [(None, "1"), ("0", "0")])
def test_tensorflow_takes_its_fast_kernels_unless_told_otherwise(before, after):
    environment = {key: value for key, value in os.environ.items() if key != "TF_ENABLE_ONEDNN_OPTS"}
    environment.update({} if before is None else {"TF_ENABLE_ONEDNN_OPTS": before})
    asked = "import dsg, os; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    words = [sys.executable, "-c", asked]
    environment["PYTHONPATH"] = str(ROOT / "lib")
    assert subprocess.run(words, env=environment, capture_output=True, text=True).stdout == f"{after}\n"
