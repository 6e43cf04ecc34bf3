"""Which names a converted data set keeps: all, the most frequent, or a given list; other spellings of a name
become that name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dsg.apps.convert.listed import unmatched, unmatched_text
from dsg.errors import UserError
from dsg.runtime.paths import expanded
from dsg.runtime.text import parse_json, read_text

ALL = "all"


@dataclass(frozen=True)
class Choice:
    """What was asked for: everything, the `most` frequent names, or `names` in their order."""

    most: int | None = None
    names: tuple[str, ...] | None = None
    path: Path | None = None  # where the names were listed

    def vocabulary(self, counts: Mapping[str, int], what: str, notes: list[str] | None = None) -> list[str]:
        """The names in the order of their indices: as listed, else by falling frequency.

        Args:
            counts: how often each name occurs; names of the list may be missing.
            what: categories or predicates, for messages.
            notes: where it is said that names of the list do not occur; None: that is an error.

        Raises:
            UserError: names of the list do not occur, or there is nothing at all.
        """
        if self.names is not None:
            if not any(counts.get(name) for name in self.names):
                seen = ", ".join(sorted(counts, key=lambda name: -counts[name])[:5]) or "none"
                raise UserError(
                    f"none of the listed {what} occurs in the annotations; frequent ones are {seen}"
                )
            missing = unmatched(self.names, counts)
            if missing:
                text = f"{self.path or 'list'}: {unmatched_text(missing, len(self.names), counts, what)}"
                if notes is None:
                    raise UserError(f"{text}; correct the list, or give --allow-unknown")
                notes.append(text)
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
            raise UserError(f"--{what} must be at least 1, not 0")
        return Choice(most=int(text))
    path = expanded(text)
    names = [plain(name) for name in _read_names(path, what)]
    if not names:
        raise UserError(f"{path}: an empty list of {what}")
    repeated = [name for name, number in Counter(names).items() if number > 1]
    if repeated:
        raise UserError(f"{path}: {repeated[0]!r} is listed twice")
    return Choice(names=tuple(names), path=path)


class Aliases(dict[str, str]):
    """Other spellings and the names they stand for, with the account of those that occur."""

    path: Path | None = None
    lines: Sequence[Sequence[str]] = ()

    def __init__(self, *given: Mapping[str, str]) -> None:
        super().__init__(*given)
        self._met: set[str] = set()

    @staticmethod
    def made(given: Mapping[str, str] | None) -> Aliases:
        """Those that were given."""
        return given if isinstance(given, Aliases) else Aliases(given or {})

    def of(self, name: str) -> str:
        """The name that a spelling, made plain, stands for: itself where it is not listed."""
        if name in self:
            self._met.add(name)
        return self.get(name, name)

    def notes(self) -> list[str]:
        """What is to be said of the list once all names have passed."""
        notes = []
        unmet = [line for line in self.lines if self._met.isdisjoint(line)]
        if unmet:
            number = f"{len(unmet):,} of {len(self.lines):,} lines"
            notes.append(
                f"{self.path}: {number} contain no name that occurs (the first: {', '.join(unmet[0][:3])})"
            )
        again = sorted({name for line in self.lines for name in line if self[name] != line[0]})
        if again:
            more = f" ({len(again):,} such names)" if len(again) > 1 else ""
            notes.append(
                f"{self.path}: {again[0]!r} is on several lines; the first counts: it becomes "
                f"{self[again[0]]!r}{more}"
            )
        return notes


def read_aliases(path: Path) -> Aliases:
    """Other spellings and the names they stand for, from a file like Visual Genome's `object_alias.txt`: on
    each line names with commas between them, the first stands for all of the line.

    Where a name is on several lines, the first line counts.

    Raises:
        UserError: the file cannot be read.
    """
    result, lines = Aliases(), []
    for line in read_text(path, "no such file of aliases").splitlines():
        names = [plain(name) for name in line.split(",") if plain(name)]
        if names:
            lines.append(names)
        for name in names:
            result.setdefault(name, names[0])
    result.path, result.lines = path, lines
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
