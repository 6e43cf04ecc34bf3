"""The runs of a table of grounded scene graphs: two detectors, and the graphs that are trained on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dsg.apps.tables.grounding_rows import ALL_ROWS, DETECTOR_ROWS, TABLES
from dsg.apps.tables.plan import (
    PlannedRun,
    Request,
    chosen_rows,
    load_row,
    pairs_for,
    parse_seeds,
    results_of,
    split_pairs,
)
from dsg.apps.tables.rows import Row
from dsg.config import Config, config_files, load_config, net_names
from dsg.config.grounding import DETECTOR_STAGE, GRAPH_STAGE
from dsg.engine.runs import Run

STAGE, WEIGHTS, IMAGES = "GROUNDING.STAGE", "WEIGHTS", "TRAIN.IMS_PER_BATCH"


def plan_graphs(request: Request) -> list[PlannedRun]:
    """The runs of a table, each after the one it needs; all rows with the first seed before any with the
    second.

    A detector is trained once for all seeds of the graphs on it. A row that is told WEIGHTS needs none.

    Raises:
        UserError: an option is unknown, or does not fit a row.
    """
    rows = chosen_rows(request.table, TABLES[request.table], request.rows)
    seeds = parse_seeds(request.seeds, rows)
    by_rows = split_pairs(request.pairs, [*DETECTOR_ROWS.values(), *ALL_ROWS.values()])
    planned: dict[str, PlannedRun] = {}
    for seed in range(1, max(seeds.values()) + 1):
        for row in rows:
            if seed <= seeds[row.key]:
                for run in _with_needs(request, row, seed, by_rows, planned):
                    planned[run.name] = run
    return list(planned.values())


def _with_needs(
    request: Request,
    row: Row,
    seed: int,
    by_rows: Mapping[str, list[str]],
    planned: Mapping[str, PlannedRun],
) -> Iterator[PlannedRun]:
    """The run of a row, and before it what it needs; those that are planned are the same objects."""
    name = f"{request.tag}_{row.key}" + (f"_seed{seed}" if seed > 1 else "")
    if name in planned:
        yield planned[name]
        return
    pairs = pairs_for(row, by_rows)
    detects = row.key in DETECTOR_ROWS
    needs: PlannedRun | None = None
    if row.tests:
        needed = list(_with_needs(request, ALL_ROWS[row.tests], seed, by_rows, planned))
        needs = needed[-1]
        yield from needed
    elif not detects and WEIGHTS not in pairs[::2]:
        (needs,) = _with_needs(request, DETECTOR_ROWS[row.variant], 1, by_rows, planned)
        yield needs
    net = request.net
    own = f"{net}_{DETECTOR_STAGE}"  # as train_sg.sh does
    if detects and own in net_names(request.cfgs):
        net = own
    files = config_files(request.cfgs, request.dataset_name, net)
    pairs = [STAGE, DETECTOR_STAGE if detects else GRAPH_STAGE, *row.pairs, *pairs]
    if row.key == "plain":
        pairs = [IMAGES, str(_images_of_a_step(load_config(files))), *pairs]
    if needs is not None and not row.tests:
        pairs += [WEIGHTS, str(needs.snapshot)]
    config, pairs = load_row(row, files, pairs, request.data, seed)
    run = Run.of(request.output, net, request.dataset_name, name)
    results = results_of(run, request.split)
    yield PlannedRun(row, seed, net, name, tuple(pairs), config, run.folder, results, needs)


def _images_of_a_step(config: Config) -> int:
    """Of the joint detector, of both data sets: the plain one sees as many of its own, as in the release."""
    return config.train.ims_per_batch + config.grounding.mask_ims_per_batch
