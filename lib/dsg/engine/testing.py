"""Testing a snapshot: a table, a JSON file, a row for every query, and pictures.

What to test, and where its results go, is found out in `snapshot_choice` before TensorFlow is loaded.
"""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np

from dsg.config import Config
from dsg.datasets import Dataset
from dsg.engine.evaluate import ImageAnswer, evaluate
from dsg.engine.files import write_text
from dsg.engine.logs import log_file
from dsg.engine.pictures import answer_page, chosen_images, graph_page, scene_graph
from dsg.engine.setup import restore
from dsg.engine.snapshot_choice import QUERIES, RESULTS, TABLE, fingerprint, is_snapshot
from dsg.engine.snapshots import check_vocabulary, load_snapshot
from dsg.metrics.report import format_table, write_queries
from dsg.metrics.results import EvaluationResults
from dsg.nets import build_model
from dsg.visualize.canvas import save_png

LOG = logging.getLogger("dsg")


def evaluate_snapshot(path: Path, config: Config, data: Dataset, folder: Path) -> EvaluationResults:
    """Test a snapshot on a split; table, results and pictures go to `folder`.

    Args:
        path: a snapshot, or the prefix of a TensorFlow 1 checkpoint.
        config: the configuration of the model and of the test, see `stored_config`.
        data: the split.
        folder: is made where it is absent.

    Raises:
        UserError: the snapshot is damaged, or of another network or vocabulary.
    """
    with log_file(folder / "logs", "test"):
        LOG.info("%s", data.summary())
        load = load_model if is_snapshot(path) else load_released
        model = load(path, config, data)
        LOG.info("testing %s", path)
        results = evaluate_with_pictures(model, data, config, folder)
        table = format_table(results)
        LOG.info("%s\nresults and pictures: %s", table, folder)
        write_queries(results, folder / QUERIES)
        write_text(folder / TABLE, table)
        about = {"snapshot": str(path), "dataset": data.name, "split": data.split}
        about["fingerprint"] = fingerprint(config, data)
        write_text(folder / RESULTS, json.dumps({**about, **results.to_json()}, indent=1))
    return results


def load_model(path: Path, config: Config, dataset: Dataset) -> Any:
    """The model of a snapshot, for a data set of its vocabulary."""
    snapshot, vocabulary = load_snapshot(path), dataset.vocabulary
    check_vocabulary(path, snapshot.meta, vocabulary.objects, vocabulary.predicates)
    model = build_model(config, len(vocabulary.objects), len(vocabulary.predicates))
    restore(snapshot, model)
    return model


def load_released(path: Path, config: Config, dataset: Dataset) -> Any:
    """The model of a TensorFlow 1 checkpoint."""
    from dsg.tf1.checkpoint import load_release_checkpoint

    vocabulary = dataset.vocabulary
    model = build_model(config, len(vocabulary.objects), len(vocabulary.predicates))
    LOG.info("%s", load_release_checkpoint(model, path))
    return model


def evaluate_with_pictures(model: Any, data: Dataset, config: Config, folder: Path) -> EvaluationResults:
    """Scores; on the way, TEST.PICTURES images are drawn into `<folder>/pictures`: answers, scene graph."""
    drawn = chosen_images(len(data), config.test.pictures)
    policy = "always" if config.test.always_include_best else "if_empty"

    def observe(index: int, answer: ImageAnswer, subject: np.ndarray, object_: np.ndarray) -> None:
        if index not in drawn:
            return
        stem = re.sub(r"[^\w.-]", "_", Path(answer.record.name).stem)
        page = answer_page(
            answer, data.vocabulary, config.pixel_means, subject, object_, argmax_policy=policy
        )
        save_png(page, folder / "pictures" / f"{stem}_answers.png")
        graph = scene_graph(answer, data.vocabulary)
        if graph is not None:
            save_png(graph_page(answer, graph, config.pixel_means), folder / "pictures" / f"{stem}_graph.png")
            write_text(folder / "pictures" / f"{stem}_graph.json", json.dumps(graph.to_json(), indent=1))

    return evaluate(model, data, config, label="test", observe=observe)
