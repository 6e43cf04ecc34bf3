"""Results lie beside the run that they are of, and are shown again only of the very file that was tested."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dsg.apps.snapshot_choice import earlier_table, fingerprint, result_folder
from dsg.config import load_config
from tests.small_dataset import make_dataset, make_record


@pytest.fixture
def data(tmp_path):
    return replace(make_dataset(tmp_path, [make_record(tmp_path, 1, (48, 64))]), split="test")


@pytest.fixture
def files(tmp_path, data):
    """A run's best snapshot, and another file of its name from elsewhere."""
    own = tmp_path / f"output/mini/{data.name}_train/try/try_iter_0.npz"
    other = tmp_path / "backup/try_iter_0.npz"
    for path in (own, other):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    return own, other


def test_a_file_of_the_same_name_has_results_of_its_own(files, data, tmp_path):
    own, other = files
    folders = [result_folder(path, tmp_path / "output", "mini", data) for path in files]
    assert folders[0] == own.parent / "test/try_iter_0"
    assert folders[1] == own.parent / "test/try_iter_0_of_backup"
    own.unlink()
    assert result_folder(other, tmp_path / "output", "mini", data) == folders[0]


def test_a_table_is_that_of_its_snapshot(files, data, tmp_path):
    config = load_config()
    (tmp_path / "table.txt").write_text("a table")
    results = {"snapshot": str(files[0]), "fingerprint": fingerprint(config, data)}
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert earlier_table(tmp_path, files[0], config, data) == "a table"
    earlier = json.loads(results["fingerprint"])  # of a version that called them NET
    assert (earlier["config"].pop("MODEL"), earlier["config"].pop("BACKBONE")) == ("dsg", "res101")
    for net, table in (("res101", "a table"), ("res50", None), ("ss", None), ("vgg16", None)):
        earlier["config"]["NET"] = net
        (tmp_path / "results.json").write_text(json.dumps({**results, "fingerprint": json.dumps(earlier)}))
        assert earlier_table(tmp_path, files[0], config, data) == table
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert earlier_table(tmp_path, files[1], config, data) is None
    assert earlier_table(tmp_path, files[0], load_config(overrides=["RNG_SEED", "9"]), data) is None
    for damaged in ("[]", "{}", '{"snapshot": 1}'):
        (tmp_path / "results.json").write_text(damaged)
        assert earlier_table(tmp_path, files[0], config, data) is None
