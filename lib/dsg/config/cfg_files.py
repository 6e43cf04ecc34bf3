"""The folder of configuration files, `experiments/cfgs`: which nets it has, and which files a run reads.

`<dataset>.yml` has what belongs to a data set, `<net>.yml` what belongs to a net, and `<net>_<dataset>.yml`
what belongs to both. A net chooses MODEL or BACKBONE (or NET), itself or in the file that it changes; that
tells it from a data set. Systems other than dsg lie in `models/`, so that the baseline vrd and the data set
vrd do not meet.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from dsg.config.yaml_file import chain
from dsg.errors import UserError

MODELS = "models"
CHOICES = {"MODEL", "BACKBONE", "NET"}


def net_names(cfgs: Path) -> list[str]:
    """The nets of a folder of configuration files, in alphabetical order.

    Files that cannot be read are left out: what is wrong with one is said when it is asked for.
    """
    nets = set()
    for path in [*(cfgs / MODELS).glob("*.yml"), *cfgs.glob("*.yml")]:
        with contextlib.suppress(UserError):
            if _is_net(path) and not _is_older_name(path):
                nets.add(path.stem)
    return sorted(nets)


def config_files(cfgs: Path, dataset: str, net: str) -> list[Path]:
    """The files that train.sh reads for a net on a data set, in its order; only the net's must be there.

    Args:
        cfgs: the folder of configuration files.
        dataset: the data set's name, or that of its folder. A folder that is called like a net, or like the
            end of its name, does not bring that net's options.
        net: a net's name.

    Raises:
        UserError: there is no such net, or one of the files cannot be read.
    """
    label = dataset.lower()
    own = cfgs / MODELS / f"{net}.yml"
    own = own if own.is_file() else cfgs / f"{net}.yml"
    plain = net == Path(net).name and own.is_file()
    if not plain or not _is_net(own) or _is_older_name(own):
        raise UserError(f"unknown net {net!r}: one of {' '.join(net_names(cfgs))}")
    of_data, of_both = cfgs / f"{label}.yml", cfgs / f"{net}_{label}.yml"
    return [path for path in (of_data, own, of_both) if path == own or (path.is_file() and not _is_net(path))]


def _is_net(path: Path) -> bool:
    """Whether a file, or one that it changes, chooses what is built."""
    return any(CHOICES & set(tree) for _, tree in chain(path))


def _is_older_name(path: Path) -> bool:
    """Whether a file only names another one: commands that name it still work, it is no net of its own."""
    return set(chain(path)[0][1]) == {"BASE"}
