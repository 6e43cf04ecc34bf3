"""The golden files of segmentation-grounded scene graphs through the library; they lie beside the project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dsg.apps.main import main
from dsg.errors import UserError
from dsg.parity.golden import GROUNDING_KEYS, READABLE, Golden, open_golden
from dsg.parity.runs import grounding
from dsg.runtime.arrays import read_arrays
from tests.shared import needs_shared, shared_path

FOLDER = ("reference", "grounding")
needs_goldens = needs_shared(*FOLDER)
# The context of a refiner's file is made once if the file of the context comes before it.
FILES = [
    *("transfer", "edge_masks", "geometry", "roi_features", "motif", "refiner_motif", "vctree"),
    *("refiner_vctree", "small", "sampling", "losses", "postprocess", "metrics", "vg_reader", "mask_head"),
    *("detector", "model"),
]


DRAWN = ("refiner_motif", "refiner_vctree", "losses", "model")
"""Files with polygons, which are drawn by COCO's own code."""


def golden_path(file: str) -> Path:
    if file in DRAWN:
        pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
    return shared_path(*FOLDER, f"{file}.npz")


def failing(golden: Golden) -> list[str]:
    return [row.key for row in grounding.run(golden).rows if not row.ok]


def arrays_of(file: str) -> dict[str, np.ndarray]:
    return read_arrays(golden_path(file), READABLE)


@needs_goldens
@pytest.mark.parametrize("file", FILES)
def test_every_stage(file: str) -> None:
    golden = open_golden(golden_path(file))
    assert golden.kind == "grounding"
    checks = grounding.run(golden)
    assert checks.ok, [(row.key, row.error, row.tolerance, row.note) for row in checks.rows if not row.ok]


@needs_goldens
def test_no_file_of_the_reference_is_left_out() -> None:
    assert sorted(path.stem for path in shared_path(*FOLDER).glob("*.npz")) == sorted(FILES)
    for file in FILES:
        with np.load(shared_path(*FOLDER, f"{file}.npz")) as arrays:
            assert sum(key in arrays.files for key in GROUNDING_KEYS.values()) == 1, file


@needs_goldens
@pytest.mark.parametrize(
    ("file", "key", "amount"),
    [
        ("metrics", "sgdet/mR@50_fixed", 1e-6),
        ("metrics", "sgcls/05/hits", 1),
        ("sampling", "det_rich/released/seed1/labels", 1),
        ("sampling", "det_rich/released/seed0/choice0_p", 1e-3),
        ("vg_reader", "scenegraph/train/0/boxes", 1.0),
        ("vg_reader", "statistics/fg_counts", 1),
        ("postprocess", "sgdet/sorted_predicates", 1),
        ("losses", "seg/gradient_norm", 1e-3),
        ("geometry", "order/1", 1),
    ],
)
def test_one_wrong_number_is_noticed(file: str, key: str, amount: float) -> None:
    arrays = arrays_of(file)
    changed = arrays[key].copy()
    changed.reshape(-1)[changed.size // 2] += np.asarray(amount, changed.dtype)
    assert failing(Golden(golden_path(file), {**arrays, key: changed})) == [key]


@needs_goldens
def test_a_result_that_the_library_does_not_have_does_not_hold() -> None:
    golden = Golden(golden_path("losses"), {**arrays_of("losses"), "rel/mystery": np.ones(3)})
    assert failing(golden) == ["rel/mystery"]


@needs_goldens
@pytest.mark.parametrize(
    ("file", "key", "value", "message"),
    [
        ("losses", "rel/logits.recipe", np.array("rel|99999999,9999|normal"), "expected name.shape.kind"),
        ("losses", "rel/logits.recipe", np.array("rel|3,x|normal"), "expected name.shape.kind"),
        ("losses", "seg/polygons/0/0", np.ones(4, np.float32), "a polygon of fewer than three points"),
        ("losses", "seg/boxes", np.full((5, 4), np.nan), "seg/boxes holds nan"),
        ("sampling", "det_rich/released/seed0/draw0_choice", np.array([0, 1, 2, 99]), "is not 4 of"),
        ("sampling", "settings/json", np.array("[]"), "settings/json is a JSON list"),
        ("metrics", "zero_shot_triplets", np.ones((3, 2), int), r"expected numbers \[\*, 3\]"),
        ("small", "bilstm/lengths_per_step", np.array([10**9]), "bilstm/lengths_per_step holds 1e\\+09"),
        ("geometry", "union/2_pairs", np.array([[0, 77]]), "union/2_pairs holds 77"),
    ],
)
def test_arrays_that_cannot_be_used(file: str, key: str, value: np.ndarray, message: str) -> None:
    with pytest.raises(UserError, match=message):
        grounding.run(Golden(golden_path(file), {**arrays_of(file), key: value}))


@needs_goldens
def test_files_that_cannot_be_used_are_a_line_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = golden_path("sampling").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content[: len(content) // 2])
    arrays = arrays_of("sampling")
    np.savez(tmp_path / "lacks.npz", **{k: v for k, v in arrays.items() if k != "det_rich/labels"})
    labels = {"det_rich/labels": arrays["det_rich/labels"][:-1]}  # fewer than there are boxes
    np.savez(tmp_path / "labels.npz", **{**arrays, **labels})
    for file in ("vg_reader", "mask_head"):  # which need files that are not in this folder
        (tmp_path / f"{file}.npz").write_bytes(golden_path(file).read_bytes())
    names = ("cut", "lacks", "labels", "vg_reader", "mask_head")
    assert main(["parity", *(str(tmp_path / f"{name}.npz") for name in names)]) == 2
    lines = capsys.readouterr().err.splitlines()
    for line, part in zip(
        lines,
        (
            "the .npz file is damaged",
            "lacks det_rich/labels",
            "cannot be computed as a file of the kind grounding: grounding.sampling",
            "VG-SGG-with-attri.h5",
            "transfer.npz: the matrix of mask_head.npz should be there",
        ),
    ):
        assert line.startswith(f"error: {tmp_path}") and part in line
    assert len(lines) == len(names)
