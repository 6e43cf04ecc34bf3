"""Training of the three systems, with several readers, on few generated pictures and the smallest of nets."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from crash.process import Moment, View
from crash.subject import Content, Moments, Subject, at, at_random, files_below, snapshot_content, while_there

NAME, EPOCHS, STEPS = "run", 2, 4
SNAPSHOT = rf"\.{NAME}_(iter_\d+|last)\.npz\.tmp"
COMMON = {
    "TRAIN.EPOCHS": str(EPOCHS),
    "TRAIN.STEPS_PER_EPOCH": str(STEPS),
    "TRAIN.IMS_PER_BATCH": "2",
    "TRAIN.DETERMINISTIC": "True",
    "TRAIN.SAVE_MINUTES": "0.0001",  # behind every step
    "TRAIN.WARMUP_STEPS": "2",
    "TRAIN.DISPLAY": "1",
    "TRAIN.SUMMARY_INTERVAL": "2",
    "TRAIN.AVERAGE": "0.5",
    "TRAIN.SCALES": "[48]",
    "TRAIN.MAX_SIZE": "96",
    "TEST.SCALES": "[48]",
    "TEST.MAX_SIZE": "96",
    "TEST.PICTURES": "0",
    "TEST.IMS_PER_BATCH": "2",
    "DATA.WORKERS": "3",
    "RPN_CHANNELS": "8",
    "HEAD.DIM": "12",
    "HEAD.CHANNELS": "8",
}
DSG = {
    "TRAIN.RPN_POST_NMS_TOP_N": "6",
    "HEAD.RELATION_CHANNELS": "8",
    "GPI.HIDDEN": "8",
    "GPI.PHI": "8",
    "GPI.ALPHA": "8",
    "GPI.RHO": "8",
    "RR.HIDDEN": "[8]",
}
DETECTOR = {"TRAIN.RPN_POST_NMS_TOP_N": "16", "TRAIN.BATCH_SIZE": "16", "TEST.RPN_POST_NMS_TOP_N": "16"}
GROUNDING = {
    **DETECTOR,
    "ANCHOR_SCALES": "[2.0, 4.0]",
    "GROUNDING.ROI_SIDE": "7",
    "GROUNDING.CHANNELS": "6",
    "GROUNDING.FEATURES": "10",
    "GROUNDING.HIDDEN": "8",
    "GROUNDING.EMBEDDING": "5",
    "GROUNDING.POOLING": "12",
    "GROUNDING.REFINER": "6",
    "GROUNDING.BOXES": "6",
    "GROUNDING.MASK_IMS_PER_BATCH": "1",
    "TEST.SCORE_THRESHOLD": "0.1",
}
SHAPES = ["--size", "96", "64", "--objects", "2", "3", "--workers", "1", "--seed", "1"]
WEIGHTS = "detector.npz"


def options(system: dict[str, str], *more: str) -> list[str]:
    """The words of a tiny net's options."""
    return [word for pair in {**COMMON, **system}.items() for word in pair] + list(more)


def train_words(dataset: str, net: str, given: Sequence[str]) -> Callable[[Path, Path], list[str]]:
    """The command that trains a net."""

    def words(inputs: Path, folder: Path) -> list[str]:
        places = ["--data", str(inputs), "--output", str(folder), "--name", NAME]
        pairs = [str(inputs / WEIGHTS) if word == WEIGHTS else word for word in given]
        return ["train", "--dataset", dataset, "--net", net, *places, "--gpu", "cpu", "--set", *pairs]

    return words


def run_content(folder: Path) -> Content:
    """The snapshots of a finished run, its other files by their names, and its history without times."""
    (place,) = folder.glob(f"*/*/{NAME}")
    names = files_below(place, but=r"(logs|tensorboard)/.*|\.lock")
    content = {key: "there" for key in names}
    for path in sorted(place.glob("*.npz")):
        content.update(snapshot_content(path))
    return content


def _steps(view: View) -> int:
    """How many steps the process has made, resumed or not."""
    return len(re.findall(r"^train \d+/\d+ ", view.printed(), re.MULTILINE))


def _between_steps(rng: random.Random, seconds: float) -> Moment:
    wanted = rng.randint(1, STEPS - 1)
    return Moment("between steps", lambda view: _steps(view) >= wanted)


def _validating(view: View) -> bool:
    """An epoch's last step is made, and it has not been scored."""
    printed = view.printed()
    return any(
        re.search(rf"^train {epoch * STEPS}/", printed, re.MULTILINE)
        and not re.search(rf"^epoch {epoch}:", printed, re.MULTILINE)
        for epoch in range(1, EPOCHS + 1)
    )


def _moments(net: str, dataset: str) -> tuple[Moments, ...]:
    place = f"{net}/{dataset}_train/{NAME}"
    return (
        _between_steps,
        while_there("inside a snapshot", SNAPSHOT, place),
        at("validating", _validating),
        while_there("between the best snapshot and the epoch's", rf"\.{NAME}_iter_[1-9]\d*\.npz\.tmp", place),
        at_random(lambda view: f"{NAME}" in view.names(f"{net}/{dataset}_train")),
    )


def _shapes(inputs: Path, work: Path) -> None:
    _run(["shapes", str(inputs / "shapes"), "--train", "12", "--test", "2", *SHAPES], work)


def _graphs(inputs: Path, work: Path) -> None:
    """With a detector, of one step, for the graph to stand on."""
    words = ["shapes", str(inputs / "shapes150"), "--graphs", "--train", "20", "--test", "2", "--masks", "6"]
    _run([*words, *SHAPES], work)
    short = options(GROUNDING, "TRAIN.EPOCHS", "1", "TRAIN.STEPS_PER_EPOCH", "1")
    net = "grounding_mini_detector"
    _run(train_words("shapes150", net, short)(inputs, work / "detector"), work)
    made = work / "detector" / net / "shapes150_train" / NAME / f"{NAME}_iter_1.npz"
    (inputs / WEIGHTS).write_bytes(made.read_bytes())


def _run(words: Sequence[str], work: Path) -> None:
    with open(work / "prepare.out", "ab") as out:
        subprocess.run([sys.executable, "-m", "dsg", *words], check=True, stdout=out, stderr=out)


def _training(
    name: str, dataset: str, net: str, prepare: Callable[[Path, Path], None], given: Sequence[str]
) -> Subject:
    words, moments = train_words(dataset, net, given), _moments(net, dataset)
    return Subject(name, prepare, words, moments, run_content, megabytes=24)


TRAININGS = (
    _training("dsg", "shapes", "mini", _shapes, options(DSG)),
    _training("detector", "shapes", "detector_mini", _shapes, options(DETECTOR)),
    _training(
        "grounding",
        "shapes150",
        "grounding_mini",
        _graphs,
        options(GROUNDING, "GROUNDING.SETTING", "sgdet", "GROUNDING.REFINE", "True", "WEIGHTS", WEIGHTS),
    ),
)
