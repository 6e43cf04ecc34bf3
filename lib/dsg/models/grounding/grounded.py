"""What the grounded model says of an image: its graph, and a mask for each node."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dsg.models.grounding.answers import Graph


class GroundedImage(NamedTuple):
    """The graph of an image of N nodes, boxes in pixels of the original image.

    Masks are probabilities in the cells of each node's box, of the node's label.
    """

    graph: Graph
    masks: np.ndarray | None = None  # float32 [N, 28, 28]; None where there are none
    refined: np.ndarray | None = None  # float32 [N, 28, 28]: the masks after refinement
    attended: np.ndarray | None = None
    """float32 [A, 2, 28, 28], of the first A pairs of the graph: the masks of subject and object, each
    blurred by its Gaussian, in the cells of its own box.
    """
    nearest: np.ndarray | None = None
    """float32 [N, 28, 28], of evaluations: the mask of the category of masks that is most like the label."""
