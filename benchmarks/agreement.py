"""Does the plain formulation compute what the library computes? Every stage and every loss, compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.plain import Plain
from dsg.models.dsg.losses import training_losses
from dsg.models.dsg.model import DSG
from dsg.models.dsg.outputs import Outputs
from dsg.pipeline.batch import Batch

TOLERANCE = 1e-4


def largest_difference(model: DSG, batch: Batch) -> float:
    """The largest relative difference between `model` and its plain formulation, over a whole training pass.

    Both get the same proposals, because rounding may rank scores that are all but equal in another order.

    Raises:
        AssertionError: it exceeds 1e-4.
    """
    library = model(batch, training=True)
    plain = Plain(model)(batch, training=True, proposals=library.detection.proposals)
    found = differences(plain, library)
    losses, reference = (training_losses(model, outputs, batch, model.config) for outputs in (plain, library))
    found.update({f"loss {name}": relative_difference(losses[name], reference[name]) for name in reference})
    demand_agreement(found, TOLERANCE)
    return max(found.values())


def demand_agreement(found: Mapping[str, float], tolerance: float) -> None:
    """Compare no speeds of what computes different things.

    Raises:
        AssertionError: one of the differences exceeds `tolerance`, or is nan.
    """
    for name, difference in found.items():
        if not difference <= tolerance:
            raise AssertionError(f"{name}: the plain formulation and the library differ by {difference:.1e}")


def differences(plain: Outputs, library: Outputs) -> dict[str, float]:
    """The relative difference of every stage, with packed pairs unpacked."""
    found: dict[str, float] = {}
    stages: dict[str, tuple[Any, Any]] = {
        "trunk": (plain.detection.trunk, library.detection.trunk),
        "rpn": (plain.detection.rpn, library.detection.rpn),
        "graph": (plain.graph, library.graph),
        "labels": (plain.heads.labels, library.heads.labels),
        "gt_labels": (plain.heads.gt_labels, library.heads.gt_labels),
    }
    for group, (values, references) in stages.items():
        for name, reference in references._asdict().items():
            if reference is not None:
                found[f"{group} {name}"] = relative_difference(getattr(values, name), reference)
    for name, reference in library.heads._asdict().items():
        if not isinstance(reference, tuple):  # labels are compared above
            found[name] = relative_difference(getattr(plain.heads, name), reference)
    regions: list[tuple[str, Any, Any]] = list(zip(("regions", "gt_regions"), plain.regions, library.regions))
    for group, value, reference in regions:
        found[f"{group} nodes"] = relative_difference(value.nodes, reference.nodes)
        value, reference = (tf.gather(each.pairs, each.pair_index) for each in (value, reference))
        found[f"{group} pairs"] = relative_difference(value, reference)
    return found


def relative_difference(value: Any, reference: Any) -> float:
    """max|a - b| / max|b| of whole arrays."""
    value, reference = np.asarray(value, np.float64), np.asarray(reference, np.float64)
    return float(np.max(np.abs(value - reference)) / max(np.max(np.abs(reference)), 1e-30))
