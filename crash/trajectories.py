"""The losses of the first steps of three tiny trainings, compared with those that are kept: exactly on the
same kind of processor with the same TensorFlow, elsewhere to a tolerance that grows with the steps.
`python -m crash.trajectories`, which is part of `make crash-test`; `--write` keeps those of today.

The data are generated from a seed, the nets are those of `crash.training`. Graphs run as they were traced:
what TensorFlow's optimizer makes of them computes in another order.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crash.cases import ROOT
from crash.training import DETECTOR, DSG, GROUNDING, WEIGHTS, options
from dsg.apps.parser import Parser
from dsg.apps.process import run_process, status_of
from dsg.errors import UserError
from dsg.runtime.files import write_text
from dsg.runtime.machine import machine

KEPT = ROOT / "tests" / "golden" / "trajectories.json"
STEPS = 100
CFGS = ROOT / "experiments" / "cfgs"
LONG = ("TRAIN.EPOCHS", "1", "TRAIN.STEPS_PER_EPOCH", str(STEPS), "TRAIN.SAVE_MINUTES", "0")
QUIET = ("TRAIN.SUMMARY_INTERVAL", "0", "TRAIN.DISPLAY", "0")
SYSTEMS = {
    "dsg": ("shapes", [CFGS / "shapes.yml", CFGS / "mini.yml"], options(DSG)),
    "detector": ("shapes", [CFGS / "models" / "detector_mini.yml"], options(DETECTOR)),
    "grounding": (
        "shapes150",
        [CFGS / "models" / "grounding_mini.yml"],
        options(GROUNDING, "GROUNDING.SETTING", "sgdet", "GROUNDING.REFINE", "True"),
    ),
}
PICTURES: dict[str, Any] = {"size": (96, 64), "seed": 1, "workers": 1, "progress": False}
Row = list[float]  # the whole loss of a step, and the norm of its gradient


class Enough(Exception):
    """So many steps were wanted."""


def losses(system: str, steps: int, folder: Path) -> list[Row]:
    """The losses of the first steps of a system's training.

    Args:
        system: one of `SYSTEMS`.
        steps: at most `STEPS`.
        folder: for data and the run; data that are there are used again.
    """
    from dsg.config import load_config
    from dsg.datasets.shapes.generator import generate_shapes
    from dsg.datasets.shapes.graph_generator import generate_graphs
    from dsg.engine.callbacks.callback import Callback, Step
    from dsg.engine.runs import Run
    from dsg.engine.state import TrainState
    from dsg.engine.train import train
    from dsg.models.registry import task_of
    from dsg.pipeline.splits import load_splits

    dataset, files, given = SYSTEMS[system]
    if dataset == "shapes":
        generate_shapes(folder / dataset, train=12, test=2, objects=(2, 3), **PICTURES)
    else:
        generate_graphs(folder / dataset, train=12, test=2, masks=6, objects=(3, 4), **PICTURES)
        given = [*given, "WEIGHTS", str(folder / WEIGHTS)]
    config = load_config(files, [*given, *LONG, *QUIET, "DATA.DIR", str(folder)])
    training, validation = load_splits(config, dataset)
    training = dataclasses.replace(training, records=list(training.records) * STEPS)
    if dataset != "shapes":
        _write_detector(config, training.vocabulary, folder / WEIGHTS)
    rows: list[Row] = []

    class Collected(Callback):
        def on_step_end(self, state: TrainState, step: Step) -> None:
            rows.append([float(step.report.losses["total"]), float(step.report.gradient_norm)])
            if len(rows) == steps:
                raise Enough

    with contextlib.suppress(Enough):
        run = Run.of(folder / "output", config.net, dataset, "run")
        train(task_of(config), config, training, validation, run, callbacks=[Collected()])
    return rows


def _write_detector(config: Any, words: Any, path: Path) -> None:
    """The snapshot of a detector as it begins, for a graph to stand on."""
    from dsg.config import flatten
    from dsg.engine.snapshots import Meta, save_snapshot
    from dsg.models.grounding.build import build_grounding

    meta = Meta(
        net=config.net,
        epoch=1,
        step=1,
        config=json.loads(json.dumps(flatten(config))),
        objects=list(words.objects),
        predicates=list(words.predicates),
        mask_objects=list(words.mask_objects),
    )
    save_snapshot(path, build_grounding(config, words).detector.named_variables(), {}, meta)


def kind() -> dict[str, Any]:
    """What losses depend on to the last bit."""
    known = machine()
    return {name: known[name] for name in ("processor", "tensorflow")}


def read_kept() -> dict[str, Any]:
    """The file of losses: `kind`, and `systems`, rows by system.

    Raises:
        UserError: it is not there.
    """
    try:
        return json.loads(KEPT.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{KEPT}: {error.strerror}; --write makes it") from None


def difference(kept: Sequence[Row], found: Sequence[Row], *, exact: bool) -> str:
    """What is wrong about losses, in words; empty if nothing is.

    Args:
        exact: to the last bit. Otherwise the first ten steps have to agree to a hundredth, and the mean loss
            of later tens to a fifth: roundings grow with every step.
    """
    if exact:
        wrong = [number for number, rows in enumerate(zip(kept, found), 1) if rows[0] != rows[1]]
        return f"steps {wrong[0]} to {wrong[-1]} are not the same to the last bit" if wrong else ""
    for start in range(0, len(found), 10):
        expected, given = (np.array(rows[start : start + 10])[:, 0] for rows in (kept[: len(found)], found))
        if start:
            expected, given = expected.mean(keepdims=True), given.mean(keepdims=True)
        worst = float(np.max(np.abs(given / expected - 1)))
        if not worst <= (0.2 if start else 0.01):
            return f"steps {start + 1} to {start + len(given)} are off by {worst:.1%}"
    return ""


def main(arguments: Sequence[str]) -> int:
    """Compare, or write; the exit status is 1 where losses differ."""
    return status_of(lambda: run(_parser().parse(arguments)))


def _parser() -> Parser:
    parser = Parser("python -m crash.trajectories", description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N", help=f"at most {STEPS}, the default")
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), metavar="SYSTEM")
    parser.add_argument("--write", action="store_true", help=f"write {KEPT.relative_to(ROOT)}")
    return parser


def run(options: argparse.Namespace) -> int:
    """What the command line asks for."""
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    systems: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory(prefix="trajectories-") as folder:
        for system in options.only:
            systems[system] = losses(system, options.steps, Path(folder) / system)
            print(f"{system}: {len(systems[system])} steps", flush=True)
    if options.write:
        rows = ",\n".join(f'  "{name}": {json.dumps(rows)}' for name, rows in systems.items())
        write_text(KEPT, f'{{\n "kind": {json.dumps(kind())},\n "systems": {{\n{rows}\n }}\n}}\n')
        return 0
    kept, wrong = read_kept(), False
    exact = kept["kind"] == kind()
    for system, rows in systems.items():
        text = difference(kept["systems"][system], rows, exact=exact)
        wrong = wrong or bool(text)
        print(f"{system}: {text or ('the same bit for bit' if exact else 'within the tolerance')}")
    return int(wrong)


if __name__ == "__main__":
    run_process(main)
