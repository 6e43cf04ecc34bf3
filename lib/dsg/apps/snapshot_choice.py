"""Before a test: the configuration a snapshot is tested with, where results go, and whether they are there.

Nothing here loads TensorFlow, so that what is wrong with the request is said at once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from dsg.config import Config, automatic, flatten, from_values, stored_values
from dsg.config.names import GROUNDING
from dsg.config.pairs import parse_pairs
from dsg.datasets import Dataset
from dsg.datasets.content import content_of
from dsg.engine.names import PRETRAINED, SNAPSHOT_NAME, check_run_name
from dsg.engine.runs import Run, train_folder
from dsg.engine.snapshots import load_meta
from dsg.errors import UserError

# Of the test's configuration; all else is the training's, such as how the data were split.
TODAYS = ("DATA.DIR", "DATA.WORKERS", "DATA.MAX_IMAGES", "WEIGHTS")
TABLE, RESULTS = "table.txt", "results.json"


def is_snapshot(path: Path) -> bool:
    """Whether a file is a snapshot of ours rather than a TensorFlow 1 checkpoint."""
    return path.suffix == ".npz"


def snapshot_name(word: str, name: str, runs: Path) -> str:
    """What `best` and `last` of a run stand for; any other word is a snapshot's name already.

    Args:
        word: as the user gave it.
        name: of the run.
        runs: the folder of the runs.

    Raises:
        UserError: no run can be called so.
    """
    if word not in ("best", "last"):
        return word
    run = Run(runs / check_run_name(name), name)
    if word == "best":
        return run.snapshot(0).stem
    epochs = run.epochs()
    return run.snapshot(epochs[-1]).stem if epochs and not run.last.exists() else run.last.stem


def stored_config(path: Path, given: Config, overrides: Sequence[str] = ()) -> Config:
    """The configuration to test a snapshot with: that of its training, which it carries, at today's place.

    Args:
        path: the snapshot.
        given: where the data lie, how they are read and WEIGHTS are taken from it, and the net is compared.
        overrides: KEY VALUE pairs given for this test; they win.

    Raises:
        UserError: the snapshot cannot be read, or is of another network or variant.
    """
    meta = load_meta(path)
    if meta.net != given.net:
        raise UserError(
            f"{path}: a snapshot of {meta.net}, not of {given.net}; give {meta.net} as the network"
        )
    today = flatten(given)
    values = {**stored_values(meta.config), **{name: today[name] for name in TODAYS}}
    given_today = parse_pairs(overrides)
    trained = values.get("VARIANT", Config().variant)
    if given_today.get("VARIANT", trained) != trained:
        symbolic = "; RR_SOURCE symbolic queries its graph as TWO STEP does" if trained == "dsg" else ""
        raise UserError(
            f"VARIANT {given_today['VARIANT']}: {path} was trained as {trained}, and the variant cannot "
            f"change after training{symbolic}"
        )
    # Anchors belong to the weights: `auto`, which chose them in training, means those that it chose.
    chosen = {name: values[name] for name in automatic(from_values({**values, **given_today}))}
    return from_values({**values, **given_today, **chosen})


def result_folder(path: Path, output: Path, net: str, data: Dataset) -> Path:
    """`<output>/<net>/<dataset>_train/<run>/test/<snapshot>/`; splits other than test have a folder in it.

    A file from elsewhere is named after its own folder, too, where the run has a snapshot of the same name.
    """
    match = SNAPSHOT_NAME.fullmatch(path.stem)
    run = PRETRAINED if path.stem == PRETRAINED else match["run"] if match else path.stem
    folder, name = train_folder(output, net, data.name) / run, path.stem
    if path.parent.name == run:  # a run's own snapshot, wherever the run lies
        folder = path.parent
    elif (folder / path.name).exists() and not (folder / path.name).samefile(path):
        name += f"_of_{path.resolve().parent.name}"
    folder = folder / "test" / name
    return folder if data.split == "test" else folder / data.split


def setting_folder(folder: Path, path: Path, config: Config) -> Path:
    """The folder of a snapshot's results where it is tested in another setting (GROUNDING.TEST_SETTING) than
    it was trained in: below the others'.
    """
    trained = from_values(stored_values(load_meta(path).config)).grounding.setting
    setting = config.grounding.tested_in
    return folder if config.model != GROUNDING or setting == trained else folder / setting


def fingerprint(config: Config, data: Dataset) -> str:
    """What results depend on, besides the snapshot."""
    return json.dumps(
        {"config": flatten(config), "folder": str(data.folder), "data": content_of(data)}, sort_keys=True
    )


def earlier_table(folder: Path, snapshot: Path, config: Config, data: Dataset) -> str | None:
    """The table of an earlier test of the same snapshot with the same configuration, or None."""
    try:
        results = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        newer = (folder / RESULTS).stat().st_mtime >= snapshot.stat().st_mtime
        same = Path(results["snapshot"]).resolve() == snapshot.resolve()
        if not (newer and same) or not _same_fingerprint(results["fingerprint"], fingerprint(config, data)):
            return None
        return (folder / TABLE).read_text(encoding="utf-8")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, UserError):
        return None


def _same_fingerprint(stored: str, asked: str) -> bool:
    """Whether a test that wrote `stored`, perhaps with an earlier version, is the one that is requested."""
    before, now = json.loads(stored), json.loads(asked)
    return {**before, "config": stored_values(before["config"])} == now
