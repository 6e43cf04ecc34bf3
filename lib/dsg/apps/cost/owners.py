"""Which part of the model each parameter and each operation belongs to.

Parameters tell it by their names. A convolution or a matrix product belongs to the part whose variables its
kernel is made of; what of the backward pass has no kernel among its inputs (a kernel's gradient) reads the
same input as the operation that it differentiates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

PARTS = {
    "trunk": "trunk/",
    "feature pyramid": "pyramid/",
    "region proposal network": "rpn/",
    "box head of the detector": "box_head/",
    "box predictor of the detector": "box_predictor/",
    "entity head": "regions/entity/",
    "relation head": "regions/relation/",
    "pair geometry": "geometry/",
    "graph layer (GPI)": "gpi/",
    "unused gate": "gpi/forget_gate/",
    "role classifier": "role_classifier/",
    "query attention": "query_attention/",
    "box refiner": "box_refiner/",
    "label heads": "labels/",
    "label heads, ground truth": "gt_labels/",
    "matching head": "matching/",
    "role classifier without graph": "role_baseline/",
    "box refiner without graph": "box_baseline/",
}
"""Parts of the model in the order of the data flow, and how the names of their variables begin."""

OTHER = "other"
_ARGUMENT = "an argument of the function"


def part_of(name: str, parts: Mapping[str, str] = PARTS) -> str:
    """The part that the variable called `name` belongs to; the longest beginning counts."""
    fitting = [part for part, prefix in parts.items() if name.startswith(prefix)]
    return max(fitting, key=lambda part: len(parts[part]), default=OTHER)


def parameters_by_part(
    variables: Mapping[str, tf.Variable], parts: Mapping[str, str] = PARTS
) -> dict[str, int]:
    """{part: how many numbers its variables hold}, parts without any left out."""
    found: dict[str, int] = {}
    for name, variable in variables.items():
        part = part_of(name, parts)
        found[part] = found.get(part, 0) + int(variable.shape.num_elements())
    return found


class Owners:
    """Tells the part of operations in a graph; for `dsg.apps.cost.operations.count_gflop_by`.

    Args:
        variables: the model's, by name.
        parts: as `PARTS`.
    """

    def __init__(self, variables: Mapping[str, tf.Variable], parts: Mapping[str, str] = PARTS) -> None:
        self._part = {id(variable.handle): part_of(name, parts) for name, variable in variables.items()}

    def __call__(self, graph: Any, operations: Sequence[Any]) -> list[str]:
        """The part of each of `operations`; `other` if it has none, or several."""
        sources = self._sources(graph)
        parts: list[str] = []
        reader: dict[str, str] = {}  # input of an operation with a kernel -> its part
        for op in operations:
            kernel = sources[op.inputs[1].op.name]
            if op.type == "DepthwiseConv2dNative":  # a kernel for each pair of boxes that are given
                kernel -= {_ARGUMENT}
            if len(kernel) == 1 and _ARGUMENT not in kernel:
                part = next(iter(kernel))
                reader.setdefault(op.inputs[0].name, part)
            else:
                part = reader.get(op.inputs[0].name, OTHER)
            parts.append(part)
        return parts

    def _sources(self, graph: Any) -> dict[str, frozenset[str]]:
        """What each operation's result is made of: parts whose variables it reads, and arguments."""
        captured = {inside.op.name: self._part.get(id(outside)) for outside, inside in graph.captures}
        sources: dict[str, frozenset[str]] = {}
        # In the order in which they were made, so inputs come first, except those that the gradient of a loop
        # adds to it.
        for op in graph.get_operations():
            if op.name in captured:
                part = captured[op.name]
                sources[op.name] = frozenset([part] if part else [])
            elif op.type == "Placeholder":
                sources[op.name] = frozenset([_ARGUMENT])
            else:
                known = (sources.get(tensor.op.name, frozenset()) for tensor in op.inputs)
                sources[op.name] = frozenset[str]().union(*known)
        return sources
