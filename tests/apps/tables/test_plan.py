"""Which runs a table consists of, under which names and options."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsg.apps.tables.plan import Request, parse_seeds, plan_runs
from dsg.apps.tables.rows import GRAPH, PUBLISHED, PUBLISHED_ERRORS, TABLES, published
from dsg.config import BASELINES, config_files, load_config
from dsg.config.dsg import VARIANTS
from dsg.errors import UserError
from tests.shared import ROOT

CFGS = ROOT / "experiments" / "cfgs"


def request(**changes) -> Request:
    return Request(
        **{"table": 1, "dataset": "vrd", "net": "res101", "output": Path("/o"), "cfgs": CFGS, **changes}
    )


def test_rows_are_the_papers_and_every_one_can_be_built():
    titles = [[row.title for row in rows] for rows in TABLES.values()]
    assert titles[0] == ["SS", "CO", "VRD", "SSAS", "NO-DSG", "DSG"]
    assert titles[1] == ["TWO STEP", "NO-DSG", "DSG -SGL", "DSG -BR", "DSG"]
    for row in (row for rows in TABLES.values() for row in rows):
        assert row.variant in VARIANTS if row.kind == GRAPH else row.key in BASELINES
    for table in TABLES:
        keys = [row.key for row in TABLES[table]]
        assert len(set(keys)) == len(keys)


def test_published_numbers_belong_to_rows():
    for (table, _), values in PUBLISHED.items():
        assert set(values) == {row.key for row in TABLES[table]}
    assert published(1, "VRD") == PUBLISHED[1, "vrd"] and published(1, "mine") == {}  # a folder's name, too
    assert set(PUBLISHED_ERRORS) == {row.key for row in TABLES[2]}
    assert PUBLISHED[1, "visualgenome"]["dsg"] == (0.489, 0.539) and PUBLISHED[2, "visualgenome"]["dsg"] == (
        0.477,
        0.528,
    )


def test_runs_of_the_first_table():
    runs = plan_runs(request())
    names = [(run.net, run.name) for run in runs]
    assert names[:4] == [(net, "table_res101") for net in ("ss", "co", "vrd", "ssas")]
    assert names[4:] == [("res101", "table_no_dsg"), ("res101", "table_dsg")]
    assert runs[5].results == Path("/o/res101/vrd_train/table_dsg/test/table_dsg_iter_0/results.json")
    assert (
        runs[3].config.train.epochs == 30 and runs[3].config.baseline.features == "resnet50"
    )  # ssas_vrd.yml
    assert runs[2].config.net == "vrd" and runs[2].config.train.optimizer == "rmsprop"  # models/vrd.yml
    assert runs[4].config.box_source == "rpn" and runs[5].config.train.stepsize == (10, 20, 30, 40)


def test_baselines_see_through_a_small_nets_trunk():
    assert {run.config.baseline.features for run in plan_runs(request(net="res18", dataset="clevr"))[:4]} == {
        "res18"
    }


def test_baselines_take_what_concerns_them_of_the_papers_choices_from_the_tables_net():
    """Else table 1 would compare rows of two conventions."""
    for net, chosen in (("res101", ("last_wins", "ensemble")), ("res101_paper", ("both", "loss"))):
        for run in plan_runs(request(net=net))[:4]:
            assert (run.config.test.role_conflict, run.config.baseline.internal) == chosen
    asked = request(net="res101_paper", pairs=("baselines:BASELINE.INTERNAL", "last"))
    assert plan_runs(asked)[3].config.baseline.internal == "last"


def options_beyond(config) -> dict[str, bool]:
    return {
        "matching": config.rr.matching,
        "query": config.rr.query_attention > 0,
        "geometry": config.gpi.geometry > 0,
        "cells": config.refiner_channels > 0,
        "fine": config.refiner_fine > 0,
        "exact": config.exact_boxes,
        "average": config.train.average > 0,
        "sparsemax": config.gpi.attention == "sparsemax",
        "giou": config.loss.box_kind == "giou",
    }


@pytest.mark.parametrize("net", ["res101", "mini", "res18_best"])
def test_options_beyond_the_paper_are_added_one_by_one_and_together(net):
    runs = {run.row.key: run.config for run in plan_runs(request(table=4, net=net, dataset="shapes"))}
    released = options_beyond(runs["released"])
    assert not any(released.values())
    for name in released:
        assert [key for key, on in options_beyond(runs[name]).items() if on] == [name]
    assert [key for key, on in options_beyond(runs["all"]).items() if not on] == ["sparsemax", "giou"]
    assert runs["dsg"].gpi.geometry == load_config(config_files(CFGS, "shapes", net)).gpi.geometry


def test_both_tables_share_runs():
    first, second = ({run.name: run for run in plan_runs(request(table=table))} for table in (1, 2))
    for name in ("table_dsg", "table_no_dsg"):
        assert first[name] == second[name]  # options, folders and all


def test_seeds_repeat_rows_with_another_seed():
    runs = plan_runs(request(table=2, seeds="1,dsg=3,no_dsg=2"))
    assert [run.name for run in runs[5:]] == ["table_no_dsg_seed2", "table_dsg_seed2", "table_dsg_seed3"]
    assert [run.config.rng_seed for run in runs if run.row.key == "dsg"] == [3, 4, 5]
    assert plan_runs(request(seeds="2", pairs=("RNG_SEED", "10")))[-1].config.rng_seed == 11
    assert parse_seeds("2", TABLES[2]) == dict.fromkeys((row.key for row in TABLES[2]), 2)


def test_options_are_for_everyone_a_kind_or_a_row():
    pairs = (
        "TRAIN.EPOCHS",
        "9",
        "baselines:TRAIN.EPOCHS",
        "5",
        "ssas:TRAIN.EPOCHS",
        "4",
        "graph:RR.MATCHING",
        "True",
    )
    epochs = {run.row.key: run.config.train.epochs for run in plan_runs(request(pairs=pairs))}
    assert epochs == {"ss": 5, "co": 5, "vrd": 5, "ssas": 4, "no_dsg": 9, "dsg": 9}
    assert plan_runs(request(pairs=pairs))[5].config.rr.matching
    # what a row of the other table is told does no harm, so that both take the same words
    with pytest.raises(UserError, match="nobody:TRAIN"):
        plan_runs(request(pairs=("nobody:TRAIN.EPOCHS", "1")))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pairs": ("TRAIN.EPOCH", "1")}, "row SS: unknown option TRAIN.EPOCH; did you mean TRAIN.EPOCHS"),
        ({"pairs": ("LOSS.BOX", "0.5")}, "row NO-DSG: LOSS.BOX"),
        ({"pairs": ("TRAIN.EPOCHS",)}, "no value"),
        ({"rows": ("dgs",)}, "no row 'dgs'"),
        ({"seeds": "0"}, "--seeds 0"),
        ({"seeds": "dsq=2"}, "--seeds"),
        ({"seeds": "\N{SUPERSCRIPT TWO}"}, "--seeds"),
        ({"net": "ssas"}, "ssas is a baseline"),
        ({"net": "vrd", "table": 4}, "vrd is a baseline"),
        ({"net": "res34"}, "unknown net 'res34': "),
    ],
)
def test_mistakes(changes, message):
    with pytest.raises(UserError, match=message) as caught:
        plan_runs(request(**changes))
    assert "\n" not in str(caught.value)


def test_places():
    found = request(dataset="/somewhere/Mine", net="res18")
    assert (found.dataset_name, found.folder) == ("Mine", Path("/o/res18/Mine_tables/table"))
    assert request(dataset="visual_genome").dataset_name == "visualgenome"
    validation = plan_runs(request(split="validation"))[0]
    assert validation.results.parent.name == "validation"
