"""The splits that a run trains, validates and tests on, as the options of a configuration describe them."""

from __future__ import annotations

from pathlib import Path

from dsg.config import Config
from dsg.config.grounding import GRAPH_STAGE
from dsg.config.names import DETECTOR, GROUNDING
from dsg.datasets import Dataset, load_dataset
from dsg.datasets.catalogue import find_dataset
from dsg.datasets.detection import load_instances
from dsg.datasets.instance_layouts import find_instances, for_detection_alone
from dsg.datasets.scene_graph_layout import find_graphs
from dsg.datasets.scene_graphs import GraphDataset, load_graphs, with_auxiliary
from dsg.errors import UserError
from dsg.pipeline.bad_records import check_images


def load_splits(
    config: Config, dataset: str, splits: tuple[str, str] = ("train", "validation")
) -> tuple[Dataset, Dataset]:
    """The split for training, mirror images included where TRAIN.USE_FLIPPED is on, and that for validation.

    Raises:
        UserError: if data or most of the images are missing.
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
    asks = not detects(config) and config.model != GROUNDING
    cut = config.data.split_rule == "dsg" and split in ("train", "validation") and asks
    return load_split(config, dataset, split, config.data.max_images, flip_of(config) if cut else "none")


def flip_of(config: Config) -> str:
    """How training mirrors images: none, released, swap_lr."""
    if not config.train.use_flipped:
        return "none"
    return "swap_lr" if config.train.flip_predicates else "released"


def load_split(config: Config, dataset: str, split: str, max_images: int, flip: str = "none") -> Dataset:
    """One split as DATA.* describes it, its images looked for: an `InstanceDataset` for a detector, a
    `GraphDataset` for grounded graphs, whose mirror images are drawn as training goes.
    """
    loaded: Dataset
    if config.model == GROUNDING:
        loaded = _load_graphs(config, dataset, split, max_images)
    elif detects(config):
        loaded = load_instances(
            dataset, split, data_dir=config.data.dir, flip=flip != "none", max_images=max_images
        )
    else:
        _check_relationships(config, dataset)
        loaded = load_dataset(
            dataset,
            split,
            data_dir=config.data.dir,
            flip=flip,
            multi_predicate=config.data.multi_predicate,
            split_rule=config.data.split_rule,
            seed=config.rng_seed,
            max_images=max_images,
            keep_self=config.keep_self,
            exact_boxes=config.exact_boxes,
        )
    check_images(loaded)
    return loaded


def _load_graphs(config: Config, dataset: str, split: str, max_images: int) -> GraphDataset:
    """Graphs, and what there is of masks; these are needed only to learn from."""
    options = config.grounding
    loaded = load_graphs(
        *(dataset, split),
        data_dir=config.data.dir,
        need_relations=options.stage == GRAPH_STAGE,
        most_boxes=options.most_boxes,
        max_images=max_images,
    )
    if not options.joint:
        return loaded
    loaded = with_auxiliary(
        loaded,
        mask_data=options.mask_data,
        data_dir=config.data.dir,
        max_images=max_images,
        needed=split == "train",
    )
    if loaded.auxiliary is not None:
        check_images(loaded.auxiliary)
    return loaded


def dataset_name(config: Config, dataset: str) -> str:
    """A data set's name, as in the names of folders.

    Raises:
        UserError: there is no such data set.
    """
    folder = Path(config.data.dir)
    if config.model == GROUNDING:
        return find_graphs(dataset, folder).label
    if detects(config):
        return find_instances(dataset, folder).label
    _check_relationships(config, dataset)
    return find_dataset(dataset, folder)[0]


def detects(config: Config) -> bool:
    """Whether the system learns from objects instead of relationships."""
    return config.model == DETECTOR


def _check_relationships(config: Config, dataset: str) -> None:
    """Refuses a data set for detectors, for a system that learns from relationships."""
    if for_detection_alone(dataset, Path(config.data.dir)):
        raise UserError(
            f"{dataset}: has objects without relationships, for detectors (--net {DETECTOR}_...); "
            "`dsg convert coco` makes relationships of COCO's files (docs/your-own-data.md)"
        )
