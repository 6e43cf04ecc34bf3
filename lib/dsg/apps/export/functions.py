"""What an export holds: a function of tensors, its inputs, and the words behind its numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Union

import tensorflow as tf

from dsg.apps.export import detector_graph, graph, grounding_graph
from dsg.config.names import DETECTOR, GROUNDING
from dsg.models.detector.trained import TrainedDetector, load_detector
from dsg.models.dsg.trained import Trained, load_trained
from dsg.models.grounding.trained import TrainedGrounding, load_grounding
from dsg.models.kinds import kind_of
from dsg.nets.kernels.bilinear import by_gathers

AnyTrained = Union[Trained, TrainedDetector, TrainedGrounding]
Function = Callable[..., "dict[str, tf.Tensor]"]
GIVEN = "given"
"""The signature of a grounded model whose boxes and labels are inputs."""


class Exported(NamedTuple):
    """A function ready to be traced, and what belongs to it."""

    function: Function
    signature: tuple[tf.TensorSpec, ...]
    words: dict[str, tuple[str, ...]]  # "objects", and "predicates" of a model that knows relations
    others: Mapping[str, tuple[Function, tuple[tf.TensorSpec, ...]]] = {}  # more functions by name


def load_any_trained(path: Path) -> AnyTrained:
    """The model of a snapshot, whether it answers queries, detects, or gives scene graphs with masks.

    Raises:
        UserError: the file is missing, damaged or not a snapshot.
    """
    kind = kind_of(path)
    if kind == DETECTOR:
        return load_detector(path)
    return load_grounding(path) if kind == GROUNDING else load_trained(path)


def for_tensorflow(trained: AnyTrained, *, direct: bool) -> Exported:
    """The model as a SavedModel holds it; `direct`: with convolutions for a GPU."""
    if isinstance(trained, TrainedDetector):
        return _detector(trained, direct=direct)
    if isinstance(trained, TrainedGrounding):
        return _grounding(trained, direct=direct)
    trained = graph.exportable(trained)
    return Exported(graph.answering(trained, direct=direct), graph.SIGNATURE, _words(trained))


def for_onnx(trained: AnyTrained) -> Exported:
    """The model as an ONNX file holds it: nothing is refused, and nothing is computed of no rows."""
    if isinstance(trained, TrainedDetector):
        exported = _detector(trained, direct=True)
    elif isinstance(trained, TrainedGrounding):
        raise ValueError("a grounded model is none that ONNX can hold")
    else:
        trained = graph.exportable(trained)
        function = graph.with_a_spare_query(graph.answering(trained, direct=True, checked=False))
        exported = Exported(function, graph.SIGNATURE, _words(trained))

    def gathering(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        with by_gathers():
            return exported.function(*inputs)

    return exported._replace(function=gathering)


def _detector(trained: TrainedDetector, *, direct: bool) -> Exported:
    config = graph.with_suppression_inside(trained.config)
    trained = dataclasses.replace(trained, config=config)
    function = detector_graph.detecting(trained, direct=direct)
    return Exported(function, detector_graph.SIGNATURE, {"objects": trained.vocabulary.objects})


def _grounding(trained: TrainedGrounding, *, direct: bool) -> Exported:
    grounding_graph.check_exportable(trained)
    trained = dataclasses.replace(trained, config=graph.with_suppression_inside(trained.config))
    function, given = (
        grounding_graph.describing(trained, given=known, direct=direct) for known in (False, True)
    )
    others = {GIVEN: (given, grounding_graph.GIVEN_SIGNATURE)}
    return Exported(function, grounding_graph.SIGNATURE, _words(trained), others)


def _words(trained: Trained | TrainedGrounding) -> dict[str, tuple[str, ...]]:
    return {"objects": trained.vocabulary.objects, "predicates": trained.vocabulary.predicates}
