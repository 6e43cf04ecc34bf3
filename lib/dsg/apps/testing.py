"""Testing a snapshot: a table, a JSON file, pictures, and what else its system writes.

What to test, and where its results go, is found out in `snapshot_choice` before TensorFlow is loaded.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

from dsg.apps.report.contents import run_of_test
from dsg.apps.report.write import report_finished
from dsg.apps.snapshot_choice import RESULTS, TABLE, fingerprint, is_snapshot
from dsg.config import Config
from dsg.datasets import Dataset
from dsg.engine.snapshots import check_vocabulary, load_snapshot, restore
from dsg.engine.task import M, Results, Task
from dsg.models.registry import task_of
from dsg.nets.initial import unfilled
from dsg.runtime.devices import warn_of_slow_precision
from dsg.runtime.files import write_text
from dsg.runtime.logs import log_file

LOG = logging.getLogger("dsg")
# What tasks write into that folder.
PICTURES = ("_answers.png", "_graph.png", "_graph.json", "_maps.png", "_detections.png")


def evaluate_snapshot(path: Path, config: Config, data: Dataset, folder: Path) -> Results:
    """Test a snapshot on a split; table, results and pictures go to `folder`.

    Args:
        path: a snapshot, or the prefix of a TensorFlow 1 checkpoint.
        config: the configuration of the model and of the test, see `stored_config`.
        data: the split.
        folder: is made if it is absent.

    Raises:
        UserError: the snapshot is damaged, or of another network or vocabulary.
    """
    with log_file(folder / "logs", "test"):
        LOG.info("%s", data.summary())
        warn_of_slow_precision("TEST.PRECISION", config.test.precision)
        task = task_of(config)
        model = load_any(path, task, data)
        LOG.info("testing %s", path)
        # What an interrupted test leaves is not to be taken for the results of the one before.
        (folder / RESULTS).unlink(missing_ok=True)
        _clear_pictures(folder / "pictures")
        results: Results = task.test(model, data, folder)
        table = task.table(results)
        LOG.info("%s\nresults and pictures: %s", table, folder)
        task.write(results, folder)
        write_text(folder / TABLE, table)
        about = {"snapshot": str(path), "dataset": data.name, "split": data.split}
        about["fingerprint"] = fingerprint(config, data)
        write_text(folder / RESULTS, json.dumps({**about, **results.to_json()}, indent=1))
        run = run_of_test(folder)
        if run is not None:
            report_finished(run)
    return results


def _clear_pictures(folder: Path) -> None:
    """Those of an earlier test, which may be of other images and would be shown beside the new ones."""
    for ending in PICTURES:
        for path in folder.glob(f"*{ending}"):
            path.unlink(missing_ok=True)


def load_any(path: Path, task: Task[M, Any], dataset: Dataset) -> M:
    """The model of a snapshot or of a TensorFlow 1 checkpoint."""
    return (load_model if is_snapshot(path) else load_released)(path, task, dataset)


def load_model(path: Path, task: Task[M, Any], dataset: Dataset) -> M:
    """The model of a snapshot, for a data set of its vocabulary."""
    snapshot, vocabulary = load_snapshot(path), dataset.vocabulary
    check_vocabulary(path, snapshot.meta, vocabulary.objects, vocabulary.predicates)
    # What has masks was settled in training; to be tested, their data need not be there.
    vocabulary = dataclasses.replace(vocabulary, mask_objects=tuple(snapshot.meta.mask_objects))
    with unfilled():
        model = task.build_model(vocabulary)
    restore(snapshot, model)
    return model


def load_released(path: Path, task: Task[M, Any], dataset: Dataset) -> M:
    """The model of a TensorFlow 1 checkpoint."""
    from dsg.checkpoints.tf1 import load_release_checkpoint

    model = task.build_model(dataset.vocabulary)
    LOG.info("%s", load_release_checkpoint(model, path))
    return model
