"""What the two sides are asked: the numbers in one place. Neither framework here."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass

CLASSES = 91  # with the background, as in torchvision's published detectors
MASKS, BFLOAT16, STEP = "masks", "bfloat16", "step"


@dataclass(frozen=True)
class Case:
    """What is timed: an answer or a training step, of Faster R-CNN or of Mask R-CNN."""

    step: bool
    masks: bool
    precision: str

    @property
    def name(self) -> str:
        """Such as answer/res50_fpn/float32, or step/res50_fpn_masks/float32."""
        net = f"res50_fpn{'_masks' if self.masks else ''}"
        return f"{'step' if self.step else 'answer'}/{net}/{self.precision}"

    @classmethod
    def parse(cls, name: str) -> Case:
        """The case of that name."""
        task, net, precision = name.split("/")
        return cls(task == "step", net.endswith("_masks"), precision)


ANSWERS = (
    "answer/res50_fpn/float32",
    "answer/res50_fpn_masks/float32",
)
CASES = (
    *ANSWERS,
    "answer/res50_fpn/bfloat16",
    "answer/res50_fpn_masks/bfloat16",
    "step/res50_fpn/float32",
    "step/res50_fpn_masks/float32",
)


@dataclass(frozen=True)
class PeerSettings:
    """Sizes of what is measured, the same for both sides."""

    height: int = 600
    width: int = 1000
    # Both sides are compared on a smaller image: its sides are multiples of the coarsest stride, so that
    # torchvision pads nothing and its anchors are those of a strided grid.
    compared: tuple[int, int] = (320, 512)
    candidates: int = 1000  # boxes of each level before suppression, answers
    proposals: int = 300  # after suppression, answers
    train_proposals: int = 2000  # before and after, training steps
    regions: int = 512  # of a training step
    objects: int = 6  # ground-truth boxes
    threshold: float = 0.05
    detections: int = 100  # at most
    threads: int = 0  # 0: as many as there are cores
    warm_up: int = 2
    repeats: int = 7  # of an answer, in turns
    steps: int = 4  # of a training step

    def to_json(self) -> str:
        """Text that `from_json` reads."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> PeerSettings:
        """The settings that `to_json` wrote."""
        values = json.loads(text)
        return cls(**{**values, "compared": tuple(values["compared"])})


def cores() -> int:
    """How many this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
