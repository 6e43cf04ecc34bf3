"""A trained network and a split to look at its answers on: what programs share that examine snapshots."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, NamedTuple

from dsg.apps.cli import Parser, config_of, dataset_and_split, run_parser
from dsg.apps.snapshot_choice import is_snapshot, stored_config
from dsg.config import BASELINES, Config
from dsg.datasets import Dataset
from dsg.datasets.catalogue import find_dataset
from dsg.engine.runs import Run, find_snapshot
from dsg.engine.setup import load_examined
from dsg.engine.snapshots import load_meta
from dsg.errors import UserError

SHIFTING = ("ssas", "ss")


class Trained(NamedTuple):
    """What was asked for; `load_network` gives the network itself."""

    path: Path  # of the snapshot
    config: Config  # of its training, with today's place of the data and the pairs that were given
    data: Dataset


def trained_parser(
    program: str, description: str, *, several: bool = False, needs_data: bool = True
) -> Parser:
    """A parser with the options of `find_trained`: --model (a list with `several`) and --imdb."""
    parser = run_parser(program, description)
    parser.add_argument(
        "--imdb",
        required=needs_data,
        default="",
        metavar="DATASET",
        help="a name or folder; its test split, or that which ends the name (_train, _validation)",
    )
    parser.add_argument(
        "--model",
        required=True,
        action="append" if several else "store",
        metavar="SNAPSHOT",
        help="<name>_iter_N of a run of --net, or a file" + (", several of them" if several else ""),
    )
    return parser


def find_trained(options: argparse.Namespace, model: str, *, shifting: bool = False) -> Trained:
    """The snapshot that `model` means and the split that `options` name. TensorFlow is not loaded.

    Args:
        options: of a `trained_parser`.
        model: one of its `--model`.
        shifting: a baseline that shifts attention is wanted, not a network that answers with boxes.

    Raises:
        UserError: one of them is not there, they do not belong together, or it is not what is wanted.
    """
    config, pairs = config_of(options)
    net, file = options.net or config.net, Path(model)
    if file.suffix == ".npz" and os.path.isfile(file) and not options.net:
        net = load_meta(file).net
        options = argparse.Namespace(**{**vars(options), "net": net})
        config, pairs = config_of(options)
    if shifting and net not in SHIFTING:
        raise UserError(f"{net} shifts no attention; this needs a snapshot of {' or '.join(SHIFTING)}")
    if net in BASELINES and not shifting:
        raise UserError(
            f"{net} answers with maps; this needs a network that answers with boxes, such as res101"
        )
    dataset, split = dataset_and_split(options.imdb, "test", Path(config.data.dir))
    name = find_dataset(dataset, Path(config.data.dir))[0]
    path = find_snapshot(model, Path(options.output), net, name, Path(config.data.dir))
    if is_snapshot(path):
        config = stored_config(path, config, pairs)
    return Trained(path, config, load_examined(config, dataset, split))


def load_network(trained: Trained) -> Any:
    """The network with its weights; `dsg.runtime.devices.select_devices` comes first.

    Raises:
        UserError: the snapshot is damaged or of another vocabulary.
    """
    from dsg.apps.testing import load_model, load_released
    from dsg.models.registry import task_of

    load = load_model if is_snapshot(trained.path) else load_released
    return load(trained.path, task_of(trained.config), trained.data)


def make_folder(folder: Path) -> Path:
    """The folder, made where it is absent.

    Raises:
        UserError: where it cannot be written to.
    """
    Run(folder, "output").make_folder()
    return folder
