"""Which names a converted data set keeps: all, the most frequent, or a given list; other spellings of a name
become that name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dsg.errors import UserError
from dsg.runtime.paths import expanded
from dsg.runtime.text import parse_json, read_text

ALL = "all"


@dataclass(frozen=True)
class Choice:
    """What was asked for: everything, the `most` frequent names, or `names` in their order."""

    most: int | None = None
    names: tuple[str, ...] | None = None

    def vocabulary(self, counts: Mapping[str, int], what: str) -> list[str]:
        """The names in the order of their indices: as listed, else by falling frequency.

        Args:
            counts: how often each name occurs; names of the list may be missing.
            what: categories or predicates, for messages.

        Raises:
            UserError: nothing of the list occurs, or there is nothing at all.
        """
        if self.names is not None:
            if not any(counts.get(name) for name in self.names):
                seen = ", ".join(sorted(counts, key=lambda name: -counts[name])[:5]) or "none"
                raise UserError(
                    f"none of the listed {what} occurs in the annotations; frequent ones are {seen}"
                )
            return list(self.names)
        order = sorted(counts, key=lambda name: (-counts[name], name))
        if not order:
            raise UserError(f"no {what} in the annotations; do the files belong together?")
        return order[: self.most]


def read_choice(text: str, what: str) -> Choice:
    """The choice that an option names: `all`, a number, or a file (a JSON list, or a name a line).

    Raises:
        UserError: it is none of these, or the list is empty or repeats a name.
    """
    if text == ALL:
        return Choice()
    if text.isdigit():
        if int(text) == 0:
            raise UserError(f"--{what} 0: at least one")
        return Choice(most=int(text))
    path = expanded(text)
    names = [plain(name) for name in _read_names(path, what)]
    if not names:
        raise UserError(f"{path}: an empty list of {what}")
    repeated = [name for name, number in Counter(names).items() if number > 1]
    if repeated:
        raise UserError(f"{path}: {repeated[0]!r} is listed twice")
    return Choice(names=tuple(names))


def read_aliases(path: Path) -> dict[str, str]:
    """Other spellings and the names they stand for, from a file like Visual Genome's `object_alias.txt`: on
    each line names with commas between them, the first stands for all of the line.

    Where a name is on several lines, the first line counts.

    Raises:
        UserError: the file cannot be read.
    """
    result: dict[str, str] = {}
    for line in read_text(path, "no such file of aliases").splitlines():
        names = [plain(name) for name in line.split(",") if plain(name)]
        for name in names:
            result.setdefault(name, names[0])
    return result


def plain(name: str) -> str:
    """A name in lower case with single blanks and without a full stop at its end.

    Example:
        >>> plain(" Parked  ON. ")
        'parked on'
    """
    return " ".join(name.lower().split()).rstrip(".").rstrip()


def _read_names(path: Path, what: str) -> Sequence[str]:
    text = read_text(path, f"no such file of {what}; give `all`, a number, or a file")
    if not text.lstrip().startswith("["):
        return [line for line in text.splitlines() if line.strip()]
    names = parse_json(text, path)
    if not all(isinstance(name, str) for name in names):
        raise UserError(f'{path}: not a JSON list of names such as ["person", "bus"]')
    return list(names)
