"""The scripts that people run, on a tiny data set: train, go on, test; and every mistake ends with one line.

One run is trained by `train.sh` and looked at from all sides; a twin is interrupted inside an epoch.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

from dsg.engine.snapshots import load_snapshot
from tests.tiny import OPTIONS, PAIRS, PLAIN, ROOT, make_tiny_shapes

INTERRUPTED_TRAINING = """
import os, signal, sys
from pathlib import Path

from dsg.apps.cli import main


def run(words):
    configs, data, output, pairs = words[0].split(","), words[1], words[2], words[3:]
    from dsg.config import load_config
    from dsg.engine.callbacks.callback import AfterStep
    from dsg.engine.runs import Run
    from dsg.pipeline.splits import load_splits
    from dsg.engine.train import train
    from dsg.models.registry import task_of

    config = load_config(configs, [*pairs, "DATA.DIR", data])
    training, validation = load_splits(config, "shapes")

    def after_step(step):
        if step == 12:  # inside the second epoch
            os.kill(os.getpid(), signal.SIGTERM)

    run = Run.of(Path(output), "mini", "shapes", "twin")
    train(task_of(config), config, training, validation, run, callbacks=[AfterStep(after_step)])


main(run)
"""


@dataclass
class World:
    """Where data and runs of this module lie."""

    data: Path
    output: Path

    def script(self, name, *words, where=True, environment=None, limit=None):
        """Run a script; `limit` is the largest file it may write, in KiB."""
        command = [str(ROOT / "experiments" / "scripts" / name), *map(str, words)]
        if where:
            command += ["--data", str(self.data), "--output", str(self.output)]
        if limit is not None:
            command = ["bash", "-c", f'ulimit -f {limit}; exec "$@"', "bash", *command]
        variables = {**os.environ, "DSG_PYTHON": sys.executable, **(environment or {})}
        variables.pop("TF_CPP_MIN_LOG_LEVEL", None)
        return subprocess.run(
            command, cwd=self.data, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )

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
    """What `train.sh` printed for a run of two epochs called `whole`."""
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
    assert "trainval_net.py --imdb shapes" in page and "Test of whole_iter_0" in page


def test_what_a_run_prints(world, trained):
    lines = trained.stdout.splitlines()
    commands = [line for line in lines if line.startswith("+ ")]
    assert [Path(line.split()[2]).name for line in commands] == ["trainval_net.py", "test_net.py"]
    assert any(line.startswith("train 5/18 epoch 1 total ") and line.endswith(" left") for line in lines)
    assert any(line.startswith("epoch 2:") and "RPN recall" in line for line in lines)
    assert any("images skipped: 1, the first:" in line for line in lines)
    assert any(line.startswith("all queries") for line in lines)
    assert trained.stderr == ""
    assert "epoch 2:" in next((world.folder("whole") / "logs").glob("train_*.log")).read_text()


def test_the_same_command_again_is_done(world, trained):
    done = world.script("train.sh", "cpu", "shapes", "mini", "whole", *PAIRS)
    assert done.returncode == 0
    assert (
        "whole is done already: 2 epochs" in done.stdout and "whole_iter_0 is tested already" in done.stdout
    )
    assert "all queries" in done.stdout


def test_an_interrupted_run_ends_as_the_uninterrupted_one(world, trained):
    configs = ",".join(str(ROOT / "experiments" / "cfgs" / name) for name in ("shapes.yml", "mini.yml"))
    program = [sys.executable, "-c", INTERRUPTED_TRAINING]
    command = [*program, configs, str(world.data), str(world.output), *PAIRS]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "lib")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 143, done.stderr[-3000:]
    folder = world.folder("twin")
    assert load_snapshot(folder / "twin_last.npz").meta.step == 12

    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "going on from twin_last.npz: epoch 2, step 12" in done.stdout
    whole = load_snapshot(world.folder("whole") / "whole_iter_2.npz")
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


def test_a_name_of_a_snapshot_only_tests(world, trained):
    done = world.script("train.sh", "cpu", "shapes", "mini", "whole_iter_1", "TEST.PICTURES", "0")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "trainval_net.py" not in done.stdout and "all queries" in done.stdout
    assert not (world.folder("whole") / "test" / "whole_iter_1" / "pictures").exists()


def test_a_file_of_weights_lies_where_one_is(world):
    (world.data / "foo_iter_1.npz").write_bytes(b"")
    echo = {"DSG_PYTHON": "echo"}
    for name in ("foo_iter_1", "foo_iter_1.npz"):
        for script in ("test.sh", "train.sh"):
            done = world.script(script, "cpu", "shapes", "mini", name, environment=echo)
            assert f"--model {world.data / name} " in done.stdout, done.stdout + done.stderr
    done = world.script("test.sh", "cpu", "shapes", "mini", "other_iter_1", environment=echo)
    assert "--model other_iter_1 " in done.stdout


def test_a_folder_called_like_a_net_brings_none_of_its_options(world, tmp_path):
    for folder in ("mini", "best", "paper", "NET"):
        (tmp_path / folder).mkdir()
        done = world.script(
            "test.sh", "cpu", tmp_path / folder, "res18", "a_iter_1", environment={"DSG_PYTHON": "echo"}
        )
        (line,) = [line for line in done.stdout.splitlines() if "test_net.py" in line and "--imdb" in line][
            -1:
        ]
        assert line.count("--cfg") == 1 and "--cfg experiments/cfgs/res18.yml" in line, line


def test_files_of_weights_are_named_from_where_the_script_is_started(world):
    for name in ("w.npz", "w.ckpt.index"):
        (world.data / name).write_bytes(b"")
    echo = {"DSG_PYTHON": "echo"}
    for script in ("train.sh", "table1.sh"):
        for key in ("WEIGHTS", "baselines:WEIGHTS")[: 1 + (script == "table1.sh")]:
            for name in ("w.npz", "w.ckpt"):
                done = world.script(script, "cpu", "shapes", "mini", key, name, environment=echo)
                assert f"{key} {world.data / name}" in done.stdout, done.stdout + done.stderr


def test_shapes_are_generated_where_training_looks_for_them(world, tmp_path):
    """DATA.DIR wins over --data, the last one over those before; a folder is named from where one is."""
    (world.data / "empty").mkdir()

    def generated(*words, where=True):
        done = world.script(
            "train.sh", "cpu", "shapes", "mini", *words, where=where, environment={"DSG_PYTHON": "echo"}
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith("tools/generate_shapes.py")]
        return [Path(line.split()[1]) for line in lines]

    assert generated() == []
    assert generated("DATA.DIR", tmp_path) == [tmp_path / "shapes"]
    assert generated("name", "TRAIN.GAMMA", "1", "DATA.DIR", "empty") == [world.data / "empty" / "shapes"]
    assert generated("DATA.DIR", world.data, "DATA.DIR", tmp_path, where=False) == [tmp_path / "shapes"]
    assert generated("DATA.DIR", tmp_path, "DATA.DIR", world.data, where=False) == []
    assert generated("DATA.DIR", world.data, "--data", tmp_path, where=False) == []
    assert generated("DATA.DIR", world.data / "shapes", where=False) == []


def test_options_of_table3_may_stand_anywhere(tmp_path):
    place = World(tmp_path, tmp_path / "output")

    def cost(*words, **environment):
        done = place.script(
            "table3.sh", *words, where=False, environment={"DSG_PYTHON": "echo", **environment}
        )
        return [line for line in done.stdout.splitlines() if line.startswith("tools/cost.py")]

    wanted = "tools/cost.py --net res18 --cfg experiments/cfgs/res18.yml --gpu {} --output {} --set"
    here = [wanted.format("cpu", tmp_path / "o")]
    assert cost("cpu", "res18", "--output", "o") == here
    assert cost("--output", "o", "cpu", "res18") == here
    assert cost("cpu", "--output=o", "--data", "d", "res18") == here
    assert cost("cpu", "res18", OUTPUT_DIR="o") == here
    assert cost("0", "--output", "/o", "res18", "TRAIN.GAMMA", "1") == [
        wanted.format("0", "/o") + " TRAIN.GAMMA 1"
    ]
    for few in ([], ["cpu"], ["--output", "o", "cpu"]):
        one_line(place.script("table3.sh", *few, where=False), "usage: table3.sh <gpu> <net>")


def test_other_options_do_not_go_on(world, trained):
    done = world.script("train.sh", "cpu", "shapes", "mini", "whole", *PAIRS, "TRAIN.GAMMA", "0.9")
    one_line(done, "whole", "TRAIN.GAMMA was 0.5, is 0.9", "another name")


def test_a_half_written_snapshot_and_then_a_full_disk(world, trained):
    folder = world.folder("full")
    shutil.copytree(world.folder("whole"), folder)
    for path in folder.glob("whole_*.npz"):
        path.rename(path.with_name(path.name.replace("whole", "full")))
    half = folder / "full_iter_2.npz"
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    before = {path.name: path.read_bytes() for path in folder.glob("*.npz")}
    room = min(map(len, before.values())) // 2048  # KiB: half of what the smallest takes
    done = world.script("train.sh", "cpu", "shapes", "mini", "full", *PAIRS, limit=room)
    assert "full_iter_2.npz: damaged, cut short" in done.stdout
    assert "going on from full_iter_1.npz instead" in done.stdout
    one_line(done, "cannot save the snapshot", "earlier snapshots are intact", "make room")
    assert {path.name: path.read_bytes() for path in folder.glob("*.npz")} == before
    assert not list(folder.glob(".*.tmp"))


def test_losses_that_are_not_finite(world):
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
    one_line(world.script("test.sh", "cpu", "shapes", "mini", half), str(half), "damaged, cut short")
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
        ("97 shapes mini", ["GPU 97 is not there"]),
        ("cpu shapez mini", ["unknown data set 'shapez'", "visualgenome vrd clevr shapes"]),
        ("cpu shapes minj", ["unknown net 'minj'", "mini", "res101"]),
        ("cpu shapes", ["usage: train.sh"]),
        ("cpu shapes mini x TRAIN.EPOCH 3", ["unknown option TRAIN.EPOCH", "TRAIN.EPOCHS"]),
        ("cpu shapes mini x TRAIN.EPOCHS many", ["TRAIN.EPOCHS takes a whole number"]),
        ("cpu shapes mini TRAIN.EPOCHS", ["'TRAIN.EPOCHS' has no partner"]),
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
        '#!/usr/bin/env bash\n[[ " $* " != *" --check "* ]] || exit 0\n'
        'trap "echo saved; exit 143" TERM\necho "started $1"\nwhile :; do sleep 0.05; done\n'
    )
    stub.chmod(0o755)
    command = [
        str(ROOT / "experiments" / "scripts" / "train.sh"),
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
    assert "saved" in rest and "test_net.py" not in rest
