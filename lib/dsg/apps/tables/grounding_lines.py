"""The lines of a table of grounded scene graphs: the figures of each row's finished seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from dsg.apps.tables.grounding_results import refined, seed_figures
from dsg.apps.tables.grounding_rows import NO_REFINE, SETTING_TITLES, TABLES
from dsg.apps.tables.plan import PlannedRun, Request, chosen_rows
from dsg.apps.tables.rows import Row


@dataclass(frozen=True)
class Figure:
    """Over the seeds, in percent; nan where undefined."""

    mean: float
    spread: float  # sample deviation; nan for one seed


@dataclass(frozen=True)
class Line:
    """A line of the table: a row, or the detector's masks in a setting."""

    key: str
    title: str
    row: Row
    wanted: int  # seeds
    runs: tuple[PlannedRun, ...]  # that are finished
    seeds: tuple[dict[str, float], ...]  # their figures
    seconds: float

    def figure(self, key: str) -> Figure:
        """One figure."""
        values = [figures.get(key, math.nan) for figures in self.seeds]
        known = len(values) > 1 and all(map(math.isfinite, values))
        return Figure(fmean(values) if values else math.nan, stdev(values) if known else math.nan)


def table_lines(
    request: Request, runs: Sequence[PlannedRun], finished: Sequence[bool], seconds: Sequence[float]
) -> list[Line]:
    """The lines of a table, in its order; of masks (table 2) also those of no refinement.

    Raises:
        UserError: a results file cannot be read.
    """
    lines = []
    for row in chosen_rows(request.table, TABLES[request.table], request.rows):
        places = [place for place, run in enumerate(runs) if run.row is row]
        done = [place for place in places if finished[place]]
        lines.append(
            Line(
                row.key,
                row.title,
                row,
                len(places),
                tuple(runs[place] for place in done),
                tuple(seed_figures(runs[place].results) for place in done),
                sum(seconds[place] for place in done),
            )
        )
    return list(_with_masks(lines)) if request.table == 2 else lines


def _with_masks(lines: Sequence[Line]) -> Iterator[Line]:
    """In front of the rows of a setting the detector's own masks, as the first finished row measured them;
    the rows show refined ones.
    """
    for setting in dict.fromkeys(line.row.kind for line in lines):
        own = [line for line in lines if line.row.kind == setting]
        first = next((line for line in own if line.seeds), own[0])
        title = f"no refinement, {SETTING_TITLES[setting]}"
        yield Line(f"{NO_REFINE}_{setting}", title, first.row, first.wanted, first.runs, first.seeds, 0.0)
        for line in own:
            title = line.title.replace(", SG,", " + refinement,")
            yield Line(
                line.key,
                title,
                line.row,
                line.wanted,
                line.runs,
                tuple(map(refined, line.seeds)),
                line.seconds,
            )
