"""A run's folder, `output/<net>/<dataset>_train/<name>/`: its files, and which snapshot a name means.

<name>_iter_0.npz    the best on validation so far
<name>_iter_N.npz    after epoch N (file names call epochs iters)
<name>_last.npz      inside an epoch, where the run was interrupted; gone once the epoch has ended
config.yml  history.jsonl  curves.png  sessions.jsonl  report.txt  report.html  logs/  tensorboard/
test/<snapshot>/
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dsg.datasets.remedies import fetch_command
from dsg.engine.names import PRETRAINED, SNAPSHOT_NAME, check_run_name
from dsg.engine.snapshots import Meta, Snapshot, load_meta, load_snapshot
from dsg.errors import UserError
from dsg.runtime.locks import locked
from dsg.runtime.weight_files import CHECKPOINT_PART, best_snapshot, find_weights

LOG = logging.getLogger("dsg")
HISTORY = "history.jsonl"


@dataclass(frozen=True)
class Run:
    """The folder and the name of a run."""

    folder: Path
    name: str

    @staticmethod
    def of(output: Path, net: str, dataset: str, name: str) -> Run:
        """The run of that name of a net on a data set.

        Raises:
            UserError: if the name would lead elsewhere, or is that of a snapshot.
        """
        check_run_name(name)
        return Run(train_folder(output, net, dataset) / name, name)

    def snapshot(self, epoch: int) -> Path:
        """The snapshot after an epoch; of epoch 0, the best so far."""
        return self.folder / f"{self.name}_iter_{epoch}.npz"

    @property
    def last(self) -> Path:
        """The snapshot from which an interrupted run resumes."""
        return self.folder / f"{self.name}_last.npz"

    def epochs(self) -> list[int]:
        """Epochs with a snapshot, the best one aside, in rising order."""
        pattern = re.compile(re.escape(self.name) + r"_iter_(\d+)\.npz")
        found = (pattern.fullmatch(path.name) for path in self.folder.glob("*.npz"))
        return sorted(int(match[1]) for match in found if match and int(match[1]) > 0)

    def make_folder(self) -> None:
        """Create the folder and see that it can be written to.

        Raises:
            UserError: if it cannot.
        """
        probe = self.folder / f".writable.{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            probe.write_text("", encoding="utf-8")
            probe.unlink()
        except OSError as error:
            raise UserError(
                f"{self.folder}: cannot write there ({error.strerror or error}); choose another folder with "
                "--output"
            ) from error

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps a second process from training the same run; the lock ends with the process.

        Raises:
            UserError: if another process holds it.
        """
        held = f"{self.folder}: another process is training this run; wait for it, or give another name"
        with locked(self.folder / ".lock", held, "train it only once at a time"):
            self._remove_half_written()
            yield

    def _remove_half_written(self) -> None:
        """Remove what a killed process left of the files that only a training run writes."""
        files = (
            rf"{re.escape(self.name)}_(iter_\d+|last)\.npz|config\.yml|(history|sessions)\.jsonl|curves\.png"
        )
        half_written = re.compile(rf"\.({files})(\.\d+)?\.tmp")
        for path in self.folder.glob(".*.tmp"):
            if half_written.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def check_new(self, snapshot_iters: int) -> None:
        """Check, if there is nothing to resume from, that new training does not replace a best snapshot.

        Args:
            snapshot_iters: epochs between two snapshots; a best one from before the first of them, or written
                just before it when the run was killed, is worth no more than a run that was killed at its
                beginning.

        Raises:
            UserError: of an earlier run only the best snapshot is left.
        """
        best, file = self.best(), self.snapshot(0).name
        if best is None or best.epoch < snapshot_iters:
            return
        if best.epoch > snapshot_iters or self._epochs_told() >= snapshot_iters:
            raise UserError(
                f"{self.folder}: only the best snapshot, of epoch {best.epoch}, is left; training cannot "
                f"resume from it and would replace it: give another name, or move {file} away"
            )

    def _epochs_told(self) -> int:
        """How many epochs are in the history, which follows the snapshot of each."""
        try:
            return (self.folder / HISTORY).read_text(encoding="utf-8", errors="replace").count("\n")
        except OSError:
            return 0

    def best(self) -> Meta | None:
        """The description in the best snapshot; None if there is no readable one."""
        if not self.snapshot(0).exists():
            return None
        try:
            return load_meta(self.snapshot(0))
        except UserError as error:
            LOG.warning("%s", error)
            return None

    def description(self) -> Meta | None:
        """The description in one of its snapshots, all of which have the same options; None without any that
        can be read.
        """
        for path in (self.last, *map(self.snapshot, reversed(self.epochs())), self.snapshot(0)):
            with contextlib.suppress(UserError):
                return load_meta(path)
        return None

    def prune(self, kept: int) -> None:
        """Delete all but the newest `kept` snapshots, and never the best or the only one."""
        for epoch in self.epochs()[: -max(kept, 1)]:
            self.snapshot(epoch).unlink(missing_ok=True)

    def resume(self) -> Snapshot | None:
        """The state to resume from: the latest undamaged snapshot; damaged ones are skipped with a notice."""
        paths = [self.snapshot(epoch) for epoch in self.epochs()] + [self.last] * self.last.exists()
        damaged = 0
        reached: list[tuple[int, int, Path]] = []
        for path in paths:
            try:
                meta = load_meta(path)
                reached.append((meta.epoch, meta.epoch_step, path))
            except UserError as error:
                LOG.warning("%s", error)
                damaged += 1
        for _, _, path in sorted(reached, reverse=True):
            try:
                snapshot = load_snapshot(path)
            except UserError as error:
                LOG.warning("%s", error)
                damaged += 1
                continue
            if damaged:
                LOG.warning("resuming from %s instead", path.name)
            return snapshot
        if paths:
            raise UserError(
                f"{self.folder}: none of its {len(paths)} snapshots can be read; give another name, or move "
                "them away to start again"
            )
        return None


def train_folder(output: Path, net: str, dataset: str) -> Path:
    """Where the runs of a net on a data set lie."""
    return output / net / f"{dataset}_train"


def find_snapshot(text: str, output: Path, net: str, dataset: str, data_dir: Path) -> Path:
    """The file that a snapshot's name means: `<name>_iter_N` of a run, a run's name or folder for its best
    one, a path, or `dsg_pretrained`.

    A TensorFlow 1 checkpoint is named by any of its files, or by their prefix, which is what comes back.

    Raises:
        UserError: it does not exist; the message lists those that do.
    """
    folder = train_folder(output, net, dataset)
    places = [Path(text), Path(f"{text}.npz")]
    match = SNAPSHOT_NAME.fullmatch(text)
    if match:
        places.insert(0, folder / match["run"] / f"{text}.npz")
    if text == PRETRAINED:
        folders = [
            data_dir / "pretrained",
            data_dir,
            Path("data") / "pretrained",
            folder / PRETRAINED,
            folder,
        ]
        places = [place / f"{PRETRAINED}.ckpt" for place in folders]
    if text != PRETRAINED and text:
        if CHECKPOINT_PART.fullmatch(Path(text).name):
            return find_weights(Path(text)).path
        runs = [Path(text), *([folder / text] if Path(text).name == text else [])]
        places += [path for path in map(best_snapshot, filter(os.path.isdir, runs)) if path is not None]
    for place in places:
        if place.name and any(os.path.isfile(file) for file in (place, f"{place}.index")):
            return place
    if text == PRETRAINED:
        raise UserError(
            f"the released checkpoint is missing: {places[0]}.index and .data-00000-of-00001; "
            f"`{fetch_command(PRETRAINED, data_dir)}` fetches them (data/README.md)"
        )
    known = available(folder)
    there = f"available: {', '.join(known)}" if known else "none exists yet: train first"
    raise UserError(f"no snapshot {text!r} of {net} on {dataset} in {folder}: {there}")


def available(folder: Path) -> list[str]:
    """Names of the snapshots of all runs in a folder of runs."""
    return sorted(path.stem for path in folder.glob("*/*.npz") if SNAPSHOT_NAME.fullmatch(path.stem))
