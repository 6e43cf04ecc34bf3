"""Golden files that nobody has seen before: unusable ones end with one line, others are run whatever their
cases are called, and one without a result does not hold.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsg.apps.main import main
from dsg.metrics.raster import boxes_to_mask
from dsg.parity.checks import EXACT, Checks
from dsg.parity.failures import file_errors, refused
from dsg.parity.golden import Golden
from dsg.parity.report import summary
from dsg.parity.runs import iou_metric, layers
from tests.crafted import CRAFTED
from tests.golden import FOLDER, golden

Arrays = dict[str, np.ndarray]


def part(name: str, *groups: str) -> Arrays:
    """The arrays of a golden file, or those in some of its groups only, to be quick."""
    return {key: value for key, value in golden(name).items() if not groups or key.split("/")[0] in groups}


def save(path: Path, arrays: Arrays) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def with_entry(value: np.ndarray, entry: Any) -> np.ndarray:
    """A copy whose first entry is another."""
    changed = value.astype(np.result_type(value.dtype, np.asarray(entry).dtype))
    changed.reshape(-1)[0] = entry
    return changed


def unseen(arrays: Arrays, old: str, new: str) -> Arrays:
    """The same under another name."""
    return {key.replace(old, new, 1): value for key, value in arrays.items()}


FORWARD, GRAPH = ("forward_res50_generated",), ("gpi_methods",)
NMS, ANCHORS, TARGETS = ("layers", "cpu_nms", "tf_nms"), ("layers", "anchors"), ("layers", "proposal_target")
NAN = float("nan")
# Each: a golden file and its groups, a key, what to make of it, and what the message says besides these.
UNUSABLE: list[tuple[tuple[str, ...], str, Callable[[np.ndarray], Any], str]] = [
    (
        FORWARD,
        "input/gt_labels",
        lambda v: with_entry(v, 9),
        "holds 9, expected finite whole numbers from 0 to 3",
    ),
    (FORWARD, "input/boxes_orig", lambda v: with_entry(v, NAN), "holds nan"),
    (FORWARD, "input/gt_boxes", lambda v: with_entry(v, NAN), "holds nan"),
    (FORWARD, "input/partial_entity_class", lambda v: v[:0], "is empty"),
    (FORWARD, "input/image_bgr_u8", lambda v: v[:0], "is empty"),
    (FORWARD, "input/image_bgr_u8", lambda v: v * np.float32(1.5), "from 0 to 255"),
    (FORWARD, "input/np_random_seed", lambda v: np.array(-1), "holds -1"),
    (FORWARD, "input/np_random_seed", lambda v: np.array(2**32), "from 0 to"),
    (FORWARD, "input/num_layers", lambda v: np.array(NAN), "holds nan"),
    (FORWARD, "input/target_size", lambda v: np.array(3), "from 16"),
    (FORWARD, "input/partial_relation_class", lambda v: np.array(1.0), "float64 []"),
    (FORWARD, "input/query", lambda v: v - 1, "from 0 to 1"),
    (("iou_metric",), "mask_hw", lambda v: np.array(14), "int64 []"),
    (("iou_metric",), "03/pred_class", lambda v: v[1:], "expected numbers [2]"),
    (("iou_metric",), "03/pred_prob", lambda v: v[:, :3], "expected numbers"),
    (ANCHORS, "anchors/0/scales", lambda v: np.array(8.0), "float64 []"),
    (ANCHORS, "anchors/0/ratios", lambda v: v * 0, "holds 0"),
    (ANCHORS, "anchors/1/grid0_hw", lambda v: v[:1], "expected numbers [2]"),
    (NMS, "cpu_nms/0/dets", lambda v: v[:, :4], "expected numbers [*, 5]"),
    (NMS, "cpu_nms/2/order", lambda v: v + 1, "from 0 to 119"),
    (("layers", "bbox_overlaps"), "bbox_overlaps/boxes", lambda v: v[:, :3], "expected numbers [*, 4]"),
    (
        ("layers", "proposal_layer"),
        "proposal_layer/cfg",
        lambda v: np.array("{}"),
        "TRAIN.RPN_NMS_THRESH None",
    ),
    (("layers", "proposal_layer"), "proposal_layer/cfg", lambda v: np.array("[1]"), "expected an object"),
    (
        ("layers", "proposal_layer"),
        "proposal_layer/cls_prob",
        lambda v: v[..., 1:],
        "expected numbers [1, *, *, 24]",
    ),
    (
        ("layers", "anchor_target"),
        "anchor_target/fgcap/overrides",
        lambda v: np.array('{"RPN_BA'),
        "is not JSON",
    ),
    (
        ("layers", "anchor_target"),
        "anchor_target/a/overrides",
        lambda v: np.array('{"RPN_BATCHSIZE": []}'),
        "[]",
    ),
    (("layers", "anchor_target"), "anchor_target/hw", lambda v: np.array(3), "int64 []"),
    (TARGETS, "proposal_target/in/gt_boxes", lambda v: v[0], "expected numbers [*, 4]"),
    (TARGETS, "proposal_target/in/gt_labels", lambda v: with_entry(v, NAN), "holds nan"),
    (TARGETS, "proposal_target/use_gt_0/rois", lambda v: v[:0], "is empty"),
    (("layers", "crop", "union_box"), "crop/feature_map", lambda v: v[0], "expected numbers [1, *, *, *]"),
    (("layers", "crop"), "crop/rois", lambda v: v[:, 1:], "expected numbers [*, 5]"),
    (("layers", "crop"), "crop/max_pool_0/crops", lambda v: np.array(1.0), "float64 []"),
    (("layers", "smooth_l1"), "smooth_l1/0/target", lambda v: v[1:], "expected numbers [7, 4]"),
    (("layers", "smooth_l1"), "smooth_l1/1/dim", lambda v: v + 4, "from -4 to 3"),
    (("layers", "rpn_softmax"), "rpn_softmax/score", lambda v: v[..., 1:], "23 channels"),
    (GRAPH, "in/node_features", lambda v: v[0], "expected numbers [*, *]"),
    (GRAPH, "in/gt_relation_features", lambda v: v[0], "expected numbers [3, 3, *]"),
    (GRAPH, "SimpleSum/variables", lambda v: np.array("[1]"), "expected an object"),
    (GRAPH, "SimpleSum/variables", lambda v: np.array('{"gpi/nn_phi/0/weights": []}'), "the shape []"),
    (("roidb",), "np_random_seed", lambda v: np.array(-1), "holds -1"),
    (("roidb",), "00/partial_relation_class", lambda v: np.array(1.0), "float64 []"),
]


@pytest.mark.parametrize(("groups", "key", "change", "says"), UNUSABLE)
def test_an_unusable_file_ends_with_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    groups: tuple[str, ...],
    key: str,
    change: Callable[[np.ndarray], Any],
    says: str,
) -> None:
    arrays = part(*groups)
    shutil.copy(FOLDER / "roidb_input.json", tmp_path)
    path = save(tmp_path / "bad.npz", {**arrays, key: change(arrays[key])})
    assert main(["parity", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {path}: {key} ") and says in line, line


@pytest.mark.parametrize("kind", list(CRAFTED))
def test_a_crafted_file_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    path = save(tmp_path / "bad.npz", part("layers", "smooth_l1"))
    CRAFTED[kind](path, "smooth_l1/1/dim.npy")
    assert main(["parity", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {path}: the .npz file is damaged (") and "()" not in line, line


def test_steps_of_a_large_tensor_are_at_least_one(tmp_path: Path) -> None:
    stored = {"t.sub": np.ones(3), "t.sub_steps": np.array([0])}
    with pytest.raises(Exception, match=r"t\.sub_steps holds 0, expected finite whole numbers from 1"):
        Checks(Golden(tmp_path / "x.npz", stored)).compare("t", np.ones(3), EXACT)


def test_results_of_another_type_do_not_hold() -> None:
    for stored in (np.array(["a", "b"]), np.array([1j, 2j])):
        checks = Checks(Golden(Path("x.npz"), {"t": stored}))
        checks.compare("t", np.ones(2), EXACT)
        assert not checks.ok and checks.rows[0].note.startswith("type float64, reference ")


def test_what_a_computation_refuses_names_file_and_stage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every array has its shape and range; that an axis is named twice is found by TensorFlow."""
    arrays = part("layers", "smooth_l1")
    path = save(tmp_path / "odd.npz", {**arrays, "smooth_l1/1/dim": np.array([1, 1, 2])})
    assert main(["parity", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        f"error: {path}: cannot be computed as a file of the kind layers: layers._smooth_l1"
    )
    assert "InvalidArgumentError" in line and line.endswith("--traceback shows where")
    assert main(["parity", str(path), "--traceback"]) == 2
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_lack_of_memory_is_not_the_files_fault() -> None:
    assert not issubclass(MemoryError, file_errors()) and not issubclass(AssertionError, file_errors())
    assert "opening it ended with KeyError" in str(refused("x.npz", "layers", KeyError("a")))


def test_a_file_of_nothing_but_inputs_does_not_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(tmp_path / "inputs.npz", part("forward_res50_generated", "input"))
    assert main(["parity", str(path), "--quiet"]) == 1
    printed = capsys.readouterr().out
    assert "DOES NOT HOLD: no result is in it to compare" in printed and "all hold" not in printed


def test_comparisons_of_inputs_do_not_count() -> None:
    for key in ("input/im_scale", "before/conv1/weights", "shape/conv1/weights", "SimpleSum/variables"):
        checks = Checks(Golden(Path("x.npz"), {key: np.ones(1), "eval/sub_iou": np.ones(1)}))
        checks.compare(key, np.ones(1), EXACT)
        assert checks.rows[0].ok and not checks.ok
        assert "no result is in it" in summary(checks, 0)
        checks.compare("eval/sub_iou", np.ones(1), EXACT)
        assert checks.ok


def test_annotations_of_a_file_of_another_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(tmp_path / "mine.npz", part("roidb"))
    shutil.copy(FOLDER / "roidb_input.json", tmp_path / "mine_input.json")
    (tmp_path / "roidb_input.json").write_text("{}")  # of another file
    assert main(["parity", str(path), "--quiet"]) == 0
    assert "all hold" in capsys.readouterr().out
    (tmp_path / "mine_input.json").write_text(
        '{"annotations": {}, "image_metadata": {"a.jpg": {"width": 1}}}'
    )
    assert main(["parity", str(path)]) == 2
    assert "has no width and height of a.jpg" in capsys.readouterr().err


def failing(checks: Checks) -> list[str]:
    return [row.key for row in checks.rows if not row.ok]


def test_cases_of_proposals_by_any_name() -> None:
    arrays = unseen(part("layers", "proposal_layer"), "proposal_layer/low/", "proposal_layer/faint/")
    modes = json.loads(str(arrays["proposal_layer/cfg"]))
    modes["VALIDATION"] = {**modes["TRAIN"], "RPN_POST_NMS_TOP_N": 8}
    arrays["proposal_layer/cfg"] = np.array(json.dumps(modes))
    for key in ("tf_rois", "tf_scores", "py_rois"):
        arrays[f"proposal_layer/VALIDATION/{key}"] = arrays[f"proposal_layer/TRAIN/{key}"][:8]
    found = layers.run(Golden(FOLDER / "x.npz", arrays))
    assert failing(found) == []
    compared = {row.key for row in found.rows}
    assert {"proposal_layer/faint/tf_rois", "proposal_layer/VALIDATION/py_rois"} <= compared
    wrong = {**arrays, "proposal_layer/faint/tf_rois": arrays["proposal_layer/faint/tf_rois"] + 1}
    assert failing(layers.run(Golden(FOLDER / "x.npz", wrong))) == ["proposal_layer/faint/tf_rois"]


def test_cases_of_proposal_targets_by_any_name() -> None:
    arrays = unseen(part("layers", "proposal_target"), "proposal_target/use_gt_1/", "proposal_target/crowd/")
    found = layers.run(Golden(FOLDER / "x.npz", arrays))
    assert failing(found) == [] and "proposal_target/crowd/labels" in {row.key for row in found.rows}


def test_maps_that_are_no_squares() -> None:
    """Twice as many columns as rows: a box over the left half covers half of the columns and all rows."""
    mask = boxes_to_mask(np.array([[0.0, 0.0, 0.5, 1.0]]), (7, 14))[0]
    assert mask.shape == (7, 14) and mask[:, :7].all() and not mask[:, 7:].any()
    first, second = np.array([[0.0, 0.0, 1 / 28, 1.0]]), np.array([[0.0, 0.0, 0.5, 1.0]])
    arrays = {
        "mask_hw": np.array([2, 28]),
        "00/pred_boxes_norm": first,
        "00/gt_boxes_norm": second,
        "00/pred_prob": np.array([[0.0, 1.0, 0.0, 0.0]]),
        "00/pred_class": np.array([1]),
        "00/gt_labels": np.array([1]),
        "00/sub_iou": np.array(1 / 14),
        "00/obj_iou": np.array(0.0),
    }
    assert failing(iou_metric.run(Golden(FOLDER / "x.npz", arrays))) == []
