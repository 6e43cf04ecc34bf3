"""The command that fetches what is missing, for messages; it can be typed where the user is."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

SCRIPT = "experiments/scripts/fetch.sh"
START = "DSG_START"
"""Environment variable: the folder in which a script was called that then went to the clone's root."""
ROOT = Path(os.path.abspath(__file__)).parents[3]  # of the clone


def fetch_command(name: str, data_dir: str | os.PathLike[str] = "data", only: str = "") -> str:
    """What to type to have `name` in `data_dir`.

    Example:
        >>> fetch_command("imagenet_weights", "/disk/my data", "res101")  # in the clone's root
        "./experiments/scripts/fetch.sh imagenet_weights res101 --data '/disk/my data'"
    """
    start = _start()
    here = not (ROOT / SCRIPT).is_file() or _same(start, ROOT)  # without a clone: as in the documentation
    words = [f"./{SCRIPT}" if here else shlex.quote(str(ROOT / SCRIPT)), name]
    if only:
        words.append(only)
    folder = Path(data_dir)
    if not folder.is_absolute() and not _same(start, Path.cwd()):
        folder = Path.cwd() / folder
    if not (here and folder == Path("data")) and folder != ROOT / "data":
        words += ["--data", shlex.quote(str(folder))]
    return " ".join(words)


def _start() -> Path:
    """Where the user is: scripts go to the clone's root before they start a program."""
    return Path(os.environ.get(START) or ".") if _same(Path.cwd(), ROOT) else Path.cwd()


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
