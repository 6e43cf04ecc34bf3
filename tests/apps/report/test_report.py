"""The report of a run shows what its folder holds, escaped, in one file; what is missing is left out."""

from __future__ import annotations

import html.parser
import json
import logging
import re

import cv2
import numpy as np
import pytest

from dsg.apps.report.contents import read_run, run_of_test
from dsg.apps.report.page import LARGE, data_uri
from dsg.apps.report.rows import box_rows, epoch_rows, facts, score_rows
from dsg.apps.report.write import make_report, report_finished
from dsg.config import dump_yaml, load_config
from dsg.engine.session import add_session, read_sessions, this_session
from dsg.engine.snapshots import Meta, save_snapshot
from dsg.errors import UserError

ODD = '<script>alert("x")</script> & more'


def write_png(path, side=8, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 255, (side, side, 3), np.uint8))


def epoch_entry(epoch):
    scores = {"subject_iou": 0.1 * epoch, "object_iou": 0.2, "rpn_recall_50": 0.9}
    return {"epoch": epoch, "total": 4.0 / epoch, "validation": scores, "seconds": 60.0}


@pytest.fixture
def run(tmp_path):
    """The folder of a run with three epochs, the second of them best, and one test; words are odd."""
    folder = tmp_path / "mini" / "shapes_train" / "odd & <run>"
    tested = folder / "test" / "odd_iter_0"
    for path in (folder / "curves.png", tested / "iou_curves.png"):
        write_png(path)
    for number in range(6):
        write_png(tested / "pictures" / f"{number}_answers.png", seed=number)
        write_png(tested / "pictures" / f"{number}_graph.png", seed=number)
    save_snapshot(folder / "odd_iter_0.npz", {"w": np.zeros(1)}, {}, Meta(net="mini", epoch=2, step=20))
    (folder / "config.yml").write_text(
        dump_yaml(load_config(overrides=["WEIGHTS", ODD, "TRAIN.EPOCHS", "3"]))
    )
    (folder / "history.jsonl").write_text("".join(json.dumps(epoch_entry(e)) + "\n" for e in (1, 2, 3)))
    mean = {"mean": 0.25, "stderr": 0.125}
    scores = {"queries": 7, "subject": mean, "object": {"mean": None, "stderr": None}}
    sets = dict.fromkeys(("all", "ambiguous", "unambiguous"), scores)
    (tested / "results.json").write_text(json.dumps({"iou": {"dsg": sets, "rr": sets}}))
    (tested / "table.txt").write_text(f"{ODD} table\n")
    add_session(
        folder, {**this_session("train.sh '<a>'"), "training": f"train: {ODD}", "epoch": 0, "step": 0}
    )
    add_session(
        folder, {**this_session("train.sh '<a>'"), "training": f"train: {ODD}", "epoch": 1, "step": 12}
    )
    return folder


class Page(html.parser.HTMLParser):
    """Tags, their attributes and the text of a page; every tag must be closed in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_page_is_one_file_and_everything_in_it_is_escaped(run):
    text = make_report(run).read_text(encoding="utf-8")
    page = Page(text)
    tags = [tag for tag, _ in page.tags]
    assert "script" not in tags and "link" not in tags and "run" not in tags
    addresses = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert len(addresses) == 2 + 4 + 2  # curves, IoU curves, answers, graphs
    assert all(address.startswith("data:image/png;base64,") for address in addresses)
    assert not re.search(r"(https?:|url\(|@import|src=\"(?!data:))", text)
    for words in (
        f"train: {ODD}",
        f"{ODD} table",
        "mini on shapes: odd & <run>",
        "WEIGHTS",
        "0.250 +- 0.125",
    ):
        assert words in page.text, words
    assert text.count('<tr class="best">') == 1


def test_the_text_has_the_same(run):
    make_report(run)
    text = (run / "report.txt").read_text(encoding="utf-8")
    assert text.startswith("mini on shapes: odd & <run>\n")
    assert "best epoch on validation: 2, subject IoU 0.2000, object IoU 0.2000" in text
    assert "time of all steps: 3m00s" in text and "went on" in text and "after epoch 1, step 12" in text
    assert re.search(r"^all queries +7 +0.250 \+- 0.125 +- ", text, re.MULTILINE)
    assert re.search(r"^TRAIN.EPOCHS +3 +20$", text, re.MULTILINE) and "TRAIN.GAMMA" not in text
    assert "test/odd_iter_0/table.txt" in text
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_accuracies_of_boxes_are_shown_where_they_were_measured(run):
    assert box_rows({"iou": {}}) == box_rows({"box_accuracy": None}) == []
    assert "most probable box" not in make_report(run).read_text(encoding="utf-8")
    cell = {
        "0.5": {"accuracy": 0.75, "interval": [0.5, 1.0]},
        "0.5:0.95": {"accuracy": 0.25, "interval": [None, None]},
    }
    shares = {"answer": {role: cell for role in ("subject", "object", "both")}}
    path = run / "test" / "odd_iter_0" / "results.json"
    results = {**json.loads(path.read_text()), "box_accuracy": {"exclusive": {"all": shares}}}
    path.write_text(json.dumps(results))
    titles, everything, *_, limit = box_rows(results)
    assert titles[3:5] == ("both at IoU 0.5", "subject at IoU 0.5:0.95")
    assert everything == ("all queries", *["0.750 [0.500, 1.000]"] * 3, *["0.250"] * 3)
    assert limit == ("its choice, true boxes", *["-"] * 6)
    assert "0.750 [0.500, 1.000]" in Page(make_report(run).read_text(encoding="utf-8")).text
    assert re.search(r"^its choice, true boxes +- ", (run / "report.txt").read_text(), re.MULTILINE)


def test_epochs(run):
    titles, *rows = epoch_rows(read_run(run))
    assert titles == ("epoch", "loss", "subject IoU", "object IoU", "RPN recall", "seconds")
    assert rows[1] == ("2", "2", "0.2000", "0.2000", "0.9000", "60.0")


def test_a_run_that_was_only_tested(run):
    for path in run.glob("*.*"):
        path.unlink()
    text = make_report(run).read_text(encoding="utf-8")
    assert "Test of odd_iter_0" in text and "Epochs" not in text
    assert facts(read_run(run)) == [("folder", str(run))]


@pytest.mark.parametrize(
    "name", ["config.yml", "sessions.jsonl", "test/odd_iter_0/results.json", "curves.png"]
)
@pytest.mark.parametrize("content", [b"", b"\xff{[", b"[1, 2]\n", b'{"iou": {"dsg": 3}}\n'])
def test_a_damaged_file_is_left_out(run, name, content):
    (run / name).write_bytes(content)
    text = make_report(run).read_text(encoding="utf-8")
    assert "best epoch on validation: 2" in text


def test_a_damaged_history_is_named(run):
    (run / "history.jsonl").write_text("nonsense\n")
    with pytest.raises(UserError, match="history.jsonl: line 1"):
        make_report(run)


def test_odd_entries_of_the_history(run):
    odd = [
        {},
        {"epoch": None, "validation": 3, "seconds": "x", "total": None},
        {"epoch": 2, "total": float("nan")},
    ]
    (run / "history.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in odd))
    make_report(run)
    assert epoch_rows(read_run(run)) == [("epoch",), ("-",), ("-",), ("2",)]


def test_neither_trained_nor_tested(tmp_path):
    with pytest.raises(UserError, match="not a run that"):
        make_report(tmp_path)


def test_a_report_that_cannot_be_written_is_one_warning(run, caplog):
    (run / "report.html").mkdir()
    with caplog.at_level(logging.WARNING, "dsg"):
        report_finished(run)
    assert (
        len(caplog.records) == 1 and "no report of the run: " in caplog.text and "report.html" in caplog.text
    )


def test_large_pictures_become_smaller(tmp_path):
    write_png(tmp_path / "large.png", side=512)
    assert (tmp_path / "large.png").stat().st_size > LARGE
    assert data_uri(tmp_path / "large.png").startswith("data:image/jpeg;base64,")
    (tmp_path / "damaged.png").write_bytes(bytes(LARGE + 1))
    assert data_uri(tmp_path / "damaged.png") == data_uri(tmp_path / "absent.png") == ""


def test_scores_that_are_not_there():
    assert score_rows({})[1] == ("all queries", "-", "-", "-", "-", "-")


def test_sessions_are_added_and_damage_is_passed_over(tmp_path):
    add_session(tmp_path, {"command": "a"})
    with open(tmp_path / "sessions.jsonl", "a") as file:
        file.write('{"command": "cut')
    add_session(tmp_path, {"command": "b"})
    assert read_sessions(tmp_path) == [{"command": "a"}, {"command": "b"}]


def test_the_run_of_a_test(tmp_path):
    run = tmp_path / "run"
    assert (
        run_of_test(run / "test" / "a_iter_0") == run_of_test(run / "test" / "a_iter_0" / "validation") == run
    )
    assert run_of_test(tmp_path / "elsewhere" / "a" / "b") is None
