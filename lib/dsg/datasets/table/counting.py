"""How many queries and draws each image has, counted for all images at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

LARGEST = (1 << 63) - 1  # of a code
PIECE = 1 << 20  # relations that are counted at a time


def rows_of(start: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Positions of `count[i]` rows from `start[i]` on, for every i in turn: int64 [sum of count]."""
    count = count.astype(np.int64)
    first = np.cumsum(count) - count
    return np.arange(int(count.sum())) + np.repeat(start - first, count)


def count_queries(
    triples: np.ndarray, rows: np.ndarray, categories: np.ndarray, entity_start: np.ndarray
) -> np.ndarray:
    """Different (category, predicate, category) of each row's relations: int32 [rows, 2], without those of an
    entity to itself and with them.

    Args:
        triples: [T, 3] subject, predicate, object; entities by position in their row.
        rows: [T], which row each belongs to; it rises.
        categories: of the entities of all rows.
        entity_start: [rows], where those of each row begin.
    """
    result = np.zeros((len(entity_start), 2), np.int32)
    known = int(categories.max(initial=0)) + 1
    limits = known, int(triples[:, 1].max(initial=0)) + 1, known
    for piece in _pieces(rows, limits):
        first = entity_start[rows[piece]]
        subject, predicate, obj = triples[piece].T.astype(np.int64)
        base = int(rows[piece.start])
        code = _codes(
            rows[piece] - base, (categories[first + subject], predicate, categories[first + obj]), limits
        )
        _count(code[subject != obj], limits, result[base:, 0])
        _count(code, limits, result[base:, 1])
    return result


def count_draws(triples: np.ndarray, rows: np.ndarray, number: int) -> np.ndarray:
    """Pairs of entities with several predicates in each of `number` rows, int32; arguments as of
    `count_queries`, no relation twice."""
    result = np.zeros(number, np.int32)
    limits = int(triples[:, 0].max(initial=0)) + 1, int(triples[:, 2].max(initial=0)) + 1
    for piece in _pieces(rows, limits):
        base = int(rows[piece.start])
        code = _codes(rows[piece] - base, (triples[piece, 0], triples[piece, 2]), limits)
        _count(code, limits, result[base:], several=True)
    return result


def _codes(rows: np.ndarray, columns: Sequence[np.ndarray], limits: Sequence[int]) -> np.ndarray:
    """One number for each row of columns, the same for the same; `limits` are above their values."""
    code = rows.astype(np.int64)
    for column, limit in zip(columns, limits):
        code = code * limit + column
    return code


def _count(code: np.ndarray, limits: Sequence[int], result: np.ndarray, several: bool = False) -> None:
    """Adds to each row of `result` how many different codes it has, or how many that come several times."""
    code = np.sort(code)
    begins = np.flatnonzero(np.concatenate([np.ones(min(len(code), 1), bool), code[1:] != code[:-1]]))
    row = code[begins] // math.prod(limits)
    if several:
        row = row[np.diff(np.append(begins, len(code))) > 1]
    found = np.bincount(row)
    result[: len(found)] += found.astype(np.int32)


def _pieces(rows: np.ndarray, limits: Sequence[int]) -> Iterator[slice]:
    """Slices of about `PIECE` relations, each with all those of its rows, which are so few that `_codes` of
    them stay exact."""
    span = max(1, LARGEST // math.prod(limits))
    start = 0
    while start < len(rows):
        last = min(int(rows[min(start + PIECE, len(rows)) - 1]), int(rows[start]) + span - 1)
        end = int(np.searchsorted(rows, last, side="right"))
        yield slice(start, end)
        start = end
