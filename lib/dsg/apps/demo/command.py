"""The demonstration: queries about the images of a small data set with known answers (`data/demo`), so that
the IoU stands beside each; answers and decoded scene graphs are drawn.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from dsg.apps.ask.answered import answer_scenes, make_folder, table
from dsg.apps.demo.scenes import bundled_scenes
from dsg.datasets import Vocabulary
from dsg.engine.snapshots import load_meta
from dsg.models.dsg.query_words import parse_query
from dsg.models.dsg.trained import TRACING_PAYS, load_trained
from dsg.models.kinds import check_answers_queries
from dsg.runtime.devices import parse_gpus, select_devices

LOG = logging.getLogger("dsg")


def demo(data: Path, snapshot: Path, output: Path, queries: Sequence[str] = (), devices: str = "") -> None:
    """Answer queries; print a table; write pictures, scene graphs (picture, JSON, DOT) and answers.json.

    Args:
        data: a data set's folder; its test split is asked about.
        snapshot: of a trained model.
        output: where the files go.
        queries: in words, asked about each image; none: a choice of the annotated ones.
        devices: `cpu` or a GPU's number; empty: what TensorFlow takes.

    Raises:
        UserError: something cannot be read or written, a query has unknown words, or `snapshot` was trained
            with another vocabulary than that of `data`.
    """
    started = time.monotonic()
    make_folder(output, "--output")
    parse_gpus(devices or "cpu")
    meta = load_meta(snapshot)
    check_answers_queries(snapshot, meta)
    vocabulary = Vocabulary(tuple(meta.objects), tuple(meta.predicates))
    asked = [parse_query(text, vocabulary.objects, vocabulary.predicates) for text in queries]
    scenes = bundled_scenes(data, vocabulary, asked)
    if devices:
        select_devices(devices)
    traced = len(scenes) >= TRACING_PAYS
    for line in table(answer_scenes(load_trained(snapshot), scenes, output, traced=traced)):
        LOG.info("%s", line)
    LOG.info("answers and scene graphs (pictures, JSON, DOT): %s", output)
    LOG.info("%.0f seconds", time.monotonic() - started)
