"""What a graph knows before it learns: word vectors that do not fit are one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dsg.datasets.scene_graph_layout import find_graphs
from dsg.errors import UserError
from dsg.models.grounding.initial import start_graph, transfer_vectors
from dsg.models.grounding.mask_transfer import transfer_matrix
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


def test_word_vectors_are_means_of_the_words_of_the_file_that_was_fetched(tmp_path: Path) -> None:
    source = find_graphs(write_graphs(tmp_path / "vg150"), tmp_path)
    with pytest.raises(UserError, match="no glove_mean_vg; the release has it, or `.*fetch.* glove.*` what"):
        transfer_vectors(source, OBJECTS, MASKED)
    (tmp_path / "glove").mkdir()
    rows = np.random.default_rng(0).normal(0, 0.1, (3, 300)).round(3)
    lines = [" ".join([word, *map(str, row)]) for word, row in zip(("traffic", "light", "dog"), rows)]
    (tmp_path / "glove" / "glove.840B.300d.txt").write_text("\n".join(lines))
    names, masks = ["dog", "light traffic", "xylophone"], [f"mask {number}" for number in range(29)] + ["dog"]
    vectors, mask_vectors = transfer_vectors(source, names, masks)
    np.testing.assert_allclose(vectors, [rows[2], (rows[0] + rows[1]) / 2, np.zeros(300)], rtol=1e-5)
    assert np.array_equal(mask_vectors[-1], vectors[0]) and not mask_vectors[:-1].any()
    matrix = transfer_matrix(names, masks, vectors, mask_vectors)
    np.testing.assert_allclose(matrix.sum(0), 1, rtol=1e-5)  # though nothing is like a xylophone
    assert source.glove(200) is None and source.glove(300) is not None
    (source.folder / "embeddings").mkdir()
    own = source.folder / "embeddings" / "glove.own.300d.txt"
    own.write_text(lines[0])
    assert source.glove(300) == own
