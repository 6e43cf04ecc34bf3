"""The runs of the tables of grounded scene graphs: which detector each needs, and what the tables share."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsg.apps.script_words import Place, commands_of
from dsg.apps.tables.grounding_plan import plan_graphs
from dsg.apps.tables.grounding_rows import (
    ALL_ROWS,
    NO_REFINE,
    PUBLISHED_MASKS,
    PUBLISHED_MEAN_RECALL,
    PUBLISHED_STEPS,
    PUBLISHED_ZERO_SHOT,
    TABLES,
    VGG,
    X101,
)
from dsg.apps.tables.plan import Request, plan_runs
from dsg.config.grounding import SETTINGS
from dsg.errors import UserError
from tests.shared import ROOT


def request(**changes) -> Request:
    values = {"table": 1, "dataset": "shapes150", "net": "grounding_mini", "output": Path("/o"), **changes}
    return Request(cfgs=ROOT / "experiments" / "cfgs", **values)


def options(run) -> tuple:
    own = run.config.grounding
    return own.context, own.setting, own.joint, own.node_masks, own.edge_mask, own.refine


def test_the_rows_of_the_paper() -> None:
    sizes = {table: len(rows) for table, rows in TABLES.items()}
    assert sizes == {1: 18, 2: 6, 3: 12, 4: 7}
    rows = {run.row.key: options(run) for run in plan_graphs(request())}
    assert rows["motif_bl_sgcls"] == ("motif", "sgcls", False, False, "none", False)
    assert rows["vctree_sg_sgdet"] == ("vctree", "sgdet", True, True, "gaussian", True)
    assert rows["imp_predcls"][:3] == ("imp", "predcls", False) and rows["dsg_predcls"][2:] == (
        *(True, True, "gaussian", True),
    )
    steps = [options(run)[2:] for run in plan_graphs(request(table=4)) if run.row.kind == "sgcls"]
    assert steps == [
        (False, False, "none", False),  # Base
        (True, False, "none", False),  # Joint
        (True, True, "none", False),  # + OG
        (True, True, "average", False),
        (True, True, "union", False),
        (True, True, "gaussian", False),
        (True, True, "gaussian", True),  # SG of table 1
        (True, True, "gaussian", True),  # the same, tested with refined masks
    ]


def test_published_numbers_belong_to_rows() -> None:
    known = {row.key for rows in TABLES.values() for row in rows}
    first = {row.key for row in TABLES[1]} - {f"dsg_{setting}" for setting in SETTINGS}  # ours
    assert set(PUBLISHED_MEAN_RECALL[VGG]) == first
    assert set(PUBLISHED_MEAN_RECALL[X101]) == first - {f"imp_{setting}" for setting in SETTINGS}
    masks = {row.key for row in TABLES[2]} | {f"{NO_REFINE}_{setting}" for setting in SETTINGS}
    for backbone in (VGG, X101):
        assert set(PUBLISHED_ZERO_SHOT[backbone]) == {row.key for row in TABLES[3]}
        assert set(PUBLISHED_MASKS[backbone]) == masks
    assert set(PUBLISHED_STEPS) == {row.key for row in TABLES[4]} <= known
    assert PUBLISHED_MEAN_RECALL[X101]["vctree_sg_predcls"] == (15.0, 19.2, 21.1)
    assert PUBLISHED_ZERO_SHOT[VGG]["motif_bl_predcls"] == (1.7, 6.7)
    assert PUBLISHED_MASKS[X101]["motif_sg_sgcls"] == (54.6, 78.2, 61.1, 41.1, 56.8, 64.1)


def test_a_detector_is_trained_once_and_before_what_needs_it() -> None:
    runs = plan_graphs(request(table=3, seeds="1,motif_bl_predcls=2"))
    names = [run.name for run in runs]
    assert names[0] == "table_plain" and names.count("table_plain") == names.count("table_joint") == 1
    assert len(runs) == 2 + 12 + 1
    for place, run in enumerate(runs):
        if run.row.kind == "detectors":
            assert run.net == "grounding_mini_detector" and run.config.grounding.stage == "detector"
            assert run.config.train.ims_per_batch == (2 if run.row.key == "joint" else 4)  # 2 + 2 images
            assert run.needs is None and run.config.grounding.joint == (run.row.key == "joint")
            continue
        assert run.needs in runs[:place] and run.config.grounding.stage == "graph"
        assert run.needs.row.key == ("joint" if run.config.grounding.joint else "plain")
        assert run.config.weights == str(run.needs.snapshot)
    second = next(run for run in runs if run.name == "table_motif_bl_predcls_seed2")
    assert second.config.rng_seed == runs[1].config.rng_seed + 1


def test_tables_share_runs() -> None:
    by_table = {table: {run.name: run for run in plan_graphs(request(table=table))} for table in TABLES}
    for other, shared in ((2, 7), (3, 14), (4, 4)):
        common = set(by_table[1]) & set(by_table[other])
        assert len(common) == shared
        assert all(by_table[1][name] == by_table[other][name] for name in common)


def test_the_final_row_tests_the_snapshot_of_another() -> None:
    runs = plan_graphs(request(table=4, rows=("vctree_final",)))
    assert [run.name for run in runs] == ["table_joint", "table_vctree_sg_sgcls", "table_vctree_final_sgcls"]
    base, final = runs[1:]
    assert final.only_tests and final.needs is base and final.epochs == 0 and not final.config.weights
    assert final.config.grounding.refine_at_inference and not base.config.grounding.refine_at_inference
    assert final.results.parent.name == "table_vctree_final_sgcls_iter_0"


def test_options_and_rows_are_named_by_model_setting_or_both() -> None:
    pairs = ("TRAIN.EPOCHS", "9", "graphs:TRAIN.EPOCHS", "5", "motif_sg:TRAIN.EPOCHS", "4")
    pairs += ("sgdet:TRAIN.EPOCHS", "3", "dsg_sgdet:TRAIN.EPOCHS", "2", "plain:TRAIN.EPOCHS", "7")
    epochs = {run.row.key: run.config.train.epochs for run in plan_graphs(request(pairs=pairs))}
    assert (epochs["joint"], epochs["plain"]) == (9, 7)
    assert (epochs["imp_predcls"], epochs["motif_sg_predcls"]) == (5, 4)
    assert (epochs["motif_sg_sgdet"], epochs["dsg_sgdet"]) == (3, 2)
    some = plan_graphs(request(rows=("motif_sg", "sgdet"), seeds="1,motif_sg=2"))
    assert sum(run.row.kind == "sgdet" for run in some) == 7
    assert sum(run.row.groups[-1:] == ("motif_sg",) for run in some) == 6


def test_a_snapshot_that_is_given_takes_the_detectors_place() -> None:
    runs = plan_graphs(request(rows=("motif_bl_predcls",), pairs=("graphs:WEIGHTS", "mine.npz")))
    assert [(run.name, run.config.weights) for run in runs] == [("table_motif_bl_predcls", "mine.npz")]
    assert runs[0].needs is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": ("motif",)}, "table 1 has no row 'motif'"),
        ({"table": 4, "rows": ("imp",)}, "table 4 has no row 'imp'"),
        ({"pairs": ("motif:TRAIN.EPOCHS", "1")}, "motif:TRAIN.EPOCHS: options apply to"),
        (
            {"pairs": ("imp:GROUNDING.REFINE", "True")},
            "row IMP, PredCls: GROUNDING.REFINE needs .* imp_predcls:KEY VALUE or graphs:KEY VALUE",
        ),
        ({"net": "grounding_res34"}, "unknown net"),
    ],
)
def test_mistakes(changes, message) -> None:
    with pytest.raises(UserError, match=message):
        plan_graphs(request(**changes))


def test_a_net_says_whose_tables_are_meant() -> None:
    assert request().grounded and not request(net="mini", dataset="shapes").grounded
    with pytest.raises(UserError, match="table 3 of costs is made by `dsg cost"):
        plan_runs(request(table=3, net="mini", dataset="shapes"))
    assert len(ALL_ROWS) == 12 * 3


def test_the_words_of_the_script() -> None:
    place = Place(Path("/"), Path("/clone"))
    words = ["cpu", "shapes150", "mini", "3", "--seeds", "3", "graphs:TRAIN.EPOCHS", "2", "--report"]
    (command,) = commands_of("table_sg", words, place)
    assert command[:5] == ["table", "--table", "3", "--dataset", "shapes150"]
    assert command[5:7] == ["--net", "grounding_mini"] and "--report" in command
    assert command[-3:] == ["--set", "graphs:TRAIN.EPOCHS", "2"]
    for wrong in (["cpu", "shapes150", "mini"], ["cpu", "shapes150", "mini", "5"]):
        with pytest.raises(UserError, match="behind the net comes the number of one of the paper's tables"):
            commands_of("table_sg", wrong, place)
