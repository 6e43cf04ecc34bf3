"""Word vectors of names: from GloVe's text files, from the release's tensors, or from NumPy arrays."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from dsg.checkpoints.pth import read_tensors
from dsg.errors import UserError
from dsg.runtime.arrays import DAMAGE, read_npy, reason_of

LONGEST_LINE = 100_000  # characters; a line of GloVe's has a few thousand


def read_glove(path: Path, words: Collection[str], dim: int) -> dict[str, np.ndarray]:
    """The vectors float32 [dim] of these words in a text file, a word and its numbers a line; words that it
    does not have are left out.

    Raises:
        UserError: the file is missing or unreadable, or a line has another number of numbers.
    """
    vectors: dict[str, np.ndarray] = {}
    try:
        with path.open("r", encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), ""), 1):
                word, *numbers = line.rstrip().rsplit(" ", dim)
                if number == 1 or word in words:
                    vector = _numbers(numbers, dim, path, number)
                    if word in words and word not in vectors:
                        vectors[word] = vector
    except OSError as error:
        raise UserError(f"{path}: cannot read the word vectors ({error.strerror})") from None
    return vectors


def name_vectors(
    names: Sequence[str], vectors: dict[str, np.ndarray], dim: int, rng: np.random.Generator
) -> np.ndarray:
    """A vector for each name: float32 [N, dim].

    A name that has none takes that of its longest word, of equally long ones the first; an unknown one is
    drawn from a normal distribution.
    """
    rows = []
    for name in names:
        found = vectors.get(name)
        if found is None:
            found = vectors.get(max(name.split(" "), key=len))
        rows.append(rng.standard_normal(dim) if found is None else found)
    return np.array(rows, np.float32)


def mean_vectors(names: Sequence[str], vectors: dict[str, np.ndarray], dim: int) -> np.ndarray:
    """The mean over the words of each name that are known: float32 [N, dim]; zeros where none is."""
    means = []
    for name in names:
        known = [vectors[word] for word in name.split(" ") if word in vectors]
        means.append(np.mean(known, 0) if known else np.zeros(dim))
    return np.array(means, np.float32)


def words_of(names: Sequence[str]) -> set[str]:
    """Every name, and every word of one."""
    return set(names) | {word for name in names for word in name.split(" ")}


def read_name_vectors(path: Path, count: int) -> np.ndarray:
    """The rows of `count` names in order: float32 [count, D], from a `.npy` file or from the release's
    tensors (`glove_mean_vg`, a zip archive with one entry `embeddings`).

    Raises:
        UserError: the file is missing, damaged, hostile, or has another number of rows.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file of word vectors")
    if path.suffix == ".npy":
        try:
            values = read_npy(path)
        except DAMAGE as error:
            raise UserError(f"{path}: not a readable array ({reason_of(error)})") from None
    else:
        tensors = read_tensors(path)
        if list(tensors) != ["embeddings"]:
            raise UserError(
                f"{path}: holds {', '.join(tensors) or 'nothing'}; one tensor `embeddings` is needed"
            )
        values = tensors["embeddings"]
    if values.ndim != 2 or len(values) != count or values.dtype.kind != "f":
        raise UserError(
            f"{path}: is {values.dtype} {list(values.shape)}; a row of floating-point numbers for each of "
            f"{count} names is needed"
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold is found below
        vectors = values.astype(np.float32)
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(1))[0])
        raise UserError(
            f"{path}: row {row} has a value that is no number; the file is damaged, fetch it again"
        )
    return vectors


def _numbers(numbers: list[str], dim: int, path: Path, line: int) -> np.ndarray:
    try:
        vector = np.array([float(number) for number in numbers], np.float32)
    except ValueError:
        vector = np.zeros(0, np.float32)
    if len(vector) != dim or not np.isfinite(vector).all():
        raise UserError(
            f"{path}: line {line} is not a word and {dim} numbers; is it a file of another width?"
        )
    return vector
