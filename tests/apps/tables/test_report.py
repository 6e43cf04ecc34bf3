"""What is finished, how long the rest takes, and the table itself."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace

import cv2
import pytest

from dsg.apps.tables.account import Account, check_epochs, epochs_done, time_left
from dsg.apps.tables.command import write_table
from dsg.apps.tables.plan import Request, plan_runs
from dsg.apps.tables.plot import draw_table
from dsg.apps.tables.report import box_figures, figures_of, row_results, to_json, to_markdown
from dsg.config import flatten
from dsg.errors import UserError
from tests.shared import ROOT


def request(output, **changes) -> Request:
    options = {"table": 2, "dataset": "visualgenome", "net": "res50", "seeds": "1,dsg=2", **changes}
    return Request(output=output, cfgs=ROOT / "experiments" / "cfgs", **options)


def results(mean: float | None) -> dict:
    cell = {"mean": mean, "stderr": 0.01}
    sets = {
        name: {"queries": 40 if name == "all" else 9, "subject": cell, "object": cell}
        for name in ("all", "ambiguous")
    }
    return {"iou": {"dsg": sets, "rr": sets}}


def with_boxes(share: float | None) -> dict:
    cells = {role: {"0.5": {"accuracy": share}} for role in ("subject", "object", "both")}
    return {**results(0.5), "box_accuracy": {"exclusive": {"all": {"answer": cells}}}}


def finish(run, account, mean: float, seconds: float = 30.0) -> None:
    run.results.parent.mkdir(parents=True)
    run.results.write_text(json.dumps(results(mean)))
    account.add(run, seconds, True)


def test_a_run_is_finished_with_its_options_and_results_only(tmp_path):
    run, other = plan_runs(request(tmp_path))[:2]
    account = Account(tmp_path / "runs.json")
    assert not account.finished(run)
    account.add(run, 5, False)
    finish(run, account, 0.5)
    again = Account(tmp_path / "runs.json")
    assert again.finished(run) and again.seconds(run) == 35 and not again.finished(other)
    changed = plan_runs(request(tmp_path, pairs=("TRAIN.EPOCHS", "9")))[0]
    assert changed.name == run.name and not again.finished(changed)
    elsewhere = plan_runs(request(tmp_path, data=str(tmp_path)))[0]
    assert again.finished(elsewhere)
    for option, same in (("TEST.PICTURES", True), ("TEST.CLASSIFIER_WEIGHT", False)):  # of a test by hand
        tested = {"config": {**flatten(run.config), option: 0.25}}
        run.results.write_text(json.dumps({**results(0.5), "fingerprint": json.dumps(tested)}))
        assert again.finished(run) == same
    run.results.write_text(json.dumps(results(0.5)))
    stored = json.loads((tmp_path / "runs.json").read_text())
    (begun,) = stored.values()
    assert begun["options"].pop("BACKBONE") == "res50"
    for net in ("res50", "res18", "vgg16"):  # as a version wrote it down that called them NET
        begun["options"]["NET"] = net
        (tmp_path / "earlier.json").write_text(json.dumps(stored))
        assert Account(tmp_path / "earlier.json").finished(run) == (net == "res50")
    tested = {"config": {**flatten(run.config), "NET": "res50"}}
    run.results.write_text(json.dumps({**results(0.5), "fingerprint": json.dumps(tested)}))
    assert again.finished(run)
    del tested["config"]["MODEL"], tested["config"]["BACKBONE"]
    tested["config"]["NET"] = "res18"
    run.results.write_text(json.dumps({**results(0.5), "fingerprint": json.dumps(tested)}))
    assert not again.finished(run)
    run.results.unlink()
    assert not again.finished(run)
    (tmp_path / "runs.json").write_text("{ damaged")
    assert Account(tmp_path / "runs.json").seconds(run) == 0


def test_a_run_is_not_finished_when_the_file_of_its_net_has_changed(tmp_path):
    """Else a table would mix rows of old options with rows of new ones."""
    cfgs = tmp_path / "cfgs"
    shutil.copytree(ROOT / "experiments" / "cfgs", cfgs)
    asked = replace(request(tmp_path), cfgs=cfgs)
    account = Account(tmp_path / "runs.json")
    finish(plan_runs(asked)[0], account, 0.5)
    with (cfgs / "res50.yml").open("a") as file:
        file.write("EXACT_BOXES: True\n")
    assert not account.finished(plan_runs(asked)[0])


def test_the_time_left_is_told_by_what_is_most_alike(tmp_path):
    runs = plan_runs(request(tmp_path, table=1, seeds="1,dsg=2", pairs=("TRAIN.EPOCHS", "10")))
    assert time_left(runs, {}) is None
    baseline = 100.0  # 10 s an epoch, for all that nothing better is known of
    assert time_left(runs, {0: baseline}) == pytest.approx(6 * 100)
    known = {0: baseline, 1: baseline, 2: baseline, 3: baseline, 4: 300.0}
    assert time_left(runs, known) == pytest.approx(2 * 300)
    # the first DSG goes on: 4 epochs in 200 s after 2 before; 4 are left, and 10 of its second seed
    assert time_left(runs, known, (5, 200.0, 4, 2)) == pytest.approx(4 * 50 + 10 * 50)
    assert time_left(runs, {**known, 5: 500.0, 6: 500.0}) == 0


def test_epochs_are_counted_in_the_history(tmp_path):
    run = plan_runs(request(tmp_path))[0]
    assert epochs_done(run) == 0
    run.folder.mkdir(parents=True)
    (run.folder / "history.jsonl").write_text('{"epoch": 1}\n{"epoch": 2}\n')
    assert epochs_done(run) == 2


def test_a_run_of_more_epochs_is_not_shown_as_one_of_fewer(tmp_path):
    runs = plan_runs(request(tmp_path, pairs=("TRAIN.EPOCHS", "2")))
    runs[3].folder.mkdir(parents=True)
    (runs[3].folder / "history.jsonl").write_text("{}\n" * 2)
    check_epochs(runs)
    (runs[3].folder / "history.jsonl").write_text("{}\n" * 3)
    with pytest.raises(UserError, match="trained for 3 epochs, but 2 are requested.*--tag"):
        check_epochs(runs)


def test_seeds_are_averaged_and_their_spread_is_told():
    figure = figures_of([results(0.4), results(0.6)])["dsg", "all", "subject"]
    assert (figure.mean, figure.stderr) == (0.5, pytest.approx(0.01))
    assert figure.spread == pytest.approx(math.sqrt(0.02))
    assert math.isnan(figures_of([results(0.4)])["rr", "ambiguous", "object"].spread)
    assert figures_of([]) == {}
    nothing_asked = figures_of([results(None), results(None)])["dsg", "all", "subject"]
    assert math.isnan(nothing_asked.mean) and math.isnan(nothing_asked.spread)


def test_accuracies_of_boxes_are_averaged_where_every_seed_has_them():
    figure = box_figures([with_boxes(0.4), with_boxes(0.6)])["both"]
    assert (figure.mean, figure.spread) == (0.5, pytest.approx(math.sqrt(0.02)))
    assert math.isnan(figure.stderr) and math.isnan(box_figures([with_boxes(None)])["both"].mean)
    earlier, maps = results(0.5), {**results(0.5), "box_accuracy": None}
    assert box_figures([]) == box_figures([with_boxes(0.4), earlier]) == box_figures([maps]) == {}


def test_the_table_has_accuracies_of_boxes_or_a_dash(tmp_path):
    asked = request(tmp_path, dataset="shapes", net="mini")
    runs, account = plan_runs(asked), Account(tmp_path / "runs.json")
    finish(runs[0], account, 0.41)
    finish(runs[1], account, 0.42)
    runs[1].results.write_text(json.dumps(with_boxes(0.75)))
    rows = row_results(runs[:3], [True, True, False], [0.0] * 3)
    lines = [line for line in to_markdown(asked, rows).splitlines() if line.startswith("| ")]
    assert "| box subject | box object | box both | queries |" in lines[0]
    assert "| - | - | - | 40 (9) |" in lines[2] and "| 0.750 | 0.750 | 0.750 | 40 (9) |" in lines[3]
    stored = to_json(asked, rows)["rows"]
    assert stored[rows[1].row.key]["box_accuracy"]["both"] == {"mean": 0.75, "stderr": None, "spread": None}
    assert "box_accuracy" not in stored[rows[0].row.key]


def test_the_table_has_our_numbers_beside_the_published_ones(tmp_path):
    asked = request(tmp_path)
    runs, account = plan_runs(asked), Account(tmp_path / "runs.json")
    finish(runs[0], account, 0.41)
    finish(runs[4], account, 0.5, 90)
    finish(runs[5], account, 0.52, 90)
    asked.folder.mkdir(parents=True)
    text = write_table(asked, runs, account)
    lines = {line.split(" |")[0][2:]: line for line in text.splitlines() if line.startswith("| ")}
    assert "| 0.410 ± 0.010 | 0.410 ± 0.010 |" in lines["TWO STEP"]
    assert "| - | - | - | 0.430 ± 0.0014 | 0.491 ± 0.0014 | 40 (9) | 1 | 30s" in lines["TWO STEP"]
    assert "0.510 ± 0.010 / 0.014" in lines["DSG"] and lines["DSG"].endswith("| 40 (9) | 2 | 3m00s |")
    assert "| - | - |" in lines["DSG -SGL"] and "| 0 of 1 | - |" in lines["DSG -SGL"]
    assert "not complete" in text and "validation split" in text and "--split validation" in text
    assert "Ours is on another split" not in write_table(replace(asked, split="validation"), runs, account)
    stored = json.loads((asked.folder / "table2.json").read_text())
    assert stored["rows"]["dsg"]["dsg"]["all"]["subject"] == pytest.approx(
        {"mean": 0.51, "stderr": 0.01, "spread": 0.0141421356}
    )
    assert (
        stored["rows"]["dsg"]["published"]
        == {
            "subject": 0.477,
            "object": 0.528,
            "split": "validation",
            "stderr": {"subject": 0.0014, "object": 0.0014},
        }
        and not stored["complete"]
    )
    assert cv2.imread(str(asked.folder / "table2.png")).shape[0] > 300


def test_without_published_numbers_there_are_no_columns_for_them(tmp_path):
    asked = request(tmp_path, dataset="shapes", net="mini")
    runs = plan_runs(asked)
    rows = row_results(runs, [False] * len(runs), [0.0] * len(runs))
    assert "paper" not in to_markdown(asked, rows).lower()
    assert to_json(asked, rows)["rows"]["dsg"]["published"] is None


def test_a_folder_of_any_name_is_drawn(tmp_path):
    asked = request(tmp_path, dataset=str(tmp_path / "a$^$ caf\udce9"), net="mini")
    runs = plan_runs(asked)
    draw_table(asked, row_results(runs, [False] * len(runs), [0.0] * len(runs)), tmp_path / "table.png")
    assert cv2.imread(str(tmp_path / "table.png")).shape[0] > 300


def test_damaged_results_are_named(tmp_path):
    runs = plan_runs(request(tmp_path))
    runs[0].results.parent.mkdir(parents=True)
    runs[0].results.write_text("{}")
    with pytest.raises(UserError, match="results.json: not the results"):
        row_results(runs, [True] + [False] * (len(runs) - 1), [0.0] * len(runs))
