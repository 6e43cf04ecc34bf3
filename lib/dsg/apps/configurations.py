"""Which configuration files belong to a data set and a net: `experiments/cfgs`, or the wheel's copy of it.

Only the standard library is loaded, so that help can list the nets.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import Path

from dsg.errors import UserError
from dsg.runtime.clone import clone_root

DATASETS = ("visualgenome", "vrd", "clevr", "shapes")  # as in dsg.datasets.catalogue, which needs NumPy
NET_KEYS = ("NET:", "MODEL:", "BACKBONE:", "BASE:")  # how a line begins in the file of a net


def configuration_folder() -> Path:
    """Where the configuration files lie."""
    root = clone_root()
    return root / "experiments" / "cfgs" if root else Path(os.path.abspath(__file__)).parents[1] / "cfgs"


def catalogued(dataset: str) -> str | None:
    """The catalogue's name of a data set however it is written; None for anything else.

    Example:
        >>> catalogued("Visual_Genome"), catalogued("photos")
        ('visualgenome', None)
    """
    plain = dataset.lower().replace("_", "").replace("-", "")
    return plain if plain in DATASETS else None


def known_nets() -> list[str]:
    """The nets of `configuration_folder`."""
    return net_names(configuration_folder())


def files_of(dataset: str, net: str) -> list[Path]:
    """The files that apply to a data set and a net, in the order in which they are read.

    Args:
        dataset: a name of the catalogue, a folder, or empty.
        net: one of `known_nets`, or empty.

    Raises:
        UserError: there is no such net.
    """
    label = catalogued(dataset) or (Path(dataset).resolve().name if dataset else "")
    return config_files(configuration_folder(), label, net)


def net_names(cfgs: Path) -> list[str]:
    """The nets of a folder of configuration files: every file that is not a data set's."""
    names = sorted(path.stem for path in cfgs.glob("*.yml"))
    return [name.removesuffix("_net") for name in names if name.rpartition("_")[2] not in DATASETS]


def config_files(cfgs: Path, dataset: str, net: str) -> list[Path]:
    """The files that a run reads: the data set's, the net's, that of both.

    Args:
        cfgs: the folder of configuration files.
        dataset: the data set's name, or that of its folder; empty: none.
        net: a net's name; empty: none.

    Raises:
        UserError: there is no such net.
    """
    label = dataset.lower()
    own = cfgs / (f"{net}_net.yml" if net in DATASETS else f"{net}.yml")
    if net:
        check_net(net, net_names(cfgs))
    candidates = [cfgs / f"{label}.yml"] if label else []
    candidates += [own] if net else []
    candidates += [cfgs / f"{net}_{label}.yml"] if net and label else []
    return [path for path in candidates if path.is_file() and (path == own or not _of_a_net(path))]


def check_net(net: str, nets: Sequence[str]) -> None:
    """See that a net is one of `nets`.

    Raises:
        UserError: it is not.
    """
    if net not in nets:
        near = difflib.get_close_matches(net, nets, n=1)
        hint = f"did you mean {near[0]}? All: " if near else "one of "
        raise UserError(f"unknown net {net!r}: {hint}{' '.join(nets)}")


def _of_a_net(path: Path) -> bool:
    """Whether a file configures a net rather than a data set, whose folder may have the same name."""
    return any(line.startswith(NET_KEYS) for line in path.read_text(encoding="utf-8").splitlines())
