"""The parity command: what it accepts, what it refuses, and that it notices a wrong number anywhere."""

from __future__ import annotations

import functools
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsg.apps.main import main
from dsg.parity.checks import EXACT, Checks, Tolerance, difference
from dsg.parity.golden import Golden, open_golden
from dsg.parity.report import as_dict, format_table
from dsg.parity.runs import forward, gpi_methods, iou_metric, layers, roidb
from dsg.parity.runs.case import read_case
from tests.golden import FOLDER, golden
from tests.models.dsg.cases import golden_checks, golden_pass
from tests.programs import run_apart
from tests.shared import needs_shared, shared_path

Arrays = dict[str, np.ndarray]


def save(path: Path, arrays: Arrays) -> str:
    np.savez(path, **arrays)
    return str(path)


def loaded(name: str) -> Arrays:
    return dict(golden(name))


def test_light_golden_files_through_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(FOLDER / f"{name}.npz") for name in ("layers", "gpi_methods", "iou_metric", "roidb")]
    assert main(["parity", *files, "--json", str(tmp_path / "report.json")]) == 0
    printed = capsys.readouterr().out
    assert printed.count("all hold") == 4 and "FAIL" not in printed
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["ok"] and [one["kind"] for one in report["files"]] == [Path(file).stem for file in files]
    for one in report["files"]:
        assert all(row["ok"] for row in one["rows"]) and len(one["rows"]) > 30


def test_a_forward_file_by_the_checkpoint_road_and_a_copy_with_one_wrong_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told apart by content: the copy has another name and lacks what a file may lack."""
    arrays = loaded("forward_res50_generated")
    arrays["rel_score"] = arrays["rel_score"].copy()
    arrays["rel_score"][3, 4, 5] += 1e-3
    arrays.pop("blob.crc32_float32_bytes")
    bad = save(tmp_path / "photo.npz", arrays)
    status = main(["parity", str(FOLDER / "forward_res50_generated.npz"), bad, "--json", "-"])
    printed = capsys.readouterr().out
    assert status == 1 and "all hold" in printed and "1 DO NOT HOLD" in printed
    report = json.loads(printed[printed.index('{\n "ok"') :])
    assert [one["ok"] for one in report["files"]] == [True, False]
    failing = [row["key"] for row in report["files"][1]["rows"] if not row["ok"]]
    assert failing == ["rel_score"]
    assert "rel_score" in next(line for line in printed.splitlines() if "FAIL" in line)


@needs_shared("reference", "forward_res101_600.npz")
def test_photographs_and_their_gradients() -> None:
    files = ("forward_res101_600.npz", "forward_res50_300.npz", "gradients_res101_300.npz")
    done = run_apart("parity", *(shared_path("reference", file) for file in files))
    assert [line for line in done.stdout.splitlines() if "FAIL" in line] == []
    assert done.returncode == 0 and done.stdout.count("all hold") == 3, done.stderr


# Each: a golden file, a change of one number in it (or of one key), and what must fail because of it.
CORRUPTIONS: list[tuple[str, str, float]] = [
    ("layers", "anchors/1/grid0_tf", 1.0),
    ("layers", "bbox_transform/out", 1e-3),
    ("layers", "bbox_transform_inv/out_np", 1e-2),
    ("layers", "clip_boxes/out_tf", 1e-2),
    ("layers", "bbox_overlaps/out", 1e-5),
    ("layers", "cpu_nms/1/keep", 1),
    ("layers", "tf_nms/0/keep_max32", 1),
    ("layers", "nms_plus_one/tf_keep_0.7", 1),
    ("layers", "anchor_target/fgcap/labels", 1),
    ("layers", "anchor_target/posweight/outside", 1e-5),
    ("layers", "proposal_layer/TRAIN/py_rois", 1e-2),
    ("layers", "proposal_layer/TRAIN/tf_indices", 1),
    ("layers", "proposal_layer/low/tf_scores", 1e-5),
    ("layers", "proposal_target/use_gt_0/labels", 1),
    ("layers", "proposal_target/use_gt_1/partial_relation_class", 1),
    ("layers", "crop/max_pool_1/pair_crops", 1e-4),
    ("layers", "union_box/out_x1y1x2y2", 1.0),
    ("layers", "smooth_l1/1/dloss_dpred", 1e-4),
    ("layers", "rpn_softmax/prob", 1e-5),
    ("gpi_methods", "SimpleSum/phi.sub8", 1e-3),
    ("gpi_methods", "NeighbourAttention/alpha_weights", 1e-3),
    ("iou_metric", "07/sub_iou", 1e-9),
    ("iou_metric", "obj_iou", 1e-9),
    ("roidb", "03/boxes", 0.5),
    ("roidb", "11/gt_overlaps", 1.0),
]
RUNS: dict[str, Callable[..., Checks]] = {
    "layers": layers.run,
    "gpi_methods": gpi_methods.run,
    "iou_metric": iou_metric.run,
    "roidb": roidb.run,
}


def with_change(arrays: Arrays, key: str, amount: float) -> Arrays:
    changed = arrays[key].copy()
    changed.reshape(-1)[changed.size // 2] += np.asarray(amount, changed.dtype)
    return {**arrays, key: changed}


def prefix(key: str) -> str:
    """The group of `layers` that a key is in; the rest of the file is left out, to be quick."""
    return key.split("/")[0]


@pytest.mark.parametrize(("name", "key", "amount"), CORRUPTIONS)
def test_one_wrong_number_is_noticed(name: str, key: str, amount: float) -> None:
    arrays = loaded(name)
    if name == "layers":
        groups = {"tf_nms": ("tf_nms", "cpu_nms"), "union_box": ("union_box", "crop")}
        kept = groups.get(prefix(key), (prefix(key),))
        arrays = {k: v for k, v in arrays.items() if prefix(k) in kept}
    path = FOLDER / f"{name}.npz"
    assert RUNS[name](Golden(path, arrays)).ok
    failing = [
        row.key for row in RUNS[name](Golden(path, with_change(arrays, key, amount))).rows if not row.ok
    ]
    assert failing == [key.replace(".sub8", "") if name != "gpi_methods" else key]


@functools.cache
def library_values() -> list[tuple[str, np.ndarray]]:
    """What the library makes of the golden forward case, result by result."""
    from dsg.parity.runs.stages import stages

    _, case, model, outputs, losses = golden_pass("res50")
    return [(key, np.asarray(value)) for key, value in stages(case, outputs, losses, model.answer(outputs))]


def recheck(changed: Arrays) -> list[str]:
    """Rows that fail when a forward file is replaced by `changed` and the library's values stay the same."""
    checks = Checks(Golden(Path("changed.npz"), changed))
    checks.given(*forward.INPUTS)
    for key, value in library_values():
        checks.compare(key, value, forward.tolerance(key))
    checks.skip(r"blob\.crc32_float32_bytes", "")
    return [row.key for row in checks.finish().rows if not row.ok]


def test_every_result_of_a_forward_file_is_watched() -> None:
    """Ten per cent more on any one entry, and the file does not hold."""
    arrays = loaded("forward_res50_generated")
    results = [row.key for row in golden_checks("res50").rows]
    stored = [f"{key}.sub" if f"{key}.sub" in arrays else key for key in results]
    stored = [key for key in stored if key in arrays and arrays[key].size]
    assert len(stored) == len(results)
    for key in stored:
        value = arrays[key]
        amount = 1 if value.dtype.kind in "iu" else 0.1 * max(1e-3, float(np.abs(value).max()))
        assert recheck(with_change(arrays, key, amount)) == [key.replace(".sub", "")], key


def test_unknown_results_fail_and_unknown_inputs_are_noted() -> None:
    arrays = loaded("iou_metric")
    found = iou_metric.run(
        Golden(FOLDER / "x.npz", {**arrays, "05/mystery": np.ones(3), "input/odd": np.ones(1)})
    )
    failing = [row for row in found.rows if not row.ok]
    assert [row.key for row in failing] == ["05/mystery"] and "not compared" in failing[0].note
    assert found.notes == {"input/odd": "an unknown input, ignored"}
    assert "FAIL not compared" in format_table(found) and not found.ok


def test_a_shape_that_differs_fails() -> None:
    arrays = loaded("iou_metric")
    found = iou_metric.run(Golden(FOLDER / "x.npz", {**arrays, "sub_iou": arrays["sub_iou"][:-1]}))
    (row,) = [row for row in found.rows if not row.ok]
    assert (row.key, row.note) == ("sub_iou", "shape [50], reference [49]")


def bad_file(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "bad.npz"
    arrays = loaded("forward_res50_generated")
    if kind == "text":
        path.write_text("not an archive")
    elif kind == "array":
        with open(path, "wb") as file:
            np.save(file, np.ones(3))
    elif kind == "pickle":
        np.savez(path, a=np.array([{}], object))
    elif kind == "short":
        content = (FOLDER / "layers.npz").read_bytes()
        path.write_bytes(content[: len(content) // 2])
    elif kind == "flipped":
        content = bytearray((FOLDER / "iou_metric.npz").read_bytes())
        content[200:230] = bytes(30)
        path.write_bytes(content)
    elif kind == "unknown":
        save(path, {"a": np.ones(3)})
    elif kind == "lacks":
        save(path, {key: value for key, value in arrays.items() if key != "input/gt_boxes"})
    elif kind == "depth":
        save(path, {**arrays, "input/num_layers": np.array(77)})
    elif kind == "query":
        save(path, {**arrays, "input/query": arrays["input/query"] * 0})
    elif kind == "classes":
        save(path, {**arrays, "input/partial_entity_class": arrays["input/partial_entity_class"][:, 1:]})
    elif kind == "image":
        save(path, {**arrays, "input/image_bgr_u8": arrays["input/image_bgr_u8"][..., 0]})
    elif kind == "gradients":
        save(path, {"grad_l2": np.ones(3), "momentum": np.array(0.9)})
    elif kind == "detection":
        save(path, {"input/num_classes": np.array(21), "input/image_bgr_u8": arrays["input/image_bgr_u8"]})
    elif kind == "roidb":
        shutil.copy(FOLDER / "roidb.npz", path)
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("text", "not an .npz file"),
        ("array", "not an .npz file"),
        ("pickle", "the .npz file is damaged"),
        ("short", "the .npz file is damaged"),
        ("flipped", "the .npz file is damaged"),
        ("unknown", "not a golden file of the reference format"),
        ("lacks", "lacks input/gt_boxes"),
        ("depth", "input/num_layers is 77"),
        ("query", "a row of input/query is not one-hot"),
        ("classes", "input/query is float32"),
        ("image", "input/image_bgr_u8 is uint8"),
        ("gradients", "its inputs, a forward file, are not at"),
        ("detection", "lacks input/net"),
        ("roidb", "roidb_input.json: the annotations of bad.npz should be there"),
        ("nothing", "no such file"),
    ],
)
def test_files_that_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, message: str
) -> None:
    path = bad_file(tmp_path, kind)
    assert main(["parity", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path}") and message in line


def test_a_bad_file_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["parity", str(tmp_path / "no.npz"), str(FOLDER / "iou_metric.npz"), "--quiet"]) == 2
    captured = capsys.readouterr()
    assert "all hold" in captured.out and "no such file" in captured.err


def test_a_report_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "no" / "report.json"
    assert main(["parity", str(FOLDER / "iou_metric.npz"), "--quiet", "--json", str(target)]) == 2
    assert f"error: {target}: cannot be written" in capsys.readouterr().err


def test_inputs_of_gradients_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"grad_l2": np.ones(3), "momentum": np.array(0.9), "learning_rate": np.array(0.1)}
    file = save(tmp_path / "g.npz", given)
    assert main(["parity", file, "--forward", str(FOLDER / "layers.npz")]) == 2
    assert "of the kind layers, but the inputs" in capsys.readouterr().err
    assert main(["parity", file, file, "--forward", file]) == 2


@pytest.mark.parametrize(
    ("kind", "ours", "reference", "expected"),
    [
        ("relative", [1.0, 2.2], [1.0, 2.0], 0.1),
        ("absolute", [1.0, 2.2], [1.0, 2.0], 0.2),
        ("l2", [3.0, 4.5], [3.0, 4.0], 0.1),
        ("relative", [0.0, 0.0], [0.0, 0.0], 0.0),
        ("relative", [1e-9, 0.0], [0.0, 0.0], math.inf),
        ("relative", [], [], 0.0),
    ],
)
def test_errors(kind: str, ours: list[float], reference: list[float], expected: float) -> None:
    _, error, _ = difference(np.array(ours), np.array(reference), kind)
    assert error == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["relative", "absolute", "l2", "exact"])
def test_nan_never_holds(kind: str) -> None:
    golden_file = Golden(Path("x.npz"), {"layers": np.ones(2), "nms_plus_one/dets": np.ones(1)})
    checks = Checks(golden_file)
    checks.compare("layers", np.array([1.0, np.nan]), Tolerance(kind, 1.0))
    assert not checks.ok
    assert as_dict(checks, 0)["rows"][0]["error"] is None or kind == "exact"


def test_a_large_tensor_is_compared_in_all_its_parts() -> None:
    full = np.arange(24.0).reshape(1, 2, 3, 4)
    stored: dict[str, Any] = {
        "t.sub": full[:, ::2, :, ::3],
        "t.sub_steps": np.array([1, 2, 1, 3]),
        "t.shape": np.array(full.shape),
        "t.mean": full.mean(),
        "t.std": full.std(),
        "t.channel_mean": full.mean((0, 1, 2)),
        "t.row_mean": full.mean((1, 2, 3)),
    }

    def rows(changed: Arrays) -> dict[str, bool]:
        checks = Checks(Golden(Path("x.npz"), changed))
        checks.compare("t", full, Tolerance("relative", 1e-6))
        return {row.key: row.ok for row in checks.finish().rows}

    assert rows(stored) == dict.fromkeys(("t", "t.mean", "t.std", "t.channel_mean", "t.row_mean"), True)
    for key in stored:
        if key not in ("t.sub_steps", "t.shape"):
            wrong = rows({**stored, key: stored[key] * 1.01})
            assert [name for name, ok in wrong.items() if not ok][0] == key.replace(".sub", "")
    assert rows({**stored, "t.shape": np.array([2, 1, 3, 4])})["t.shape"] is False


def test_files_without_anything_to_compare_do_not_hold() -> None:
    assert not Checks(Golden(Path("x.npz"), {})).finish().ok


def test_tolerances_are_shown_as_written() -> None:
    given = [Tolerance("relative", 2e-5), Tolerance("absolute", 1e-4), Tolerance("l2", 1e-3), EXACT]
    given.append(Tolerance("relative", 2e-5, absolute=1e-3))
    expected = ["2e-05", "1e-04 abs", "1e-03 l2", "exact", "2e-05 or 1e-03 abs"]
    assert [str(one) for one in given] == expected


def test_the_golden_files_beside_the_tests_are_the_reference() -> None:
    kinds = {"voc_eval": "detection"}
    places = {"voc_eval.npz": "detection/voc_eval.npz", "torchvision_units.npz": "torchvision/units.npz"}
    for path in FOLDER.glob("*.npz"):
        original = shared_path("reference", places.get(path.name, path.name))
        if original.exists():
            assert original.read_bytes() == path.read_bytes(), path.name
        if path.name != "torchvision_units.npz":  # unit cases, which tests read one by one
            assert open_golden(path).kind == kinds.get(path.stem, path.stem.split("_res")[0])


def test_cases_of_any_size_and_vocabulary() -> None:
    """Nothing of a case is taken for granted: other numbers of categories, predicates, queries and boxes."""
    entities, predicates = 3, 2
    one = np.eye(5, dtype=np.float32)
    arrays = {
        "input/image_bgr_u8": np.full((60, 20, 3), 9, np.uint8),
        "input/boxes_orig": np.array([[1, 2, 9, 30], [4, 5, 19, 50]], np.float32),
        "input/gt_boxes": 2 * np.array([[1, 2, 9, 30], [4, 5, 19, 50]], np.float32),
        "input/gt_labels": np.array([[[1], [2]]], np.float32),
        "input/partial_entity_class": np.stack([one[2, :entities], np.zeros(entities, np.float32)]),
        "input/partial_relation_class": np.zeros((2, 2, predicates), np.float32),
        "input/query": np.concatenate([one[2, :entities], one[1, :predicates], one[0, :entities]])[None],
        "input/target_size": np.array(40),
        "input/max_size": np.array(200),
        "input/num_layers": np.array(152),
        "input/np_random_seed": np.array(1),
    }
    arrays["input/partial_relation_class"][0, 1, 1] = 1
    case = read_case(Golden(Path("x.npz"), arrays))
    assert (case.config.net, case.num_entities, case.num_predicates) == ("res152", 3, 2)
    assert case.arrays["image"].shape == (120, 40, 3) and case.arrays["rpn_labels"].shape == (8, 3, 12)
    assert case.record.queries.tolist() == [[2, 1, 0]]
    assert case.record.entities.tolist() == [2, -1]
    assert case.record.predicates.tolist() == [[-1, 1], [-1, -1]]
    assert case.batch["gt_roles"].numpy().tolist() == [[[1, 2]]]
