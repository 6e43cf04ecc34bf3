"""What a check found, as text and as files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dsg.apps.checks.findings import Findings
from dsg.datasets import Vocabulary
from dsg.errors import UserError
from dsg.runtime.files import write_text


class SplitStatistics(Protocol):
    """The numbers of a split."""

    def summary(self) -> dict[str, Any]:
        """The numbers by name, for a table and for JSON."""

    def to_json(self, vocabulary: Vocabulary) -> dict[str, Any]:
        """Also those of each name."""


Plot = Callable[[Any, Vocabulary, Path], None]
"""Draws the statistics of all splits into a PNG file."""


@dataclass(frozen=True, eq=False)
class Check:
    """What came out."""

    name: str
    folder: Path
    findings: Findings
    statistics: Mapping[str, SplitStatistics]  # by split, of what could be read
    vocabulary: Vocabulary  # numbers where the names cannot be read
    images: dict[str, tuple[int, int]]  # by split: how many were read, how many are bad
    plot: Plot
    partly: tuple[str, ...] = ()  # splits that cannot be loaded, of which the rest was looked at
    anchors: tuple[str, ...] = ()  # what those of a net reach, in words

    @property
    def usable(self) -> bool:
        """Whether training and testing would run."""
        return self.findings.usable

    def lines(self) -> list[str]:
        """The report as text."""
        result = [f"{self.name} ({self.folder})", *self._table()]
        if self.partly:
            result.append(f"only what can be read of {', '.join(self.partly)}")
        for split, (read, bad) in self.images.items():
            result.append(f"{split} images read: {read:,}, unusable: {bad:,}")
        result += [*self.anchors, *self.findings.lines()]
        verdict = "usable" if self.usable else "NOT usable: see the problems listed under `unusable`"
        return [*result, "", f"{self.name}: {verdict}"]

    def write(self, folder: Path) -> list[Path]:
        """Writes report.txt, problems.jsonl, statistics.json and statistics.png.

        Raises:
            UserError: a file cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{folder}: cannot be created ({error.strerror or error})") from error
        write_text(folder / "report.txt", "\n".join(self.lines()) + "\n")
        self.findings.write(folder / "problems.jsonl")
        written = [folder / "report.txt", folder / "problems.jsonl"]
        if self.statistics:
            content = {split: item.to_json(self.vocabulary) for split, item in self.statistics.items()}
            write_text(folder / "statistics.json", json.dumps(content, indent=1) + "\n")
            self.plot(self.statistics, self.vocabulary, folder / "statistics.png")
            written += [folder / "statistics.json", folder / "statistics.png"]
        return written

    def _table(self) -> list[str]:
        if not self.statistics:
            return ["no statistics: no image can be used"]
        columns = [item.summary() for item in self.statistics.values()]
        rows = [["", *self.statistics]]
        rows += [[key, *(f"{column[key]:,}" for column in columns)] for key in columns[0]]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        return [
            "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]).rstrip()
            for row in rows
        ]
