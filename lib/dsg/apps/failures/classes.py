"""The class of a failed answer: an automatic stand-in for the paper's manual analysis.

One side of a query (its subjects, or its objects) has failed where its IoU is below a threshold. The classes
are tried in the paper's order and the first that fits is the answer's; which others fit as well is kept, for
they overlap: a wrong box of the right category goes with a right box that is called `other`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dsg.boxes.overlaps import overlaps

CLASSES = ("detector", "misclassified", "relation", "multiplicity", "other")
MEANINGS = {
    "detector": "no proposal on any of the true boxes (IoU 0.5)",
    "misclassified": "all proposals on true boxes are called background or other",
    "relation": "only wrong boxes were chosen, at least one of the right category",
    "multiplicity": "right and wrong boxes were chosen, or only some of the right ones",
    "other": "none of these, such as a box that is too large or in the other role",
}
PUBLISHED = {
    "detector": 0.3,
    "misclassified": 0.233,
    "relation": 0.166,
    "multiplicity": 0.166,
    "other": 0.133,
}
OVERLAP = 0.5  # from which a box is on another
BACKGROUND, OTHER = 0, 3


class Side(NamedTuple):
    """One side of one query. N boxes, G true boxes; boxes in pixels, +1 widths."""

    proposals: np.ndarray  # [N, 4]
    boxes: np.ndarray  # [N, 4], refined
    chosen: np.ndarray  # bool [N]: the answer
    roles: np.ndarray | None  # int [N]: likeliest role of each box; None if roles are not classified
    categories: np.ndarray | None  # int [N]: likeliest category of each box; None without label heads
    gt_boxes: np.ndarray  # [G, 4]
    gt_categories: np.ndarray  # int [G]
    true: np.ndarray  # bool [G]: the boxes that were asked for
    category: int  # that was asked for


def failure_classes(side: Side) -> tuple[str, ...]:
    """The classes that fit a failed answer, in the order of `CLASSES`; the first is the answer's class.

    Without label heads a box has the category of the true box that it is on, if any; without role classes a
    box that was not chosen counts as called background.
    """
    on_proposal = overlaps(side.proposals, side.gt_boxes) >= OVERLAP  # [N, G]
    on_box = overlaps(side.boxes, side.gt_boxes) >= OVERLAP
    found = on_proposal[:, side.true]
    if not found.any():
        return ("detector",)
    fitting = []
    best = overlaps(side.proposals, side.gt_boxes[side.true]).argmax(axis=0)[found.any(axis=0)]
    unnamed = ~side.chosen if side.roles is None else np.isin(side.roles, (BACKGROUND, OTHER))
    if unnamed[best].all():
        fitting.append("misclassified")
    hits = on_box[np.ix_(side.chosen, side.true)]
    right = hits.any(axis=1)  # of the chosen boxes
    if (
        side.chosen.any()
        and not right.any()
        and (_categories(side, on_box)[side.chosen] == side.category).any()
    ):
        fitting.append("relation")
    if right.any() and (not right.all() or not hits.any(axis=0).all()):
        fitting.append("multiplicity")
    return tuple(fitting) or ("other",)


def _categories(side: Side, on_box: np.ndarray) -> np.ndarray:
    """int [N]; -1 where unknown."""
    if side.categories is not None:
        return side.categories
    best = overlaps(side.boxes, side.gt_boxes).argmax(axis=1)
    return np.where(on_box.any(axis=1), side.gt_categories[best], -1)
