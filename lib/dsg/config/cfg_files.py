"""The folder of configuration files, `experiments/cfgs`: which nets it has, and which files a run reads.

`<dataset>.yml` has what belongs to a data set, `<net>.yml` what belongs to a net, and `<net>_<dataset>.yml`
what belongs to both. A net's file, or the file that it changes, chooses MODEL or BACKBONE (or NET); this
distinguishes it from a data set's. Systems other than dsg are in `models/`, so that the baseline vrd and the
data set vrd do not collide. Files are only scanned here, using nothing but the standard library, so that help
can list the nets; `yaml_file` reads and checks them.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from dsg.errors import UserError

MODELS = "models"
CHOICES = {"MODEL", "BACKBONE", "NET"}
LINE = re.compile(r"(?m)^([A-Z][A-Z0-9_.]*)[ \t]*:[ \t]*(?:[\"']?([^\"'#\n]*))")


def net_names(cfgs: Path) -> list[str]:
    """The nets of a folder of configuration files, in alphabetical order."""
    files = [*(cfgs / MODELS).glob("*.yml"), *cfgs.glob("*.yml")]
    return sorted({path.stem for path in files if _is_net(path) and not _is_older_name(path)})


def config_files(cfgs: Path, dataset: str, net: str) -> list[Path]:
    """The files that training reads for a net on a data set, in order; only the net's must exist.

    Args:
        cfgs: the folder of configuration files.
        dataset: the data set's name, or that of its folder; empty: none. A folder with the name of a net, or
            with the end of its name, does not select that net's options.
        net: a net's name; empty: none.

    Raises:
        UserError: there is no such net.
    """
    label = dataset.lower()
    before = [cfgs / f"{label}.yml"] if label else []
    own = [_file_of(cfgs, net)] if net else []
    after = [cfgs / f"{net}_{label}.yml"] if net and label else []
    return [*_of_data(before), *own, *_of_data(after)]


def _file_of(cfgs: Path, net: str) -> Path:
    """The file of a net's own."""
    nets = net_names(cfgs)
    if net not in nets:
        near = difflib.get_close_matches(net, nets, n=1)
        hint = f"did you mean {near[0]}? All nets: " if near else "one of "
        raise UserError(f"unknown net {net!r}: {hint}{' '.join(nets)}")
    own = cfgs / MODELS / f"{net}.yml"
    return own if own.is_file() else cfgs / f"{net}.yml"


def _of_data(files: list[Path]) -> list[Path]:
    """The files that exist and are not nets of their own."""
    return [path for path in files if path.is_file() and not _is_net(path)]


def _is_net(path: Path) -> bool:
    """Whether a file, or one that it changes, chooses what is built."""
    seen: set[Path] = set()
    while path not in seen and path.is_file():
        seen.add(path)
        lines = _lines(path)
        if CHOICES & set(lines):
            return True
        path = path.parent / lines.get("BASE", "")
    return False


def _is_older_name(path: Path) -> bool:
    """Whether a file only names another: commands that use it still work, but it is not a net of its own."""
    return set(_lines(path)) == {"BASE"}


def _lines(path: Path) -> dict[str, str]:
    """The keys at the beginning of a file's lines, with what follows them."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return {match[1]: match[2].strip() for match in LINE.finditer(text)}
