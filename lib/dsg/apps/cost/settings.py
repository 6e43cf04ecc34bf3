"""On what the cost of the graph is measured. No TensorFlow here, `--help` needs this file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CostSettings:
    """The image on which the cost of the graph is measured, and how often."""

    width: int = 800  # of the image as it is stored; the configuration scales it
    height: int = 600
    queries: int = 3
    objects: int = 6  # ground-truth boxes
    entities: int = 100  # categories, as in Visual Genome
    predicates: int = 70
    repeats: int = 9  # turns; 0: nothing is timed
    warm_up: int = 2
    seconds: float = 240.0  # of the turns of one task; at least two take place
