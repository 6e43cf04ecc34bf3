"""How well masks of boxes agree with the true ones, which only generated data have: masks of categories that
copy one, and masks that are transferred, beside two guesses: the box filled, and the nearest category's mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dsg.boxes.paste import placed_masks
from dsg.datasets.formats.segmentations import decode, run_lengths
from dsg.datasets.formats.vg150 import GraphImage
from dsg.metrics.graph_results import BASE, NOVEL, OVERLAPS, MaskOverlaps
from dsg.models.grounding.grounded import GroundedImage


class OverlapMeter:
    """Adds up IoUs, image by image.

    Args:
        transfer: float32 [M, V], of the model.
        truth: the true masks of each image by its name, see `dsg.datasets.scene_graphs.true_masks`.
    """

    def __init__(self, transfer: np.ndarray, truth: Mapping[str, Sequence[Any]]) -> None:
        self._copies = (transfer.max(0) == 1.0) & ((transfer != 0).sum(0) == 1)
        self._truth = truth
        self._ious: dict[str, dict[str, list[float]]] = {name: {BASE: [], NOVEL: []} for name in OVERLAPS}

    def add_image(self, record: GraphImage, said: GroundedImage) -> None:
        """An image whose nodes are its annotated boxes, in their order."""
        size = (record.height, record.width)
        kinds = [BASE if copies else NOVEL for copies in self._copies[record.labels]]
        boxes = said.graph.boxes
        found = {"transferred": said.masks, "refined": said.refined, "nearest": said.nearest}
        if said.masks is not None:
            found["filled"] = np.ones_like(said.masks)
        for row, given in enumerate(self._truth[record.name]):
            true = decode(run_lengths(given, *size, record.name), *size, record.name).astype(bool)
            for name, masks in found.items():
                if masks is not None:
                    (placed,) = placed_masks(masks[row : row + 1], boxes[row : row + 1], *size)
                    self._ious[name][kinds[row]].append(_iou(placed.pixels(*size), true))

    def results(self) -> MaskOverlaps:
        """The means."""
        known = {name: kinds for name, kinds in self._ious.items() if any(kinds.values())}
        counts = {
            kind: max((len(kinds[kind]) for kinds in known.values()), default=0) for kind in (BASE, NOVEL)
        }
        means = {
            name: {kind: float(np.mean(values)) if values else float("nan") for kind, values in kinds.items()}
            for name, kinds in known.items()
        }
        return MaskOverlaps(counts, means)


def _iou(found: np.ndarray, true: np.ndarray) -> float:
    together = (found | true).sum()
    return float((found & true).sum() / together) if together else 0.0
