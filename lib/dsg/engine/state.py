"""How far training got: what a snapshot keeps besides arrays, so that a resumed run continues unchanged."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from dsg.engine.snapshots import Meta
from dsg.engine.step import StepReport


@dataclass
class EpochState:
    """The unfinished epoch."""

    position: int = 0  # the step of the epoch's order that comes next; steps without a usable image count
    steps: int = 0  # that were made
    timed_images: int = 0  # the first step of a process builds the graph, and would falsify the speed
    bad_steps: int = 0  # whose loss or gradient was not finite; they changed nothing
    seconds: float = 0.0  # that they took
    sums: dict[str, float] = field(default_factory=dict)  # of each loss over the good steps

    def add(self, report: StepReport, images: int, position: int, seconds: float | None) -> None:
        """Count a step; `seconds` None if its time tells nothing."""
        self.position, self.steps = position, self.steps + 1
        if seconds is not None:
            self.timed_images, self.seconds = self.timed_images + images, self.seconds + seconds
        if report.finite:
            for name, value in report.losses.items():
                self.sums[name] = self.sums.get(name, 0.0) + value
        else:
            self.bad_steps += 1

    @property
    def speed(self) -> float:
        """Images a second; 0 before it is known."""
        return self.timed_images / self.seconds if self.seconds else 0.0

    def means(self) -> dict[str, float]:
        """The mean of each loss over the good steps."""
        good = max(self.steps - self.bad_steps, 1)
        return {name: value / good for name, value in self.sums.items()}


@dataclass
class TrainState:
    """The whole run."""

    epoch: int = 0  # finished epochs
    step: int = 0  # steps made, over all epochs
    bad_in_row: int = 0
    best_score: float | None = None
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)  # images skipped so far: name -> why
    current: EpochState = field(default_factory=EpochState)

    def add(self, report: StepReport, images: int, position: int, seconds: float | None) -> None:
        """Count a step; `seconds` None if its time tells nothing."""
        self.step += 1
        self.bad_in_row = 0 if report.finite else self.bad_in_row + 1
        self.current.add(report, images, position, seconds)

    def entry(self, validation: dict[str, float], learning_rate: float) -> dict[str, Any]:
        """What the history says of the epoch whose steps are over.

        Args:
            validation: the figures of its validation, by name.
            learning_rate: of its last step.
        """
        losses = self.current.means()
        return {
            "epoch": self.epoch + 1,
            "step": self.step,
            "learning_rate": learning_rate,
            "total": losses.pop("total", None),
            "losses": losses,
            "validation": validation,
            "bad_steps": self.current.bad_steps,
            "unreadable_images": len(self.unreadable),
            "images_per_second": round(self.current.speed, 3),
            "seconds": round(self.current.seconds, 1),
        }

    def finish_epoch(self, entry: dict[str, Any], score: float) -> bool:
        """Count an epoch, whose entry joins the history; whether its validation score is the best so far.

        A score that is nan, where validation had nothing to score, counts as none: any number is better, and
        while there is no number the latest epoch is the best.
        """
        self.epoch += 1
        self.current = EpochState()
        self.history.append(entry)
        known = _number(score)
        best = self.best_score is None or (known is not None and known > self.best_score)
        if best:
            self.best_score, self.best_epoch = known, self.epoch
        return best

    def to_meta(self, about: dict[str, Any]) -> Meta:
        """For a snapshot; `about` has the fields of `Meta` that do not change during a run."""
        return Meta(
            epoch=self.epoch,
            step=self.step,
            epoch_step=self.current.position,
            epoch_state={
                **asdict(self.current),
                "bad_in_row": self.bad_in_row,
                "unreadable": list(self.unreadable),  # no reasons: paths are of this machine
            },
            best_score=self.best_score,
            best_epoch=self.best_epoch,
            history=self.history,
            **about,
        )

    @staticmethod
    def from_meta(meta: Meta) -> TrainState:
        """What `to_meta` wrote."""
        saved = meta.epoch_state
        unreadable = saved.get("unreadable", [])  # not in older snapshots
        known = {item.name for item in fields(EpochState)}
        return TrainState(
            epoch=meta.epoch,
            step=meta.step,
            bad_in_row=saved.get("bad_in_row", 0),
            best_score=_number(meta.best_score),  # nan in older snapshots
            best_epoch=meta.best_epoch,
            history=list(meta.history),
            unreadable={name: f"{name}: not usable before the run went on" for name in unreadable},
            current=EpochState(**{name: value for name, value in saved.items() if name in known}),
        )


def _number(score: float | None) -> float | None:
    return None if score is None or math.isnan(score) else score
