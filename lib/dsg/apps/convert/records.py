"""What every converter makes of its input: images with relationships in words, and the account of what was
left out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from dsg.datasets.plausibility import BoxTally
from dsg.errors import UserError

Box = tuple[float, float, float, float]  # x1 y1 x2 y2, pixels of the original image


@dataclass(frozen=True)
class Entity:
    """A box with the name of its category."""

    name: str
    box: Box


@dataclass(frozen=True)
class Picture:
    """An image and what is related to what in it."""

    key: str  # id in the source, by which splits are assigned
    file: str  # file name, maybe with folders before it
    width: int
    height: int
    relationships: list[tuple[Entity, str, Entity]]
    split: str | None = None  # where the source tells it; else a rule does


@dataclass
class Account:
    """How much was read, kept, and left out for which reason."""

    images: Counter[str] = field(default_factory=Counter)  # by split
    relationships: Counter[str] = field(default_factory=Counter)  # by split
    left_out: Counter[str] = field(default_factory=Counter)  # by reason
    first: dict[str, str] = field(default_factory=dict)  # reason -> an example
    notes: list[str] = field(default_factory=list)  # what the user should look at
    boxes: BoxTally = field(default_factory=BoxTally)  # of those that are related, before they are cut
    order: str = ""  # of the four numbers of a box in the source
    source: str = ""  # the file that boxes come from

    def skip(self, reason: str, example: str) -> None:
        """Counts something that is left out."""
        self.left_out[reason] += 1
        self.first.setdefault(reason, example)

    def lines(self) -> list[str]:
        """The account as text."""
        result = [
            f"{split}: {self.images[split]:,} images, {self.relationships[split]:,} relationships"
            for split in self.images
        ]
        for reason, number in self.left_out.most_common():
            result.append(f"  left out, {reason}: {number:,} (the first: {self.first[reason]})")
        if self.boxes.leaving:
            result.append(f"  cut at the border: {self.boxes.share}, the first in {self.boxes.first}")
        return result + self.notes

    def check_boxes(self) -> None:
        """Raise `UserError` if boxes cannot be meant as they stand, see `dsg.datasets.plausibility`."""
        fault = self.boxes.fault(self.order)
        if fault:
            raise UserError(f"{self.source}: {fault}")


def clipped(box: Box, width: int, height: int) -> Box | None:
    """The part of a box inside its image; None if there is none."""
    x1, y1, x2, y2 = max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)
    return (x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None
