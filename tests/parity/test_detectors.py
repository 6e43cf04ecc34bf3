"""The detectors' golden files through the library; they are too large for the project and lie beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dsg.parity.checks import Checks
from dsg.parity.golden import READABLE, Golden
from dsg.parity.runs import detection, detection_training, torchvision, torchvision_training
from dsg.runtime.arrays import read_arrays
from tests.shared import needs_shared, shared_path

RUNS = [
    ("detection", "detection_mobile", detection.run_forward),
    ("detection", "detection_res50", detection.run_forward),
    ("detection", "detection_vgg16", detection.run_forward),
    ("detection", "detection_train_res50", detection_training.run),
    ("torchvision", "forward_fasterrcnn", torchvision.run_forward),
    ("torchvision", "forward_fasterrcnn_v2", torchvision.run_forward),
    ("torchvision", "forward_maskrcnn", torchvision.run_forward),
    ("torchvision", "resnext101_32x8d_fpn", torchvision.run_resnext),
    ("torchvision", "train_fasterrcnn", torchvision_training.run),
    ("torchvision", "train_maskrcnn", torchvision_training.run),
]


@needs_shared("reference", "torchvision")
@needs_shared("reference", "detection")
@pytest.mark.parametrize(("folder", "file", "run"), RUNS, ids=[file for _, file, _ in RUNS])
def test_every_stage_of_a_file(folder: str, file: str, run: Callable[[Golden], Checks]) -> None:
    path: Path = shared_path("reference", folder, f"{file}.npz")
    checks = run(Golden(path, read_arrays(path, READABLE)))
    assert checks.ok, [(row.key, row.error, row.tolerance, row.note) for row in checks.rows if not row.ok]
