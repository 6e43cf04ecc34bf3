"""Relations computed from boxes: where two things of an image are to each other. docs/your-own-data.md tells
the rules.
"""

from __future__ import annotations

from dsg.apps.convert.records import Entity

INSIDE = 0.9
"""Share of the smaller box that lies in the larger one."""
OVERLAP = 0.1
"""Intersection over union from which two boxes overlap; below they are beside or above each other."""
BESIDE = 1.0
"""A thing is left or right of another where the centres' distance across is at least so many times that up
and down; else above or below."""
PREDICATES = ("left of", "right of", "above", "below", "inside", "contains", "overlaps")
REVERSE = {
    "left of": "right of",
    "right of": "left of",
    "above": "below",
    "below": "above",
    "inside": "contains",
    "contains": "inside",
    "overlaps": "overlaps",
}


def spatial_relation(first: Entity, second: Entity) -> str:
    """What the first thing is to the second: one of `PREDICATES`.

    Example:
        >>> spatial_relation(Entity("cup", (0, 0, 10, 10)), Entity("cup", (50, 0, 60, 10)))
        'left of'
    """
    across = min(first.box[2], second.box[2]) - max(first.box[0], second.box[0])
    down = min(first.box[3], second.box[3]) - max(first.box[1], second.box[1])
    common = max(across, 0.0) * max(down, 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first.box, second.box)]
    if common >= INSIDE * min(areas) and areas[0] != areas[1]:
        return "inside" if areas[0] < areas[1] else "contains"
    if common >= OVERLAP * (sum(areas) - common):
        return "overlaps"
    right, below = (
        (second.box[axis] + second.box[axis + 2] - first.box[axis] - first.box[axis + 2]) / 2
        for axis in (0, 1)
    )
    if abs(right) >= BESIDE * abs(below):
        return "left of" if right >= 0 else "right of"
    return "above" if below >= 0 else "below"


def spatial_relations(entities: list[Entity]) -> list[tuple[int, str, int]]:
    """The relations of all pairs of an image's things, by their places in the list, in both directions."""
    found = []
    for place, first in enumerate(entities):
        for other in range(place + 1, len(entities)):
            if first != entities[other]:
                name = spatial_relation(first, entities[other])
                found += [(place, name, other), (other, REVERSE[name], place)]
    return found
