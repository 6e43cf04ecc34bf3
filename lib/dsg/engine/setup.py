"""What a run needs before its first step: its splits, what snapshots say of it, the state to go on from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dsg.config import BASELINES, Config, flatten, stored_values
from dsg.datasets import Dataset, load_dataset
from dsg.engine.snapshots import SHOWN, Snapshot, assign, check_vocabulary
from dsg.errors import UserError
from dsg.pipeline.bad_records import check_images
from dsg.version import __version__

# Options that may change when a run goes on: they say how long, where and how loudly, not what is computed.
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
    "BASELINE.CACHE_GB",
    "BASELINE.UNKNOWN_TEST",
    "BASELINE.DROP_REMAINDER",
}


def load_splits(
    config: Config, dataset: str, splits: tuple[str, str] = ("train", "validation")
) -> tuple[Dataset, Dataset]:
    """The split for training, mirror images included where TRAIN.USE_FLIPPED is on, and that for validation.

    Raises:
        UserError: where data or most of the images are missing.
    """
    limits = (config.data.max_images, config.train.validate_images or config.data.max_images)
    loaded = [
        load_split(config, dataset, split, limit, flip_of(config)) for split, limit in zip(splits, limits)
    ]
    return loaded[0], loaded[1]


def load_examined(config: Config, dataset: str, split: str) -> Dataset:
    """A split to test on: its images alone, unless DATA.SPLIT_RULE dsg cuts it from images and mirror images.

    Args:
        config: of the training: with another rule or seed, images that were trained on would be tested.
    """
    cut = config.data.split_rule == "dsg" and split in ("train", "validation")
    return load_split(config, dataset, split, config.data.max_images, flip_of(config) if cut else "none")


def flip_of(config: Config) -> str:
    """How training mirrors images: none, released, swap_lr."""
    if not config.train.use_flipped:
        return "none"
    return "swap_lr" if config.train.flip_predicates else "released"


def load_split(config: Config, dataset: str, split: str, max_images: int, flip: str = "none") -> Dataset:
    """One split as DATA.* describes it, its images looked for."""
    loaded = load_dataset(
        dataset,
        split,
        data_dir=config.data.dir,
        flip=flip,
        multi_predicate=config.data.multi_predicate,
        split_rule=config.data.split_rule,
        seed=config.rng_seed,
        max_images=max_images,
        keep_self=config.model in BASELINES and config.baseline.keep_self,
        exact_boxes=config.exact_boxes,
    )
    check_images(loaded)
    return loaded


def describe(config: Config, dataset: Dataset, images_per_step: int) -> dict[str, Any]:
    """What a snapshot says of its run from the first step to the last: fields of `Meta`."""
    return {
        "net": config.net,
        "seed": config.rng_seed,
        "config": _plain(config),
        "dataset": dataset.name,
        "records": len(dataset),
        "images_per_step": images_per_step,
        "objects": list(dataset.vocabulary.objects),
        "predicates": list(dataset.vocabulary.predicates),
        "version": __version__,
    }


def _plain(config: Config) -> dict[str, Any]:
    """All options as JSON has them."""
    return json.loads(json.dumps(flatten(config)))


def check_same_run(saved: Snapshot, about: dict[str, Any]) -> None:
    """See that going on from `saved` continues the same computation as `about` describes.

    Raises:
        UserError: where network, data or options differ, naming what.
    """
    meta, path = saved.meta, saved.path
    check_vocabulary(path, meta, about["objects"], about["predicates"])
    # An option younger than the snapshot had its default, whatever the net's file says today.
    before, now = {**_plain(Config()), **stored_values(meta.config)}, about["config"]
    # Another number of GPUs, each with more images or fewer, takes the same steps.
    free = {
        *FREE_OPTIONS,
        *(("TRAIN.IMS_PER_BATCH",) if meta.images_per_step == about["images_per_step"] else ()),
    }
    changed = [name for name in now if before[name] != now[name] and name not in free]
    differences = [f"{name} was {before[name]}, is {now[name]}" for name in changed]
    if meta.records != about["records"]:
        differences.append(f"the data set had {meta.records} training records, has {about['records']}")
    if meta.images_per_step != about["images_per_step"] and "TRAIN.IMS_PER_BATCH" not in changed:
        differences.append(
            f"a step took {meta.images_per_step} images on all GPUs, would take {about['images_per_step']}"
        )
    if differences:
        shown = "; ".join(differences[:SHOWN]) + ("; ..." if len(differences) > SHOWN else "")
        raise UserError(
            f"{path.parent}: this run began otherwise ({shown}): give the same options to go on, or another "
            "name to begin anew"
        )


def restore(saved: Snapshot, model: Any, slots: Mapping[str, Any] | None = None) -> None:
    """Give the model its saved variables, and `slots` (of the optimiser, by name) theirs.

    Raises:
        UserError: where names or shapes differ.
    """
    assign(saved.path, "variables", saved.variables, model.named_variables())
    if slots is not None:
        assign(saved.path, "optimiser slots", saved.slots, slots)
