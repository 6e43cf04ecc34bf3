"""Tables of grounded scene graphs from results: shared runs, seeds, the published numbers beside ours."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dsg.apps.tables.account import Account
from dsg.apps.tables.command import write_table
from dsg.apps.tables.grounding_plan import plan_graphs
from dsg.apps.tables.plan import PlannedRun, Request
from dsg.apps.tables.runner import commands, run_all
from dsg.errors import UserError
from tests.shared import ROOT


def request(output, **changes) -> Request:
    values = {
        "table": 4,
        "dataset": "shapes150",
        "net": "grounding_mini",
        "seeds": "1,vctree_bl=2",
        **changes,
    }
    return Request(output=output, cfgs=ROOT / "experiments" / "cfgs", **values)


def finish(run: PlannedRun, account: Account, mean: float) -> None:
    rows = {"R": 0.5, "ng-R": 0.75, "mR": mean, "mR_released": mean + 0.03, "zsR": None}
    masks = {"no_refine": {"AP": mean}, "refine": {"AP": mean + 0.1}}
    run.results.parent.mkdir(parents=True)
    kinds = (("transferred", mean), ("refined", mean + 0.2), ("filled", 0.5), ("nearest", 0.6))
    iou = {name: {"base": value, "novel": value / 2} for name, value in kinds}
    stored = {"recall": dict.fromkeys(("20", "50", "100"), rows), "masks": masks, "overlaps": {"iou": iou}}
    run.results.write_text(json.dumps(stored))
    account.add(run, 30.0, True)


def lines_of(text: str) -> dict[str, list[str]]:
    return {
        cells[0]: cells for cells in (line[2:-2].split(" | ") for line in text.splitlines() if "|" in line)
    }


def test_seeds_have_a_spread_and_the_published_numbers_stand_beside(tmp_path) -> None:
    asked = request(tmp_path)
    asked.folder.mkdir(parents=True)
    runs, account = plan_graphs(asked), Account(asked.folder / "runs.json")
    for run in runs:
        if run.row.key in ("plain", "joint"):
            finish(run, account, 0.5)
        if run.row.key == "vctree_bl_sgcls":
            finish(run, account, 0.10 if run.seed == 1 else 0.12)
    lines = lines_of(write_table(asked, runs, account))
    base = lines["VCTree, BL, SGCls"]
    assert base[1:3] == ["11.0 ± 1.4 / 11.0 ± 1.4 / 11.0 ± 1.4", "- / -"]
    assert base[-3:] == ["8.1 / 9.9 / 10.6 / 0.3 / 1.2", "2", "1m00s"]
    assert lines["VCTree, Joint, SGCls"][1:3] == ["-", "-"] and lines["VCTree, Joint, SGCls"][-2:] == [
        *("0 of 1", "-"),
    ]
    stored = json.loads((asked.folder / "table4.json").read_text())
    row = stored["rows"]["vctree_bl_sgcls"]
    assert row["figures"]["mR@20"] == {"mean": pytest.approx(11), "spread": pytest.approx(1.4142)}
    assert row["figures"]["zsR@20"]["mean"] is None and not stored["complete"]
    trained, tested = row["runs"][0]["commands"]
    assert trained.startswith(
        "dsg train --dataset shapes150 --net grounding_mini --name table_vctree_bl_sgcls"
    )
    assert str(tmp_path) not in trained and "WEIGHTS output/grounding_mini_detector/" in trained
    assert tested.startswith("dsg test") and row["runs"][1]["seed"] == row["runs"][0]["seed"] + 1


def test_masks_are_shown_without_refinement_and_with_it(tmp_path) -> None:
    asked = request(tmp_path, table=2, rows=("sgcls",), seeds="1")
    asked.folder.mkdir(parents=True)
    runs, account = plan_graphs(asked), Account(asked.folder / "runs.json")
    for run in runs:
        finish(run, account, 0.25)
    text = write_table(asked, runs, account)
    lines = lines_of(text)
    plain, motif = lines["no refinement, SGCls"], lines["MOTIF + refinement, SGCls"]
    assert plain[1].startswith("25.0 / - ") and motif[1].startswith("35.0 / - ")
    assert (plain[2], motif[2]) == ("25.0 / 12.5", "45.0 / 22.5")
    assert "whole box has an IoU of 50.0 / 25.0, the mask of the nearest category 60.0 / 30.0" in text
    assert lines["VCTree + refinement, SGCls"][4].startswith("54.3 / 77.9")


def test_a_graph_counts_as_finished_with_its_detector_only(tmp_path) -> None:
    asked = request(tmp_path, rows=("vctree_joint",), seeds="1")
    detector, graph = plan_graphs(asked)
    account = Account(tmp_path / "runs.json")
    finish(graph, account, 0.1)
    assert not account.finished(graph)
    finish(detector, account, 0.5)
    assert account.finished(graph)
    moved = plan_graphs(replace(asked, pairs=("graphs:WEIGHTS", "other.npz")))
    assert not account.finished(moved[0])


def test_a_row_whose_detector_failed_is_left_out(tmp_path, monkeypatch) -> None:
    asked = request(tmp_path, rows=("vctree_final",), seeds="1")
    runs, account = plan_graphs(asked), Account(tmp_path / "runs.json")
    monkeypatch.setattr("sys.executable", "false")  # whatever is run fails
    assert run_all(runs, asked, account, "cpu", lambda: None) == runs
    assert [words[3] for words in commands(runs[1], asked, "cpu")] == ["train", "test"]
    assert [words[3] for words in commands(runs[2], asked, "cpu")] == ["test"]


def test_a_row_that_only_tests_has_a_copy_of_the_snapshot(tmp_path, monkeypatch) -> None:
    asked = request(tmp_path, rows=("vctree_final",), seeds="1")
    runs, account = plan_graphs(asked), Account(tmp_path / "runs.json")
    for run in runs[:2]:
        finish(run, account, 0.1)
    runs[1].snapshot.write_bytes(b"weights")
    monkeypatch.setattr("sys.executable", "true")  # tests nothing, so that there are no results
    assert run_all(runs, asked, account, "cpu", lambda: None) == runs[2:]
    assert runs[2].snapshot.read_bytes() == b"weights" and runs[2].snapshot.parent != runs[1].snapshot.parent
    runs[1].snapshot.unlink()
    with pytest.raises(UserError, match="cannot be copied to"):
        run_all(runs, asked, account, "cpu", lambda: None)


def test_results_of_something_else_are_named(tmp_path) -> None:
    asked = request(tmp_path, rows=("vctree_joint",), seeds="1")
    runs, account = plan_graphs(asked), Account(tmp_path / "runs.json")
    for run in runs:
        finish(run, account, 0.1)
    runs[1].results.write_text('{"iou": {}}')
    with pytest.raises(UserError, match="results.json: not the results of a test of a scene graph"):
        write_table(asked, runs, account)
