"""A new model that starts from a trained one, of whatever vocabulary: what has its name and shape is taken,
rows and columns that stand for words are taken by word, the rest stays as it began.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dsg.checkpoints.tf1 import LoadReport
from dsg.datasets.records import Vocabulary
from dsg.errors import UserError
from dsg.runtime.words import plain

CATEGORIES, PREDICATES, OF_MASKS = "categories", "predicates", "categories with masks"
REST, BACKGROUND = "rest", "background"  # BACKGROUND: of use only with a word beside it


class WordAxis(NamedTuple):
    """An axis of variables along which entries stand for words."""

    names: re.Pattern[str]
    axis: int
    kinds: tuple[str, ...]  # what stands along it in turn
    each: int = 1  # entries for each word


WORD_AXES = (
    WordAxis(re.compile(r"(gt_)?labels/entities/(kernel|bias)"), -1, (CATEGORIES,)),
    WordAxis(re.compile(r"(gt_)?labels/predicates/0/(kernel|bias)"), -1, (PREDICATES,)),
    WordAxis(
        re.compile(r"role_(classifier|baseline)/mlp/0/kernel"), 0, (REST, CATEGORIES, PREDICATES, CATEGORIES)
    ),
    WordAxis(re.compile(r"query_attention/keys/\d+/0/kernel"), 0, (CATEGORIES, PREDICATES, CATEGORIES)),
    WordAxis(re.compile(r"(predictor/classes|mask_head/masks)/(kernel|bias)"), -1, (BACKGROUND, CATEGORIES)),
    WordAxis(re.compile(r"predictor/boxes/(kernel|bias)"), -1, (BACKGROUND, CATEGORIES), each=4),
    WordAxis(re.compile(r"predictor/vg_cls/(kernel|bias)"), -1, (CATEGORIES, BACKGROUND)),
    WordAxis(re.compile(r"predictor/vg_box/(kernel|bias)"), -1, (CATEGORIES,), each=4),
    WordAxis(re.compile(r"predictor/coco_cls/(kernel|bias)"), -1, (OF_MASKS, BACKGROUND)),
    WordAxis(re.compile(r"predictor/coco_box/(kernel|bias)"), -1, (OF_MASKS,), each=4),
    WordAxis(re.compile(r"mask_branch/masks/(kernel|bias)"), -1, (OF_MASKS,)),
)
SHOWN = 5
Sizes = dict[str, int]


@dataclass(frozen=True)
class Words:
    """Which word of the trained model each word of the new one is."""

    taken: dict[str, list[tuple[int, int]]]  # by kind: (number here, number there)
    here: Sizes
    there: Sizes
    new: dict[str, list[str]]  # words that the trained model does not know

    def summary(self) -> str:
        """How many words both have, and the first of the new ones."""
        asked = [kind for kind in (CATEGORIES, PREDICATES, OF_MASKS) if self.here[kind]]
        kinds = ", ".join(f"{len(self.taken[kind])} of {self.here[kind]} {kind}" for kind in asked)
        new = [word for words in self.new.values() for word in words]
        more = f" and {len(new) - SHOWN} more" if len(new) > SHOWN else ""
        return f"taken by word: {kinds}" + (f"; new: {', '.join(new[:SHOWN])}{more}" if new else "")


def words_of(vocabulary: Vocabulary, trained: Vocabulary | None, sizes: Sizes) -> Words:
    """The words of a vocabulary among those of a trained model.

    Args:
        trained: None if the trained model does not name its words: then those of as many are the same.
        sizes: of the trained model's vocabulary.
    """
    here = _by_kind(vocabulary)
    there = _by_kind(trained) if trained else None
    taken: dict[str, list[tuple[int, int]]] = {}
    new: dict[str, list[str]] = {}
    for kind, names in here.items():
        if there is None:
            same = len(names) == sizes.get(kind, 0)
            taken[kind] = [(number, number) for number in range(len(names) if same else 0)]
            new[kind] = [] if same else list(names)
            continue
        numbers = {plain(name): number for number, name in reversed(list(enumerate(there[kind])))}
        taken[kind] = [(n, numbers[plain(name)]) for n, name in enumerate(names) if plain(name) in numbers]
        new[kind] = [name for name in names if plain(name) not in numbers]
    return Words(taken, {kind: len(names) for kind, names in here.items()}, sizes, new)


def _by_kind(vocabulary: Vocabulary) -> dict[str, tuple[str, ...]]:
    names = (vocabulary.objects, vocabulary.predicates, vocabulary.mask_objects)
    return dict(zip((CATEGORIES, PREDICATES, OF_MASKS), names))


def sizes_of(vocabulary: Vocabulary) -> Sizes:
    """How many words there are of each kind."""
    return {kind: len(names) for kind, names in _by_kind(vocabulary).items()}


def start_from(
    model: Any, source: str, trained: Mapping[str, np.ndarray], words: Words, fit: str = "trunk/"
) -> LoadReport:
    """Give a model's variables the values that a trained model has for them.

    Args:
        model: with `named_variables()`.
        source: the trained model's file, for messages and the report.
        trained: its variables by name.
        words: see `words_of`.
        fit: the beginning of the names of which half must fit.

    Raises:
        UserError: the trunk does not fit: another net.
    """
    report = LoadReport(source)
    values: list[tuple[Any, np.ndarray]] = []
    by_word = False
    for name, variable in model.named_variables().items():
        shape = tuple(variable.shape)
        value = trained.get(name)
        fitted = None if value is None else _fitted(name, value, variable, words)
        if fitted is None:
            other = "" if value is None else f" ({list(value.shape)} there, {list(shape)} here)"
            report.missing.append(f"{name}{other}")
            continue
        values.append((variable, fitted))
        report.matched.append(name)
        by_word = by_word or _word_axis(name) is not None
    of_trunk = [name for name in model.named_variables() if name.startswith(fit)]
    if 2 * len(set(of_trunk) & set(report.matched)) < len(of_trunk):
        raise UserError(f"{source}: its {fit.rstrip('/')} does not fit; it is of another network")
    for variable, value in values:  # all or nothing
        variable.assign(value)
    report.unused = sorted(set(trained) - set(report.matched) - {n.partition(" ")[0] for n in report.missing})
    if by_word:
        report.notes.append(words.summary())
    return report


def _word_axis(name: str) -> WordAxis | None:
    return next((row for row in WORD_AXES if row.names.fullmatch(name)), None)


def _fitted(name: str, value: np.ndarray, variable: Any, words: Words) -> np.ndarray | None:
    """What the variable becomes; None if nothing of the value fits."""
    shape, row = tuple(variable.shape), _word_axis(name)
    if row is None:
        return value if value.shape == shape else None
    if value.ndim != len(shape):
        return None
    old, new = np.moveaxis(value, row.axis, 0), np.moveaxis(variable.numpy().copy(), row.axis, 0)
    rest = len(new) // row.each - _count(row, words.here)
    if rest < row.kinds.count(BACKGROUND):  # a class-agnostic detector's
        return value if value.shape == shape else None
    if old.shape[1:] != new.shape[1:] or len(old) != row.each * (rest + _count(row, words.there)):
        return None
    places = _places(row.kinds, words, rest)
    if not places:
        return None
    rows = (
        np.array(places)[:, None] * row.each + np.arange(row.each)[:, None]
    )  # [place, entry, here or there]
    new[rows[..., 0].ravel()] = old[rows[..., 1].ravel()]
    return np.moveaxis(new, 0, row.axis)


def _count(row: WordAxis, sizes: Sizes) -> int:
    """Words along an axis."""
    return sum(sizes.get(kind, 0) for kind in row.kinds)


def _places(kinds: Sequence[str], words: Words, rest: int) -> list[tuple[int, int]]:
    """(row here, row there) of all that is taken along an axis of words."""
    places: list[tuple[int, int]] = []
    here = there = 0
    for kind in kinds:
        taken = words.taken.get(kind, [(row, row) for row in range(rest)])
        if kind == BACKGROUND and not words.taken[CATEGORIES]:
            taken = []
        places += [(here + row, there + other) for row, other in taken]
        here += words.here.get(kind, rest)
        there += words.there.get(kind, rest)
    return places
