"""What a graph knows before it learns: word vectors that do not fit are one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dsg.errors import UserError
from dsg.models.grounding.initial import start_graph
from tests.datasets.test_scene_graphs import write_graphs
from tests.pipeline.small_graphs import MASKED, OBJECTS, graph_config, small_graphs


@pytest.mark.parametrize(
    ("rows", "width", "message"),
    [
        (
            len(MASKED),
            4,
            "glove_mean_coco.npy: 4 numbers a name, glove_mean_vg.npy has 5; both must be of the",
        ),
        (len(MASKED) + 1, 5, "is float32 .3, 5.; a row of floating-point numbers for each of 2 names"),
    ],
)
def test_word_vectors_of_another_kind(tmp_path: Path, rows: int, width: int, message: str) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
    write_graphs(tmp_path)
    (tmp_path / "embeddings").mkdir()
    for name, shape in (("vg", (len(OBJECTS), 5)), ("coco", (rows, width))):
        np.save(tmp_path / "embeddings" / f"glove_mean_{name}.npy", np.ones(shape, np.float32))
    with pytest.raises(UserError, match=message):
        start_graph(None, small_graphs(tmp_path), graph_config(stage="graph"))  # type: ignore[arg-type]
