"""What an evaluation of the joint detector found, on both data sets that it learns from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from dsg.metrics.detection_results import VOC, DetectionResults


@dataclass(frozen=True)
class JointResults:
    """Boxes of the graphs' objects; boxes and masks of the masks' data set, if there is one."""

    graphs: DetectionResults
    masks: DetectionResults | None

    @property
    def score(self) -> float:
        """What snapshots are compared by: AP50 of the graphs' objects, or VOC's average precision."""
        if self.graphs.metric == VOC or self.graphs.boxes is None:
            return self.graphs.voc_ap
        return self.graphs.boxes.figures["AP50"]

    def _parts(self) -> dict[str, DetectionResults]:
        return {"graphs": self.graphs, **({} if self.masks is None else {"masks": self.masks})}

    def summary(self) -> dict[str, float]:
        """The figures of the graphs' objects by name; those of the masks' data set with `masks_` before."""
        other = {} if self.masks is None else self.masks.summary()
        return {**self.graphs.summary(), **{f"masks_{name}": value for name, value in other.items()}}

    def headline(self) -> str:
        """The most important figures, for one line of a log."""
        return "; ".join(f"{name}: {part.headline()}" for name, part in self._parts().items())

    def table(self) -> str:
        """The figures as text, data set after data set."""
        return "\n".join(f"of {name}\n{part.table()}" for name, part in self._parts().items())

    def to_json(self) -> dict[str, Any]:
        """Everything, ready for `json.dump`."""
        parts = {name: part.to_json() for name, part in self._parts().items()}
        return {**parts, "score": None if math.isnan(self.score) else self.score}
