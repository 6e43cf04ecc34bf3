"""The detectors' golden files through the library; most are too large for the project and lie beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsg.errors import UserError
from dsg.parity.golden import READABLE, Golden, open_golden
from dsg.parity.runs import detection, torchvision
from dsg.runtime.arrays import read_arrays
from tests.golden import FOLDER
from tests.shared import needs_shared, shared_path

DETECTION = ["detection_mobile", "detection_res50", "detection_vgg16", "detection_train_res50"]
TORCHVISION = [
    *("forward_fasterrcnn", "forward_fasterrcnn_v2", "forward_maskrcnn", "resnext101_32x8d_fpn"),
    *("train_fasterrcnn", "train_maskrcnn"),
]


def check(path: Path) -> None:
    golden = open_golden(path)
    assert golden.kind == ("torchvision" if path.parent.name == "torchvision" else "detection")
    run = torchvision.run if golden.kind == "torchvision" else detection.run
    checks = run(golden)
    assert checks.ok, [(row.key, row.error, row.tolerance, row.note) for row in checks.rows if not row.ok]


@needs_shared("reference", "detection")
@pytest.mark.parametrize("file", DETECTION)
def test_every_stage_of_tf_faster_rcnn(file: str) -> None:
    check(shared_path("reference", "detection", f"{file}.npz"))


@needs_shared("reference", "torchvision")
@pytest.mark.parametrize("file", TORCHVISION)
def test_every_stage_of_torchvision(file: str) -> None:
    check(shared_path("reference", "torchvision", f"{file}.npz"))


def test_average_precision(tmp_path: Path) -> None:
    path = FOLDER / "voc_eval.npz"
    check(path)
    golden = Golden(tmp_path / "voc_eval.npz", read_arrays(path, READABLE))
    with pytest.raises(UserError, match=r"voc_eval_input\.json: cannot be read"):
        detection.run(golden)
