"""The history of a run's epochs as a file and as curves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dsg.engine.callbacks.callback import Callback
from dsg.engine.runs import HISTORY
from dsg.engine.state import TrainState
from dsg.runtime.files import write_text
from dsg.visualize.curves import training_curves


class History(Callback):
    """Writes it to the run's folder after every epoch, once the epoch's snapshot is there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def on_epoch_end(self, state: TrainState) -> None:
        write_history(self._folder, state.history)


def write_history(folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """`history.jsonl` and `curves.png` of all epochs so far."""
    write_text(folder / HISTORY, "".join(json.dumps(entry) + "\n" for entry in history))
    training_curves(history, folder / "curves.png")
