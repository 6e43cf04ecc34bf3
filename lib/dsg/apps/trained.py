"""A trained network and a split: shared by the programs that examine snapshots."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dsg.apps.parser import Parser
from dsg.apps.run_options import Meaning, add_run_options, demand_net, meaning_of
from dsg.errors import UserError

if TYPE_CHECKING:
    from dsg.config import Config
    from dsg.datasets import Dataset

BEST, LAST = "best", "last"
SHIFTING = ("ssas", "ss")
ANY, BOXES, FAILING, SHIFTS, GRAPHS, GROUNDED = "any", "boxes", "failing", "shifts", "graphs", "grounded"
"""What a network must answer with: anything, boxes, what `dsg failures` sorts (boxes or detected objects),
shifts of attention, scene graphs, or those with masks.
"""


class Trained(NamedTuple):
    """The snapshot and split asked for; `load_network` loads the network itself."""

    path: Path  # of the snapshot
    config: Config  # of its training, with today's place of the data and the pairs that were given
    data: Dataset
    results: Path  # the folder of its test on this split

    @property
    def about(self) -> str:
        """The snapshot and the split in words."""
        return f"{self.path.stem} on {self.data.name} {self.data.split}"


def add_trained_options(
    parser: Parser, *, several: bool = False, needs_data: bool = True, bare: bool = False
) -> None:
    """The options of `find_trained`: those of a run, its name, and the snapshot (a list with `several`)."""
    add_run_options(parser, needs_data=needs_data, bare=bare)
    parser.add_argument(
        "--name", old=("--tag",), default="default", help="name of the run (default: default)"
    )
    parser.add_argument(
        "--snapshot",
        old=("--model",),
        action="append" if several else "store",
        default=[] if several else None,
        metavar="SNAPSHOT",
        help="best (default) or last of the run, <name>_iter_N, a file, or dsg_pretrained (the release's)"
        + ("; can be repeated" if several else ""),
    )


def add_folder_option(parser: Parser, text: str = "folder of the files") -> None:
    """`--to`, the folder of `folder_for`."""
    parser.add_argument("--to", default="", metavar="DIR", help=f"{text} (default: in the run's folder)")


def add_setting_option(parser: Parser) -> None:
    """`--setting`, what a grounded network is given of annotated images."""
    from dsg.config.grounding import SETTINGS

    parser.add_argument(
        "--setting",
        choices=SETTINGS,
        default="",
        help="what grounded graphs are given: boxes and labels (predcls), boxes (sgcls) or nothing (sgdet); "
        "default: as in training",
    )


def folder_for(options: argparse.Namespace, trained: Trained, kind: str) -> Path:
    """The folder for results of that kind: `--to`, or in the run's folder; created if needed.

    Raises:
        UserError: it cannot be written to.
    """
    return make_folder(Path(options.to) if options.to else trained.results / kind)


def make_folder(folder: Path) -> Path:
    """The folder, created if needed.

    Raises:
        UserError: it cannot be written to.
    """
    from dsg.engine.runs import Run

    Run(folder, "output").make_folder()
    return folder


def find_trained(options: argparse.Namespace, snapshot: str | None, *, wanted: str = BOXES) -> Trained:
    """The snapshot that `snapshot` means and the split that `options` name. TensorFlow is not loaded.

    Args:
        options: of `add_trained_options`.
        snapshot: a value of `--snapshot`; None is the best.
        wanted: ANY, BOXES, FAILING, SHIFTS, GRAPHS or GROUNDED.

    Raises:
        UserError: the snapshot or the split does not exist, they do not belong together, or the network does
            not answer with `wanted`.
    """
    from dsg.apps.snapshot_choice import (
        is_snapshot,
        result_folder,
        setting_folder,
        snapshot_name,
        stored_config,
    )
    from dsg.engine.runs import find_snapshot, train_folder
    from dsg.engine.snapshots import load_meta, snapshot_file
    from dsg.pipeline.splits import dataset_name, load_examined

    snapshot = snapshot or BEST
    net = options.net
    if (snapshot.endswith(".npz") or os.path.isdir(snapshot)) and not net:
        snapshot = str(snapshot_file(Path(snapshot)))
        net = load_meta(Path(snapshot)).net
        options = argparse.Namespace(**{**vars(options), "net": net, "no_cfg": True})
    demand_net(options)
    meaning = meaning_of(options)
    _check_use(meaning, wanted)
    name = dataset_name(meaning.config, meaning.dataset)
    output = Path(options.output)
    snapshot = snapshot_name(snapshot, options.name, train_folder(output, meaning.net, name))
    path = find_snapshot(snapshot, output, meaning.net, name, meaning.data_dir)
    config = stored_config(path, meaning.config, meaning.pairs) if is_snapshot(path) else meaning.config
    data = load_examined(config, meaning.dataset, meaning.split)
    folder = result_folder(path, output, meaning.net, data)
    folder = setting_folder(folder, path, config) if is_snapshot(path) else folder
    return Trained(path, config, data, folder)


def load_network(trained: Trained) -> Any:
    """The network with its weights; `dsg.runtime.devices.select_devices` comes first.

    Raises:
        UserError: the snapshot is damaged or of another vocabulary.
    """
    from dsg.apps.testing import load_any
    from dsg.models.registry import task_of

    return load_any(trained.path, task_of(trained.config), trained.data)


def _check_use(meaning: Meaning, wanted: str) -> None:
    from dsg.config import BASELINES, DETECTORS
    from dsg.config.names import GROUNDED as GROUNDED_NETS

    net, kind = meaning.net, meaning.config.net
    if wanted == SHIFTS and net not in SHIFTING:
        raise UserError(f"{net} does not shift attention; this needs a snapshot of {' or '.join(SHIFTING)}")
    if wanted == GROUNDED and kind not in GROUNDED_NETS:
        raise UserError(
            f"{net} has no graphs with masks; this needs a network that has, such as {GROUNDED_NETS[0]}"
        )
    if wanted in (BOXES, FAILING) and kind in GROUNDED_NETS:
        raise UserError(
            f"{net} gives graphs and answers no queries; this needs a network that does, such as res101"
        )
    if wanted in (BOXES, GRAPHS) and kind in DETECTORS:
        raise UserError(
            f"{net} finds objects and answers no queries; this needs a network that does, such as res101"
        )
    if wanted in (BOXES, FAILING, GRAPHS) and net in BASELINES:
        raise UserError(
            f"{net} answers with maps; this needs a network that answers with boxes, such as res101"
        )
