"""From what was asked for to a list of runs: names, options and places. Nothing is run here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dsg.apps.configurations import catalogued
from dsg.apps.tables.rows import BASELINE, TABLES, Row
from dsg.config import BASELINES, DETECTORS, Config, config_files, flatten, load_config, options
from dsg.config.names import GROUNDING
from dsg.engine.runs import Run
from dsg.errors import UserError

SEED = "RNG_SEED"
# Paper-or-release choices that concern baselines, too: taken from the table's net, so that rows compare.
SHARED_CHOICES = ("TEST.ROLE_CONFLICT", "BASELINE.INTERNAL")
KEYED = re.compile(r"(?P<rows>[a-z_]+):(?P<key>.+)")


@dataclass(frozen=True)
class PlannedRun:
    """One training with its test."""

    row: Row
    seed: int  # 1 for the first
    net: str  # as `dsg train` takes it
    name: str
    pairs: tuple[str, ...]  # KEY VALUE ...
    config: Config
    folder: Path  # of the run
    results: Path  # of its test
    needs: PlannedRun | None = None  # the run whose snapshot it starts from, or tests

    @property
    def only_tests(self) -> bool:
        """Whether it has no training of its own, but tests the snapshot of `needs`."""
        return bool(self.row.tests)

    @property
    def epochs(self) -> int:
        """To be trained."""
        return 0 if self.only_tests else self.config.train.epochs

    @property
    def snapshot(self) -> Path:
        """Its best snapshot."""
        return Run(self.folder, self.name).snapshot(0)


@dataclass(frozen=True)
class Request:
    """What the command line says."""

    table: int
    dataset: str  # a name or an absolute folder
    net: str
    output: Path
    cfgs: Path  # experiments/cfgs
    data: str = ""
    tag: str = "table"
    rows: tuple[str, ...] = ()  # empty: all
    seeds: str = "1"
    split: str = "test"
    pairs: tuple[str, ...] = ()

    @property
    def dataset_name(self) -> str:
        """As in names of folders."""
        return catalogued(self.dataset) or Path(self.dataset).resolve().name

    @property
    def grounded(self) -> bool:
        """Whether the net is of scene graphs that are grounded by masks, which have tables of their own."""
        return load_config(config_files(self.cfgs, self.dataset_name, self.net)).model == GROUNDING

    @property
    def folder(self) -> Path:
        """Where the tables go, and the account of the runs."""
        return self.output / self.net / f"{self.dataset_name}_tables" / self.tag


def plan_runs(request: Request) -> list[PlannedRun]:
    """The runs of a table, all rows with the first seed before any with the second.

    Raises:
        UserError: an option is unknown, or does not fit a row; there is no such table.
    """
    if request.table not in TABLES:
        raise UserError(f"table {request.table} of costs is made by `dsg cost --net {request.net}`")
    rows = chosen_rows(request.table, TABLES[request.table], request.rows)
    seeds = parse_seeds(request.seeds, rows)
    by_rows = split_pairs(request.pairs, TABLES[request.table])
    return [
        _plan(request, row, seed, by_rows)
        for seed in range(1, max(seeds.values()) + 1)
        for row in rows
        if seed <= seeds[row.key]
    ]


def chosen_rows(table: int, rows: Sequence[Row], names: Sequence[str]) -> list[Row]:
    """Rows of a table by key, kind or group, in the table's order; all if none are named."""
    for name in names:
        if not any(name in row.names for row in rows):
            known = ", ".join(row.key for row in rows)
            raise UserError(f"table {table} has no row {name!r}: its rows are {known}")
    return [row for row in rows if not names or set(names) & set(row.names)]


def parse_seeds(text: str, rows: Sequence[Row]) -> dict[str, int]:
    """Seeds of each row: `3` for all, or `1,dsg=3,no_dsg=3`.

    Example:
        >>> parse_seeds("1,dsg=3", TABLES[2])["dsg"]
        3
    """
    counts = {row.key: 1 for row in rows}
    for part in text.split(","):
        name, _, number = part.rpartition("=")
        named = [row.key for row in rows if not name or name in row.names]
        if not number.isdecimal() or int(number) < 1 or not named:
            raise UserError(
                f"--seeds {text}: give a number, or a list such as 1,{rows[-1].key}=3 with names of rows"
            )
        counts.update(dict.fromkeys(named, int(number)))
    return counts


def split_pairs(pairs: Sequence[str], rows: Sequence[Row]) -> dict[str, list[str]]:
    """KEY VALUE pairs by whom they are for: `""` everyone, a kind, or a row (`ssas:TRAIN.EPOCHS 3`)."""
    if len(pairs) % 2:
        raise UserError(f"options are KEY VALUE pairs, but {pairs[-1]!r} has no value")
    known = ["", *dict.fromkeys(name for row in rows for name in row.names[:-1])]
    known += [row.key for row in rows]
    found: dict[str, list[str]] = {name: [] for name in known}
    for key, value in zip(pairs[::2], pairs[1::2]):
        match = KEYED.fullmatch(key)
        name, key = (match["rows"], match["key"]) if match else ("", key)
        if name not in found:
            raise UserError(f"{name}:{key}: options apply to all rows, or to one of {', '.join(known[1:])}")
        found[name] += [key, value]
    return found


def pairs_for(row: Row, by_rows: Mapping[str, list[str]]) -> list[str]:
    """Those of `split_pairs` that concern a row; what is said of it alone comes last and wins."""
    return [word for name in ("", *row.names) for word in by_rows[name]]


def results_of(run: Run, split: str) -> Path:
    """The results of the test of a run's best snapshot."""
    folder = run.folder / "test" / run.snapshot(0).stem
    return (folder if split == "test" else folder / split) / "results.json"


def load_row(
    row: Row, files: Sequence[Path], pairs: Sequence[str], data: str, seed: int
) -> tuple[Config, list[str]]:
    """A row's configuration, and its pairs with the seed among them; seeds count from the configured one.

    Raises:
        UserError: an option is unknown, or does not fit the row.
    """
    given, where = list(pairs), ["DATA.DIR", data] if data else []
    try:
        config = load_config(files, [*where, *given])
        if seed > 1:
            given += [SEED, str(config.rng_seed + seed - 1)]
            config = load_config(files, [*where, *given])
    except UserError as error:
        keys = " or ".join(f"{name}:KEY VALUE" for name in dict.fromkeys((row.key, *row.names[:-1])))
        raise UserError(f"row {row.title}: {error} (for an option of some rows only: {keys})") from None
    return config, given


def _plan(request: Request, row: Row, seed: int, by_rows: Mapping[str, list[str]]) -> PlannedRun:
    dataset, net = request.dataset_name, request.net
    own = load_config(config_files(request.cfgs, dataset, net))
    if own.net in DETECTORS:
        raise UserError(f"{net} is a detector; give the net of the rows with a scene graph, such as res101")
    if own.model in BASELINES:
        raise UserError(
            f"{net} is a baseline; give the net of the rows with a scene graph, such as res101 (table 1 has "
            "the baselines as rows)"
        )
    name = f"{request.tag}_{row.key}"
    pairs = ["VARIANT", row.variant, *row.pairs]
    if row.kind == BASELINE:
        net, name = row.key, f"{request.tag}_{request.net}"
        features = options()["BASELINE.FEATURES"]  # the table's backbone if baselines can use it
        seen = own.backbone in features.metadata["choices"]
        pairs = ["BASELINE.FEATURES", own.backbone if seen else features.default]
        chosen, default = flatten(own), flatten(Config())
        pairs += [
            word for key in SHARED_CHOICES if chosen[key] != default[key] for word in (key, chosen[key])
        ]
    pairs += pairs_for(row, by_rows)
    config, pairs = load_row(row, config_files(request.cfgs, dataset, net), pairs, request.data, seed)
    name += f"_seed{seed}" if seed > 1 else ""
    run = Run.of(request.output, net, dataset, name)
    results = results_of(run, request.split)
    return PlannedRun(row, seed, net, name, tuple(pairs), config, run.folder, results)
