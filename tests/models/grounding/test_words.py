"""Word vectors, and files that are wrong. The release's choice is in tests/parity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dsg.errors import UserError
from dsg.models.grounding.words import mean_vectors, name_vectors, read_glove, read_name_vectors, words_of
from tests.shared import needs_shared, shared_path


def test_words_with_spaces_and_repeated_words(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    path.write_text("a b 1 2\nc 3 4\nc 5 6\n", encoding="utf-8")
    vectors = read_glove(path, {"a b", "c", "d"}, 2)
    assert {word: row.tolist() for word, row in vectors.items()} == {"a b": [1, 2], "c": [3, 4]}
    assert mean_vectors(["c d", "d", "c"], vectors, 2).tolist() == [[3, 4], [0, 0], [3, 4]]


def test_a_name_takes_the_vector_of_its_longest_word_or_a_random_one() -> None:
    vectors = {"traffic": np.ones(2), "light": np.zeros(2)}
    names = ["light", "traffic light", "zebra"]
    assert words_of(names) == {"light", "traffic light", "traffic", "zebra"}
    rows = name_vectors(names, vectors, 2, np.random.default_rng(0))
    assert rows[:2].tolist() == [[0, 0], [1, 1]] and (np.abs(rows[2]) > 0).all()


@needs_shared("data", "glove")
def test_rows_in_the_order_of_the_names() -> None:
    path = shared_path("data", "glove", "glove_mean_coco.npy")
    assert read_name_vectors(path, 80).shape == (80, 300)
    with pytest.raises(UserError, match=r"is float32 \[80, 300\]; .* each of 150 names"):
        read_name_vectors(path, 150)


def test_files_that_are_wrong_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    path.write_text("a 1 2 3\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 1 is not a word and 4 numbers"):
        read_glove(path, {"a"}, 4)
    path.write_text("a 1 2\nb 1 nan\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 2 is not a word and 2 numbers"):
        read_glove(path, {"b"}, 2)
    with pytest.raises(UserError, match="cannot read the word vectors"):
        read_glove(tmp_path / "none.txt", {"a"}, 2)
    with pytest.raises(UserError, match="no such file of word vectors"):
        read_name_vectors(tmp_path / "none.npy", 2)
    path = tmp_path / "bad.npy"
    path.write_bytes(b"\x93NUMPY damaged")
    with pytest.raises(UserError, match="not a readable array"):
        read_name_vectors(path, 2)
    np.save(path, np.array([[1, 2], [3, np.nan]], np.float32))
    with pytest.raises(UserError, match="row 1 has a value that is no number"):
        read_name_vectors(path, 2)
