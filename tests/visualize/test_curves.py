"""Training curves: what is read from a history, what is drawn."""

from __future__ import annotations

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dsg.errors import UserError
from dsg.visualize.curves import collect_series, plain_text, read_history, training_curves


def epoch_record(epoch):
    return {
        "epoch": epoch,
        "learning_rate": 1e-3 / epoch,
        "train": {"loss": {"total": 3.0 / epoch, "rpn_box": 1.0 / epoch, "cross_entropy": 0.5 / epoch}},
        "validation": {"subject_iou": 0.1 * epoch, "object_iou": 0.1 * epoch, "ambiguous_subject_iou": 0.05},
        "validation/rpn_recall_50": 0.9,
        "seconds": 12.5,
        "note": "text is ignored",
    }


HISTORY = [epoch_record(epoch) for epoch in range(1, 6)]


def test_series_are_flattened():
    series = collect_series(HISTORY)
    assert series["validation/subject_iou"] == [(e, pytest.approx(0.1 * e)) for e in range(1, 6)]
    assert series["train/loss/rpn_box"][4] == (5, pytest.approx(0.2))
    assert "note" not in series and "epoch" not in series


def test_resumed_epoch_wins_and_gaps_are_left_out():
    records = [{"epoch": 2, "loss": 5.0}, {"epoch": 1, "loss": 9.0}, {"epoch": 2, "loss": 4.0}]
    assert collect_series(records) == {"loss": [(1, 9.0), (2, 4.0)]}
    assert collect_series([{"loss": float("nan"), "iou": True}, {"loss": 1.0}]) == {"loss": [(2.0, 1.0)]}


def test_panels(tmp_path):
    titles = training_curves(HISTORY, tmp_path / "curves.png")
    assert titles == ["Loss", "Loss terms", "IoU of the answers", "Boxes", "Learning rate"]
    picture = cv2.imread(str(tmp_path / "curves.png"))
    assert picture.shape[0] > 700 and picture.shape[1] > 1500
    assert (picture != 255).any(axis=2).mean() > 0.01
    for colour in ((213, 94, 0), (0, 114, 178)):  # subject, object
        assert (np.abs(picture[:, :, ::-1].astype(int) - colour).sum(axis=2) < 30).any()
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


@pytest.mark.parametrize(
    "history, titles",
    [
        ([], []),
        ([{"epoch": 1, "loss": 2.0}], ["Loss"]),
        ([{"lr": 0.0, "loss_box": 0.0}], ["Loss terms", "Learning rate"]),
        ([{"epoch": e, "subject_iou": 0.5, "object_iou": 0.5} for e in range(60)], ["IoU of the answers"]),
    ],
)
def test_sparse_histories(tmp_path, history, titles):
    assert training_curves(history, tmp_path / "deep" / "curves.png") == titles
    assert cv2.imread(str(tmp_path / "deep" / "curves.png")) is not None


@pytest.mark.parametrize("text", ["$", "a$^$", "$\\foo$", "\\$5 and \\$6", "a\ud83d", "caf\udce9", "50%", ""])
def test_any_text_can_be_a_label(text, tmp_path):
    """matplotlib reads what stands between two dollars as a formula, and takes no half of a character."""
    training_curves([{f"loss/{text}": 1.0, f"loss/b{text}": 1.0}], tmp_path / "curves.png")
    figure = Figure()
    shown = [figure.text(0.5, 0.5, plain_text(text)), figure.text(0.5, 0.5, text, parse_math=False)]
    if text.isascii():
        first, second = (item.get_window_extent(FigureCanvasAgg(figure).get_renderer()) for item in shown)
        assert first.bounds == second.bounds  # the text itself is shown, dollars and all


def test_reading_a_file(tmp_path):
    path = tmp_path / "history.jsonl"
    lines = [json.dumps(record) for record in HISTORY]
    path.write_text("\n".join(lines) + "\n")
    assert read_history(path) == HISTORY
    path.write_text("\n".join(lines) + "\n" + lines[0][:20])  # interrupted while writing
    assert read_history(path) == HISTORY
    assert training_curves(path, tmp_path / "curves.png")


@pytest.mark.parametrize("text", ['{"epoch": 1}\n{"epoch": \n{"epoch": 3}\n', '{"epoch": 1}\n[1]\n'])
def test_a_broken_file_is_explained(tmp_path, text):
    path = tmp_path / "history.jsonl"
    path.write_text(text)
    with pytest.raises(UserError, match=r"history.jsonl: line 2"):
        training_curves(path, tmp_path / "curves.png")


def test_files_out_of_reach(tmp_path):
    with pytest.raises(UserError, match="cannot read"):
        read_history(tmp_path / "absent.jsonl")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        training_curves(HISTORY, tmp_path / "file" / "curves.png")


def test_no_global_plotting_state():
    code = (
        "import sys, dsg.visualize.curves as c, tempfile, os\n"
        "c.training_curves([{'loss': 1.0}], os.path.join(tempfile.mkdtemp(), 'x.png'))\n"
        "assert 'matplotlib.pyplot' not in sys.modules and 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
