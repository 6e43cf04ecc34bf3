"""What was found in a data set: one `Finding` a case, counted by reason."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from dsg.runtime.files import write_text

UNUSABLE, LEFT_OUT, NOTE = "unusable", "left out", "note"
MEANINGS = {
    UNUSABLE: "unusable: training or testing stops because of these",
    LEFT_OUT: "left out: training and testing continue without these",
    NOTE: "notes: used as they are; check whether they are intended",
}
KEPT = 100_000  # cases of one reason that are kept in full; the rest is counted


@dataclass(frozen=True)
class Finding:
    """One case."""

    level: str
    reason: str
    file: str
    image: str = ""
    record: str = ""  # which relationship of the image
    detail: str = ""

    def place(self) -> str:
        """Where in the file, and what."""
        where = ", ".join(part for part in (self.image, self.record) if part)
        return f"{where}: {self.detail}" if where and self.detail else where or self.detail


class Findings:
    """All cases, by level, reason and file, in the order in which they were found."""

    def __init__(self) -> None:
        self._cases: dict[tuple[str, str, str], list[Finding]] = {}
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def add(
        self, level: str, reason: str, file: str | Path, image: str = "", record: str = "", detail: str = ""
    ) -> None:
        """One more case."""
        key = (level, reason, str(file))
        self._counts[key] += 1
        if self._counts[key] <= KEPT:
            self._cases.setdefault(key, []).append(Finding(level, reason, str(file), image, record, detail))

    def count(self, level: str, reason: str = "") -> int:
        """How many cases of a level, or of one reason of it."""
        return sum(
            number for key, number in self._counts.items() if key[0] == level and reason in ("", key[1])
        )

    @property
    def usable(self) -> bool:
        """Whether nothing stops training and testing."""
        return not self.count(UNUSABLE)

    @property
    def unusable_files(self) -> set[str]:
        """The files in which something stops training or testing."""
        return {key[2] for key in self._counts if key[0] == UNUSABLE}

    def reasons(self, level: str) -> list[str]:
        """The reasons of a level."""
        return list(dict.fromkeys(key[1] for key in self._counts if key[0] == level))

    def lines(self, examples: int = 3) -> list[str]:
        """The cases as text: a line for each reason and file, and one for each of the first cases."""
        result = []
        for level, meaning in MEANINGS.items():
            keys = [key for key in self._counts if key[0] == level]
            if keys:
                result += ["", meaning]
            for key in sorted(keys, key=lambda key: -self._counts[key]):
                number, cases = self._counts[key], self._cases[key]
                result.append(f"  {number:>9,}  {key[1]}  ({key[2]})")
                result += [f"             {case.place()}" for case in cases[:examples] if case.place()]
                if number > examples and cases[0].place():
                    result.append(f"             and {number - examples:,} more")
        return result

    def write(self, path: Path) -> None:
        """Every case as a line of JSON.

        Raises:
            UserError: the file cannot be written.
        """
        write_text(path, "".join(json.dumps(asdict(case)) + "\n" for case in self.cases()))

    def cases(self) -> Iterable[Finding]:
        """All that are kept in full."""
        return (case for cases in self._cases.values() for case in cases)
