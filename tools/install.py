"""Installs requirements files into the environment of the interpreter that runs it: `install.py FILE ...`.

uv unpacks packages in parallel, in a third of pip's time, and is taken where it can be had; it is told what
pip is configured with. Whatever it cannot do (an index that wants a password, say) pip then does.
`DSG_INSTALLER=pip` leaves uv out.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

QUIET = ["-q", "--disable-pip-version-check"]
PIP = [sys.executable, "-m", "pip"]
UV = [sys.executable, "-m", "uv", "pip", "install", "-q", "--python", sys.executable]
# pip's setting -> uv's variable, and what joins several values there.
SETTINGS = {
    "index-url": ("UV_DEFAULT_INDEX", None),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "constraint": ("UV_CONSTRAINT", " "),
    "cert": ("SSL_CERT_FILE", None),
}
KNOWN = {*SETTINGS, "timeout", "default-timeout", "disable-pip-version-check", "no-cache-dir", "cache-dir"}


def main(files: list[str]) -> int:
    """The exit status of whoever installed last."""
    wanted = [word for file in files for word in ("-r", file)]
    if os.environ.get("DSG_INSTALLER") != "pip":
        settings = pip_settings(_run([*PIP, "config", "list"]).stdout)
        variables = uv_variables(settings)
        if variables is not None and not _run([*PIP, "install", *QUIET, "uv"]).returncode:
            environment = {**os.environ, "UV_INDEX_STRATEGY": "unsafe-best-match", **variables}  # as pip does
            if not _run([*UV, *wanted], env=environment).returncode:
                return 0
    return subprocess.run([*PIP, "install", *QUIET, *wanted], check=False).returncode


def pip_settings(listing: str) -> dict[str, list[str]]:
    """What `pip config list` prints, by the option's name, whichever file or variable it comes from.

    Example:
        >>> pip_settings("global.index-url='https://a/simple'\\n:env:.find-links='/wheels /more'")
        {'index-url': ['https://a/simple'], 'find-links': ['/wheels', '/more']}
    """
    found: dict[str, list[str]] = {}
    weakest_first = ("global.", "user.", "site.", ":env:.")
    lines = [line for start in weakest_first for line in listing.splitlines() if line.startswith(start)]
    for line in lines:
        name, separator, value = line.partition("=")
        if separator:
            found[name.rpartition(".")[2]] = value.strip("'\"").replace("\\n", " ").split()
    return found


def uv_variables(settings: Mapping[str, list[str]]) -> dict[str, str] | None:
    """The environment that makes uv look where pip does; None where pip is told something else, too."""
    if set(settings) - KNOWN:
        return None
    variables = {}
    for name, values in settings.items():
        variable, separator = SETTINGS.get(name, ("", None))
        # uv stops at an index that is not there; pip passes over it.
        there = [value for value in values if not value.startswith("file://") or os.path.isdir(value[7:])]
        if variable and there:
            variables[variable] = there[-1] if separator is None else separator.join(there)
    return variables


def _run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
