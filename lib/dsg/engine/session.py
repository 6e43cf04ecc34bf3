"""What started a training: command, data, versions and machine; a line of `sessions.jsonl` for each start.

It is written when training begins or resumes, since nothing else in the folder tells it afterwards.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from dsg.runtime.clone import commit
from dsg.runtime.files import write_text
from dsg.runtime.machine import machine
from dsg.version import __version__

SESSIONS = "sessions.jsonl"


def add_session(folder: Path, session: dict[str, Any]) -> None:
    """Add a line to the run's sessions.

    Raises:
        UserError: if it cannot be written.
    """
    sessions = [*read_sessions(folder), session]
    write_text(folder / SESSIONS, "".join(json.dumps(entry) + "\n" for entry in sessions))


def read_sessions(folder: Path) -> list[dict[str, Any]]:
    """The sessions of a run, those that cannot be read left out."""
    try:
        lines = (folder / SESSIONS).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    sessions = []
    for line in lines:
        try:
            session = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(session, dict):
            sessions.append(session)
    return sessions


def this_session(command: str) -> dict[str, Any]:
    """Of the process that asks, started by `command`: when, versions, machine."""
    import tensorflow as tf

    gpus = tf.config.get_visible_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return {
        "started": time.strftime("%Y-%m-%d %H:%M:%S"),
        "command": command,
        "dsg": __version__,
        "commit": commit(),
        **machine(),
        "gpus": names,
    }
