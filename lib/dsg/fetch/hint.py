"""The command that fetches what is missing, for messages."""

from __future__ import annotations

import os
import shlex

SCRIPT = "./experiments/scripts/fetch.sh"


def fetch_command(name: str, data_dir: str | os.PathLike[str] = "data", only: str = "") -> str:
    """What to type to have `name` in `data_dir`.

    Example:
        >>> fetch_command("imagenet_weights", "/disk/my data", "res101")
        "./experiments/scripts/fetch.sh imagenet_weights --only res101 --data '/disk/my data'"
    """
    words = [SCRIPT, name]
    if only:
        words += ["--only", only]
    if os.fspath(data_dir) != "data":
        words += ["--data", shlex.quote(os.fspath(data_dir))]
    return " ".join(words)
