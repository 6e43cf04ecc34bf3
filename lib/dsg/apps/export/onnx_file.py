"""A trained model as an ONNX file, for runtimes other than TensorFlow (onnxruntime, tested).

tf2onnx translates the graph of `dsg.apps.export.graph`: suppression and crops become loops of ONNX operators.
The packages are no part of the installation (requirements-export.txt); they are imported here only.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.apps.export.functions import AnyTrained, for_onnx
from dsg.errors import UserError
from dsg.runtime.files import refuse_folder, write_bytes

OPSET = 17
NEEDED = "ONNX needs tf2onnx and onnx: pip install -r requirements-export.txt"


def export_onnx(trained: AnyTrained, path: Path) -> None:
    """Write an ONNX file with the inputs and outputs of the SavedModel; the vocabulary is in its metadata.

    Queries outside the vocabulary are not refused.

    Args:
        trained: the model, folded.
        path: the file; it appears whole or not at all.

    Raises:
        UserError: tf2onnx is not installed, it cannot translate the network, or the file cannot be written.
    """
    refuse_folder(path)
    try:
        import onnx
        import tf2onnx
    except ImportError as error:
        raise UserError(f"{NEEDED} ({error})") from error
    exported = for_onnx(trained)
    answer = tf.function(exported.function, input_signature=exported.signature, autograph=False)
    with _quiet():
        model, _ = tf2onnx.convert.from_function(
            answer,
            input_signature=exported.signature,
            opset=OPSET,
            custom_op_handlers={"Log1p": (_log1p, [])},
        )
    _without_bool_eyes(model, onnx)
    try:  # what tf2onnx cannot translate it leaves as it is, and only logs
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{path}: this network cannot be translated to ONNX ({reason})") from error
    for key, values in exported.words.items():
        model.metadata_props.add(key=key, value=json.dumps(list(values)))
    write_bytes(path, model.SerializeToString())


def _log1p(graph: Any, node: Any, name: str, args: list[Any]) -> None:
    """TensorFlow's `log1p`, which ONNX lacks, as the logarithm of a sum; a rounding of float32 apart."""
    one = graph.make_const(f"{name}/one", np.ones((), np.float32))
    graph.insert_new_node_on_input(node, "Add", [node.input[0], one.output[0]], input_index=0)
    node.type = "Log"


def _without_bool_eyes(model: Any, onnx: Any) -> None:
    """Unit matrices of truth values, which onnxruntime has no kernel for, are made of floats and cast."""
    nodes = []
    for node in model.graph.node:
        nodes.append(node)
        kinds = [item for item in node.attribute if item.name == "dtype"]
        if node.op_type != "EyeLike" or not kinds or kinds[0].i != onnx.TensorProto.BOOL:
            continue
        kinds[0].i = onnx.TensorProto.FLOAT
        name = node.output[0]
        node.output[0] = f"{name}/float"
        nodes.append(onnx.helper.make_node("Cast", [node.output[0]], [name], to=onnx.TensorProto.BOOL))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """tf2onnx reports every pass of its optimiser."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before):
            logger.setLevel(level)
