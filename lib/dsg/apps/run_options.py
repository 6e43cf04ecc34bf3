"""The options shared by training, testing and the commands that examine a trained network."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsg.apps.configurations import DATASETS, files_of, known_nets
from dsg.apps.parser import Parser
from dsg.apps.splits import dataset_and_split, split_at_end
from dsg.errors import UserError

if TYPE_CHECKING:
    from dsg.config import Config


class Meaning(NamedTuple):
    """What the options of `add_run_options` mean."""

    config: Config
    pairs: list[str]  # the KEY VALUE pairs that were given
    dataset: str  # a name or a folder, without a split at its end
    split: str
    net: str  # as in the names of folders

    @property
    def data_dir(self) -> Path:
        """The folder of the data sets."""
        return Path(self.config.data.dir)


def add_run_options(parser: Parser, *, needs_data: bool = True, bare: bool = True) -> None:
    """Data set, network, configuration, folders.

    Args:
        parser: of the command.
        needs_data: whether --dataset must be given.
        bare: whether words that belong to no option are KEY VALUE pairs.
    """
    parser.add_argument(
        "--dataset",
        old=("--imdb", "--imdbtest"),
        required=needs_data,
        default="",
        metavar="NAME",
        help=f"{', '.join(DATASETS)}, or a folder",
    )
    parser.add_argument(
        "--split", default="", help="split of the data set: train, validation, test or trainval"
    )
    parser.add_argument("--net", default="", help="network: " + ", ".join(known_nets()))
    add_config_options(parser, bare=bare)
    parser.add_argument("--data", default="", metavar="DIR", help="folder of the data sets (default: data)")


def add_config_options(parser: Parser, *, bare: bool = True) -> None:
    """Configuration, GPUs, and the folder of all runs."""
    parser.add_argument(
        "--cfg",
        action="append",
        default=[],
        metavar="FILE",
        help="configuration file to read after those of data set and net; can be repeated, later ones win",
    )
    parser.add_argument("--no-cfg", action="store_true", help="read only the configuration files of --cfg")
    parser.add_argument("--gpu", default="cpu", help="a number, several (0,1), or cpu (default)")
    parser.add_argument(
        "--output", default="output", metavar="DIR", help="folder of all runs (default: output)"
    )
    add_pairs(parser, bare=bare)


def add_pairs(parser: Parser, *, bare: bool = True) -> None:
    """The option `--set`; with `bare` the parser also takes KEY VALUE pairs without it."""
    text = "options, such as TRAIN.EPOCHS 10"
    shown = "; --set can be left out" if bare else ""
    parser.add_argument(
        "--set", nargs="*", action="extend", default=[], metavar=("KEY", "VALUE"), help=text + shown
    )


def meaning_of(
    options: argparse.Namespace, default_split: str = "test", extra: Sequence[str] = ()
) -> Meaning:
    """Read the configuration that parsed options ask for.

    Args:
        options: of `add_run_options`.
        default_split: if neither --split nor the data set's name has one.
        extra: KEY VALUE pairs from other options; those of --set win.

    Raises:
        UserError: an option is wrong.
    """
    from dsg.config import NETS, load_config
    from dsg.runtime.devices import parse_gpus
    from dsg.runtime.paths import expanded

    parse_gpus(options.gpu)
    pairs = list(extra)
    if options.data:
        pairs += ["DATA.DIR", str(expanded(options.data).resolve())]
    pairs += options.set
    dataset, split = dataset_and_split(options.dataset, default_split, _data_dir(options.cfg, pairs))
    split = split_at_end(options.split, "--split") if options.split else split
    files = [] if options.no_cfg else files_of(dataset, options.net)
    # Other nets, such as mini_best, have a file of their own.
    config = load_config([*files, *options.cfg], pairs, options.net if options.net in NETS else "")
    return Meaning(config, pairs, dataset, split, options.net or config.net)


def demand_net(options: argparse.Namespace) -> None:
    """Check that a network is named, by --net or in a configuration.

    Raises:
        UserError: it is not.
    """
    if not (options.net or options.cfg or options.no_cfg):
        raise UserError(f"--net is missing: one of {', '.join(known_nets())}")


def _data_dir(files: Sequence[str], pairs: Sequence[str]) -> Path:
    """DATA.DIR, before the data set's configuration files are known."""
    from dsg.config import load_config
    from dsg.config.pairs import parse_pairs
    from dsg.config.yaml_file import read_sources

    given: dict[str, object] = {}
    for file in files:
        for source in read_sources(Path(file)):
            given.update(source)
    given.update(parse_pairs(pairs))
    return Path(str(given.get("DATA.DIR", load_config().data.dir)))
