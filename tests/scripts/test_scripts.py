"""The scripts that people run, on a tiny data set: train, go on, test; and every mistake ends with one line.

One run is trained by `train.sh` and looked at from all sides; of two shorter ones, the second is interrupted
inside an epoch.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import yaml

from dsg.apps import scripts
from dsg.apps.configurations import files_of
from dsg.apps.generation import absent_shapes
from dsg.apps.main import parser_of
from dsg.apps.run_options import meaning_of
from dsg.apps.script_words import Place, commands_of
from dsg.config import load_config
from dsg.engine.callbacks.callback import AfterStep
from dsg.engine.runs import Run
from dsg.engine.snapshots import load_snapshot
from dsg.engine.train import train
from dsg.errors import UserError
from dsg.models.registry import task_of
from dsg.pipeline.splits import load_splits
from dsg.runtime.interrupt import Interrupted
from tests.models.baselines.small_runs import PAIRS as BASELINE_PAIRS
from tests.programs import run_script
from tests.shared import ROOT
from tests.tiny import CONFIGS, OPTIONS, PAIRS, PLAIN, make_tiny_shapes

FOLDER = ROOT / "experiments" / "scripts"


@dataclass
class World:
    """Where data and runs of this module lie."""

    data: Path
    output: Path

    def script(self, name, *words, where=True):
        """Run a script in this process."""
        if where:
            words = [*words, "--data", self.data, "--output", self.output]
        return run_script(name, *words, cwd=self.data)

    def folder(self, run):
        return self.output / "mini" / "shapes_train" / run


def one_line(done, *parts):
    """A user's mistake: status 2, one line on standard error that has all `parts`."""
    assert done.returncode == 2, done.stdout[-2000:] + done.stderr[-2000:]
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), done.stderr
    for part in parts:
        assert part in lines[0]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A data set of 20 train images, one of them cut short, and 3 test images, one of them missing."""
    folder = tmp_path_factory.mktemp("world")
    data = make_tiny_shapes(folder / "data", train=20, test=3)
    images = sorted((data / "shapes" / "CLEVR_v1.0" / "images" / "train").iterdir())
    images[2].write_bytes(images[2].read_bytes()[:200])
    sorted((data / "shapes" / "CLEVR_v1.0" / "images" / "val").iterdir())[1].unlink()
    return World(data, folder / "output")


@pytest.fixture(scope="module")
def trained(world):
    """What `train.sh` printed for a run of two epochs called `whole`; test_own_data.py runs it as a
    process.
    """
    done = world.script("train.sh", "cpu", "shapes", "mini", "whole", *PAIRS)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def test_a_run_leaves_everything(world, trained):
    folder = world.folder("whole")
    names = {path.name for path in folder.iterdir()}
    assert {f"whole_iter_{n}.npz" for n in (0, 1, 2)} <= names and "whole_last.npz" not in names
    assert {"config.yml", "history.jsonl", "curves.png", "tensorboard", "logs", "test"} <= names
    assert {"report.txt", "report.html", "sessions.jsonl"} <= names
    assert yaml.safe_load((folder / "config.yml").read_text())["GPI"]["HIDDEN"] == int(OPTIONS["GPI.HIDDEN"])
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in history] == [1, 2]
    assert history[0]["learning_rate"] > 0 and "subject_iou" in history[0]["validation"]
    assert any((folder / "tensorboard").iterdir())
    tested = folder / "test" / "whole_iter_0"
    results = json.loads((tested / "results.json").read_text())
    assert results["images"] == 2 and len(results["skipped"]) == 1
    rows = (tested / "queries.jsonl").read_text().splitlines()
    assert len(rows) == results["queries"]
    assert len(list((tested / "pictures").glob("*_answers.png"))) >= 1
    page = (folder / "report.html").read_text()
    assert "dsg train --dataset shapes" in page and "Test of whole_iter_0" in page


def test_what_a_run_prints(world, trained):
    lines = trained.stdout.splitlines()
    commands = [line for line in lines if line.startswith("+ ")]
    assert [re.search(r"dsg (\w+) --dataset shapes", line)[1] for line in commands] == ["train", "test"]
    assert any(line.startswith("train 5/18 epoch 1 total ") and line.endswith(" left") for line in lines)
    assert any(line.startswith("epoch 2:") and "RPN recall" in line for line in lines)
    assert any("images skipped: 1, the first:" in line for line in lines)
    assert any(line.startswith("all queries") for line in lines)
    assert trained.stderr == ""
    assert "epoch 2:" in next((world.folder("whole") / "logs").glob("train_*.log")).read_text()


def test_the_same_command_again_is_done(world, trained):
    done = world.script("train.sh", "cpu", "shapes", "mini", "whole", *PAIRS)
    assert done.returncode == 0
    assert "whole is finished: 2 epochs" in done.stdout and "whole_iter_0 is tested already" in done.stdout
    assert "all queries" in done.stdout


def test_an_interrupted_run_ends_as_the_uninterrupted_one(world, untraced):
    """Few steps, untraced; tests/models/baselines/test_training.py interrupts a run that is traced."""
    pairs = [*PAIRS, "TRAIN.STEPS_PER_EPOCH", "3", "TEST.PICTURES", "0"]

    def train_by_script(name):
        done = world.script("train.sh", "cpu", "shapes", "mini", name, "--no-test", *pairs)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    train_by_script("single")
    config = load_config(CONFIGS, [*pairs, "DATA.DIR", str(world.data)])
    run = Run.of(world.output, "mini", "shapes", "twin")

    def after_step(step):
        if step == 4:  # inside the second epoch
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted):
        train(task_of(config), config, *load_splits(config, "shapes"), run, callbacks=[AfterStep(after_step)])
    folder = world.folder("twin")
    assert load_snapshot(folder / "twin_last.npz").meta.step == 4

    tf.keras.utils.set_random_seed(99)  # nothing of the interrupted process is left where a new one resumes
    assert "resuming from twin_last.npz: epoch 2, step 4" in train_by_script("twin")
    whole = load_snapshot(world.folder("single") / "single_iter_2.npz")
    resumed = load_snapshot(folder / "twin_iter_2.npz")
    for kind in ("variables", "slots"):
        expected, found = getattr(whole, kind), getattr(resumed, kind)
        assert list(expected) == list(found)
        for key, value in expected.items():
            np.testing.assert_array_equal(found[key], value, err_msg=key)
    for entry, other in zip(whole.meta.history, resumed.meta.history):
        assert (entry["total"], entry["losses"]) == (other["total"], other["losses"])
        assert entry["validation"] == other["validation"]
    assert (whole.meta.best_score, whole.meta.best_epoch) == (
        resumed.meta.best_score,
        resumed.meta.best_epoch,
    )
    assert not (folder / "twin_last.npz").exists()


def test_a_name_of_a_snapshot_only_tests(world, trained, untraced):
    done = world.script("train.sh", "cpu", "shapes", "mini", "whole_iter_1", "TEST.PICTURES", "0")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "dsg train" not in done.stdout and "all queries" in done.stdout
    assert not (world.folder("whole") / "test" / "whole_iter_1" / "pictures").exists()


@pytest.fixture
def place(tmp_path):
    """Where a script is started, and where the clone lies; with the data set `shapes` in its data folder."""
    (tmp_path / "root" / "data" / "shapes").mkdir(parents=True)
    (tmp_path / "start").mkdir()
    return Place(tmp_path / "start", tmp_path / "root")


def words_of(place, script, *words):
    """The words that a script hands to its one command, or its first."""
    return commands_of(script, [*map(str, words)], place)[0]


def value_of(command, option):
    return command[command.index(option) + 1]


def test_training_is_tested_afterwards(place):
    train, test = commands_of("train", ["cpu", "shapes", "mini", "mine", "TRAIN.GAMMA", "1"], place)
    assert train[0] == "train" and test[0] == "test" and "--reuse" in test
    for command in (train, test):
        assert value_of(command, "--name") == "mine" and command[-3:] == ["--set", "TRAIN.GAMMA", "1"]
        assert value_of(command, "--output") == str(place.root / "output") and "--data" not in command


def test_a_detector_is_trained_and_tested_in_the_words_of_its_original(place):
    words = ["0", "pascal_voc_0712", "res101", "mine", "TRAIN.USE_GT", "True", "POOLING_MODE", "align"]
    for command in commands_of("train_faster_rcnn", words, place):
        assert value_of(command, "--net") == "detector_res101" and value_of(command, "--name") == "mine"
        assert value_of(command, "--dataset") == "pascal_voc_0712"
        expected = ["DETECTOR.ADD_GT", "True", "DETECTOR.ROI_MODE", "aligned"]
        assert command[command.index("--set") + 1 :] == expected
    words = ["cpu", "shapes", "mini", "mine_iter_2", "TEST.MODE", "top", "TEST.NMS", "0.4"]
    command = words_of(place, "test_faster_rcnn", *words)
    assert command[0] == "test" and value_of(command, "--snapshot") == "mine_iter_2"
    assert value_of(command, "--net") == "detector_mini" and command[-4:] == words[-4:]
    for wrong, part in (
        (["cpu", "pascal", "mini"], "pascal_voc pascal_voc_0712 coco shapes"),
        (["cpu", "shapes", "ss"], "unknown net 'ss': one of mini mobile"),
        (["cpu", "shapes", "res55"], "unknown net 'res55': did you mean res50"),
        (
            ["cpu", "Visual_Genome", "mini"],
            "visualgenome is for train.sh and test.sh: give one of pasc",
        ),
    ):
        with pytest.raises(UserError, match=part):
            commands_of("train_faster_rcnn", wrong, place)
    with pytest.raises(
        UserError, match=r"coco is for detectors \(train_faster_rcnn.sh\): give one of visualg"
    ):
        commands_of("train", ["cpu", "coco", "res50"], place)
    (command, _) = commands_of("train", ["cpu", "COCO", "detector_res50"], place)
    assert value_of(command, "--dataset") == "coco"


@pytest.mark.parametrize(
    ("words", "name", "pairs"),
    [
        ([], "default", []),
        (["mine"], "mine", []),
        (["mine", "TRAIN.GAMMA", "1"], "mine", ["TRAIN.GAMMA", "1"]),
        (["TRAIN.GAMMA", "1"], "default", ["TRAIN.GAMMA", "1"]),
        (["NET", "TRAIN.GAMMA", "1"], "NET", ["TRAIN.GAMMA", "1"]),
        (["v0.25", "TRAIN.GAMMA", "1"], "v0.25", ["TRAIN.GAMMA", "1"]),
        (["TRAIN.EPOCHS"], "default", ["TRAIN.EPOCHS"]),
        (["--name", "NET.V2", "TRAIN.GAMMA", "1"], "NET.V2", ["TRAIN.GAMMA", "1"]),
        (["TRAIN.GAMMA", "1", "--name=mine"], "mine", ["TRAIN.GAMMA", "1"]),
    ],
)
def test_the_name_of_a_run(place, words, name, pairs):
    command = words_of(place, "train", "cpu", "shapes", "mini", *words)
    assert value_of(command, "--name") == name and command[command.index("--set") + 1 :] == pairs


@pytest.mark.parametrize("name", ["", "-1", "a/b", "a_last"])
def test_names_that_no_run_may_have_are_refused_before_anything_runs(place, name):
    words = ["cpu", "shapes", "mini", f"--name={name}"]
    if name == "a_last":  # a snapshot, which is tested
        assert words_of(place, "train", *words)[0] == "test"
        return
    with pytest.raises(UserError, match="cannot be the name of a run"):
        commands_of("train", words, place)


def test_a_file_of_weights_lies_where_one_is(place):
    (place.start / "foo_iter_1.npz").write_bytes(b"")
    for name in ("foo_iter_1", "foo_iter_1.npz"):
        for script in ("test", "train"):
            command = words_of(place, script, "cpu", "shapes", "mini", name)
            assert command[0] == "test" and value_of(command, "--snapshot") == str(place.start / name)
    command = words_of(place, "test", "cpu", "shapes", "mini", "other_iter_1")
    assert value_of(command, "--snapshot") == "other_iter_1"


def test_a_folder_called_like_a_net_brings_none_of_its_options(tmp_path):
    for folder in ("mini", "best", "paper", "NET"):
        (tmp_path / folder).mkdir()
        assert [path.name for path in files_of(str(tmp_path / folder), "res18")] == ["res18.yml"]


def test_files_of_weights_are_named_from_where_the_script_is_started(place):
    for name in ("w.npz", "w.ckpt.index"):
        (place.start / name).write_bytes(b"")
    for script in ("train", "table1"):
        for key in ("WEIGHTS", "baselines:WEIGHTS")[: 1 + (script == "table1")]:
            for name in ("w.npz", "w.ckpt"):
                command = words_of(place, script, "cpu", "shapes", "mini", key, name)
                assert command[-2:] == [key, str(place.start / name)]


def test_shapes_are_generated_where_training_looks_for_them(place, tmp_path):
    """DATA.DIR wins over --data, the last one over those before; a folder is named from where one is."""
    (place.start / "empty").mkdir()
    data = place.root / "data"

    def generated(*words):
        command = words_of(place, "train", "cpu", "shapes", "mini", *words)
        meaning = meaning_of(parser_of("train").parse(command[1:]), "train")
        return absent_shapes(meaning.dataset, meaning.data_dir)

    assert generated("--data", data) is None
    assert generated("DATA.DIR", tmp_path) == tmp_path / "shapes"
    assert generated("name", "TRAIN.GAMMA", "1", "DATA.DIR", "empty") == place.start / "empty" / "shapes"
    assert generated("DATA.DIR", data, "DATA.DIR", tmp_path) == tmp_path / "shapes"
    assert generated("DATA.DIR", tmp_path, "DATA.DIR", data) is None
    assert generated("DATA.DIR", data, "--data", tmp_path) is None
    (data / "annotations_train.json").touch()
    assert generated("DATA.DIR", data) is None


def test_options_of_table3_may_stand_anywhere(place, monkeypatch):
    def cost(*words):
        return words_of(place, "table3", *words)

    start = str(place.start)
    wanted = ["cost", "--net", "res18", "--gpu", "cpu", "--output", f"{start}/o", "--set"]
    assert cost("cpu", "res18", "--output", "o") == wanted
    assert cost("--output", "o", "cpu", "res18") == wanted
    assert cost("cpu", "--output=o", "--data", "d", "res18") == wanted
    monkeypatch.setenv("OUTPUT_DIR", "o")
    assert cost("cpu", "res18") == wanted
    assert cost("0", "--output", "/o", "res18", "TRAIN.GAMMA", "1")[3:] == [
        *("--gpu", "0", "--output", "/o", "--set", "TRAIN.GAMMA", "1")
    ]
    for few in ([], ["cpu"], ["--output", "o", "cpu"]):
        with pytest.raises(UserError, match="usage: table3.sh <gpu> <net>"):
            cost(*few)


def test_every_script_has_help_without_an_environment(tmp_path):
    """Also a mistake is answered before one is made: by any Python, the standard library alone."""
    variables = {key: value for key, value in os.environ.items() if key not in ("DSG_PYTHON", "PYTHONPATH")}
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "make").write_text("#!/bin/sh\necho make was called\nexit 9\n")
    python = f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n'
    (tmp_path / "bin" / "python3").write_text(python)
    for path in (tmp_path / "bin").iterdir():
        path.chmod(0o755)
    variables["PATH"] = f"{tmp_path / 'bin'}:{variables['PATH']}"

    def call(script, *words):
        return subprocess.run([FOLDER / script, *words], env=variables, capture_output=True, text=True)

    for script in sorted(path.name for path in FOLDER.glob("*.sh") if path.name != "common.sh"):
        helped = call(script, "--help")
        assert helped.returncode == 0 and helped.stdout.startswith(f"usage: {script} "), helped.stderr
        one_line(call(script), f"usage: {script}")
    right = call("serve.sh", "cpu")
    assert right.returncode == 9 and right.stdout == "make was called\n"


def test_other_options_do_not_go_on(world, trained):
    done = world.script("train.sh", "cpu", "shapes", "mini", "whole", *PAIRS, "TRAIN.GAMMA", "0.9")
    one_line(done, "whole", "TRAIN.GAMMA was 0.5, is 0.9", "another name")


@contextlib.contextmanager
def largest_file(size):
    """Within it, no file grows beyond `size` bytes: what is written behind that fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_half_written_snapshot_and_then_a_full_disk(world, untraced):
    """On the quickest net: what the trainer does with its files is the same for all."""
    command = ["train.sh", "cpu", "shapes", "co", "full", *BASELINE_PAIRS]
    assert world.script(*command).returncode == 0
    folder = world.output / "co" / "shapes_train" / "full"
    half = folder / "full_iter_2.npz"
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    before = {path.name: path.read_bytes() for path in folder.glob("*.npz")}
    with largest_file(min(map(len, before.values())) // 2):
        done = world.script(*command)
    assert "full_iter_2.npz: damaged, truncated" in done.stdout
    assert "resuming from full_iter_1.npz instead" in done.stdout
    one_line(done, "cannot save the snapshot", "earlier snapshots are intact", "make room")
    assert {path.name: path.read_bytes() for path in folder.glob("*.npz")} == before
    assert not list(folder.glob(".*.tmp"))


def test_losses_that_are_not_finite(world, untraced):
    pairs = [*PAIRS, *PLAIN, "TRAIN.LEARNING_RATE", "1e30", "TRAIN.OPTIMIZER", "momentum"]
    pairs += ["TRAIN.MAX_BAD_STEPS", "3", "TRAIN.CLIP_NORM", "0"]
    done = world.script("train.sh", "cpu", "shapes", "mini", "wild", *pairs)
    one_line(done, "stopped after 3 steps in a row", "images: shapes_train_", "TRAIN.LEARNING_RATE")
    named = [line for line in done.stdout.splitlines() if "skipped, not finite: " in line]
    assert len(named) == 3 and all("; images: shapes_train_" in line for line in named)


def test_snapshots_that_do_not_fit(world, trained, tmp_path):
    snapshot = world.folder("whole") / "whole_iter_1.npz"
    other_net = world.script("test.sh", "cpu", "shapes", "res18", snapshot)
    one_line(other_net, "a snapshot of mini, not of res18")
    other_size = world.script("test.sh", "cpu", "shapes", "mini", snapshot, "GPI.HIDDEN", "24")
    one_line(other_size, "another network", "[", "in the network")
    half = tmp_path / "half_iter_1.npz"
    half.write_bytes(snapshot.read_bytes()[: snapshot.stat().st_size // 2])
    one_line(world.script("test.sh", "cpu", "shapes", "mini", half), str(half), "damaged, truncated")
    absent = world.script("test.sh", "cpu", "shapes", "mini", "whole_iter_7")
    one_line(absent, "no snapshot 'whole_iter_7'", "whole_iter_0, whole_iter_1, whole_iter_2")
    one_line(
        world.script("test.sh", "cpu", "shapes", "mini", "dsg_pretrained"), "dsg_pretrained.ckpt", "README"
    )
    words = world.data / "shapes" / "objects.json"
    vocabulary = words.read_text()
    try:
        words.write_text(vocabulary.replace("gray", "grey"))
        changed = world.script("test.sh", "cpu", "shapes", "mini", "whole_iter_0")
        one_line(changed, "other categories", "'gray_", "'grey_")
    finally:
        words.write_text(vocabulary)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("gpu shapes mini", ["unknown GPU 'gpu'", "cpu"]),
        ("97 shapes mini", ["GPU 97 not found"]),
        ("cpu shapez mini", ["unknown data set 'shapez'", "visualgenome vrd clevr shapes"]),
        ("cpu shapes minj", ["unknown net 'minj'", "mini", "res101"]),
        ("cpu shapes", ["usage: train.sh"]),
        ("cpu shapes mini --name", ["--name needs a value"]),
        ("cpu shapes mini x TRAIN.EPOCH 3", ["unknown option TRAIN.EPOCH", "TRAIN.EPOCHS"]),
        ("cpu shapes mini x TRAIN.EPOCHS many", ["TRAIN.EPOCHS takes a whole number"]),
        ("cpu shapes mini TRAIN.EPOCHS", ["'TRAIN.EPOCHS' has no value"]),
        ("cpu shapes mini train.epochs 3", ["unknown option train.epochs"]),
        ("cpu shapes mini v0.25 TRAIN.EPOCHS many", ["TRAIN.EPOCHS takes a whole number"]),
        ("cpu shapes mini a/b", ["'a/b' cannot be the name"]),
        ("cpu shapes mini --dada x", ["unknown option --dada"]),
        ("cpu vrd mini", ["vrd", "VRD", "annotations_train.json"]),
    ],
)
def test_mistakes_in_the_command(world, words, parts):
    one_line(world.script("train.sh", *words.split()), *parts)


def test_a_data_set_is_found_by_its_name_in_the_data_folder(world, tmp_path):
    folder = tmp_path / "data" / "Mine"
    shutil.copytree(world.data / "shapes", folder)
    (folder / "annotations_train.json").write_text("{")
    elsewhere = World(tmp_path, world.output)
    done = elsewhere.script("train.sh", "cpu", "Mine", "mini", "x", "--data", folder.parent, where=False)
    one_line(done, str(folder / "annotations_train.json"))


def test_mistakes_in_the_data(world, tmp_path):
    def broken(name, change):
        folder = tmp_path / name / "shapes"
        shutil.copytree(world.data / "shapes", folder)
        change(folder)
        return World(folder.parent, world.output).script("train.sh", "cpu", "shapes", "mini", name)

    def cut(folder):
        path = folder / "annotations_train.json"
        path.write_text(path.read_text()[:1000])

    def forget_images(folder):
        shutil.rmtree(folder / "CLEVR_v1.0" / "images" / "train")

    one_line(broken("cut", cut), "annotations_train.json")
    one_line(broken("unseen", forget_images), "images", "train")


def test_an_output_folder_that_cannot_be_written(world, tmp_path):
    (tmp_path / "file").write_text("")
    one_line(World(world.data, tmp_path / "file").script("train.sh", "cpu", "shapes", "mini"), "cannot write")


def test_a_signal_reaches_the_program_and_nothing_comes_after(world, tmp_path):
    """With an interpreter that only waits for the signal, so that the moment is certain."""
    stub = tmp_path / "python"
    stub.write_text(
        '#!/usr/bin/env bash\ntrap "echo saved; exit 143" TERM\necho "started $*"\n'
        "while :; do sleep 0.05; done\n"
    )
    stub.chmod(0o755)
    command = [
        str(FOLDER / "train.sh"),
        "cpu",
        "shapes",
        "mini",
        "--data",
        str(world.data),
    ]
    process = subprocess.Popen(
        command, env={**os.environ, "DSG_PYTHON": str(stub)}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("started"):
            process.terminate()
            break
    rest = process.stdout.read()
    assert process.wait() == 143
    assert rest == "saved\n"


def test_a_training_that_fails_or_is_interrupted_is_not_tested(world, monkeypatch, capfd):
    """Nor is one that cannot begin."""
    monkeypatch.chdir(ROOT)
    words = ["train", "cpu", "shapes", "mini", "--output", "/dev/null/none", "--data", str(world.data)]
    assert scripts.main(words) == 2
    shown = [line for line in capfd.readouterr().out.splitlines() if line.startswith("+ ")]
    assert len(shown) == 1 and " train " in shown[0]
