"""Where a run resumes, and whether it may: what a snapshot says of its run, and the state it stands at."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from dsg.config import Config, flatten, stored_values
from dsg.datasets import Dataset
from dsg.datasets.content import changes, content_of
from dsg.engine.runs import Run
from dsg.engine.snapshots import Snapshot, check_vocabulary
from dsg.engine.state import TrainState
from dsg.errors import UserError, some_of
from dsg.version import __version__

LOG = logging.getLogger("dsg")

# Options that may change when a run resumes: they say how long, where and how loudly, not what is computed.
FREE_OPTIONS = {
    "WEIGHTS",
    "DATA.DIR",
    "DATA.WORKERS",
    "TRAIN.EPOCHS",
    "TRAIN.DISPLAY",
    "TRAIN.SUMMARY_INTERVAL",
    "TRAIN.PROFILE",
    "TRAIN.SNAPSHOT_ITERS",
    "TRAIN.SNAPSHOT_KEPT",
    "TRAIN.SAVE_MINUTES",
    "TRAIN.MAX_BAD_STEPS",
    "TRAIN.DETERMINISTIC",
    "TEST.IMS_PER_BATCH",
    "TEST.PICTURES",
}


def describe(
    config: Config,
    dataset: Dataset,
    images_per_step: int,
    validation: Dataset | None = None,
    automatic: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """What a snapshot says of its run from the first step to the last: fields of `Meta`.

    Args:
        config: without `auto`.
        dataset: what is learned from.
        validation: what the best snapshot is chosen by.
        automatic: the options whose values were chosen, with the words by which this was asked for.
    """
    splits = {"training": dataset, **({"validation": validation} if validation is not None else {})}
    return {
        "net": config.net,
        "seed": config.rng_seed,
        "config": _plain(config),
        "automatic": dict(automatic),
        "dataset": dataset.name,
        "data": {name: content_of(split) for name, split in splits.items()},
        "records": len(dataset),
        "images_per_step": images_per_step,
        "objects": list(dataset.vocabulary.objects),
        "predicates": list(dataset.vocabulary.predicates),
        "mask_objects": list(dataset.vocabulary.mask_objects),
        "version": __version__,
    }


def chosen_before(run: Run, automatic: Mapping[str, str]) -> dict[str, Any]:
    """The values that a run chose for options when it began, where it was asked to by the same words.

    Args:
        run: to be resumed, or new.
        automatic: options that are `auto`, with these words, see `dsg.config.automatic`.
    """
    meta = run.description()
    if meta is None:
        return {}
    asked = [name for name, word in automatic.items() if meta.automatic.get(name) == word]
    return {name: meta.config[name] for name in asked if name in meta.config}


def _plain(config: Config) -> dict[str, Any]:
    """All options as JSON has them."""
    return json.loads(json.dumps(flatten(config)))


def check_same_run(saved: Snapshot, about: dict[str, Any], free_options: Collection[str] = ()) -> None:
    """See that resuming from `saved` continues the computation that `about` describes.

    Args:
        saved: the state to resume from.
        about: from `describe`.
        free_options: of the task, see `Task.free_options`.

    Raises:
        UserError: if network, data or options differ, naming what.
    """
    meta, path = saved.meta, saved.path
    check_vocabulary(path, meta, about["objects"], about["predicates"], about["mask_objects"])
    # An option younger than the snapshot had its default, whatever the net's file says today.
    before, now = {**_plain(Config()), **stored_values(meta.config)}, about["config"]
    free = {*FREE_OPTIONS, *free_options}
    if meta.images_per_step == about["images_per_step"]:
        free.add("TRAIN.IMS_PER_BATCH")  # another number of GPUs, each with more images or fewer
    changed = [name for name in now if before[name] != now[name] and name not in free]
    differences = [f"{name} was {before[name]}, is {now[name]}" for name in changed]
    if meta.records != about["records"]:
        differences.append(f"the data set had {meta.records} training records, has {about['records']}")
    if meta.images_per_step != about["images_per_step"] and "TRAIN.IMS_PER_BATCH" not in changed:
        differences.append(
            f"a step took {meta.images_per_step} images on all GPUs, would take {about['images_per_step']}"
        )
    data = changed_data(meta.data, about["data"])
    if data and not differences:
        raise UserError(
            f"{path.parent}: the data have changed since this run began ({data}): put the earlier "
            "annotations back to resume it, or give another name to start a new run"
        )
    differences += [f"the data have changed: {data}"] if data else []
    if differences:
        raise UserError(
            f"{path.parent}: this run began with other options or data ({some_of(differences)}): give the "
            "same ones to resume it, or another name to start a new run"
        )


def changed_data(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What of the data differs, in words; empty if nothing does, as far as older snapshots tell."""
    parts = {name: changes(before.get(name) or {}, content) for name, content in now.items()}
    return "; ".join(f"{', '.join(found)} of {name}" for name, found in parts.items() if found)


def state_of(saved: Snapshot, run: Run) -> TrainState:
    """Where a saved run stands; what it has to beat is the score of the best snapshot that is there.

    A run that was killed may have written that in an epoch which the saved state does not know yet.
    """
    state, best_meta = TrainState.from_meta(saved.meta), run.best()
    best = state if best_meta is None else TrainState.from_meta(best_meta)
    if best.best_epoch != state.best_epoch:
        LOG.warning(
            "%s is from epoch %d instead of %d: a better epoch replaces it",
            run.snapshot(0).name,
            best.best_epoch,
            state.best_epoch,
        )
        state.best_epoch, state.best_score = best.best_epoch, best.best_score
    return state
