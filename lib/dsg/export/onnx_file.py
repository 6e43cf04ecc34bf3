"""A trained model as an ONNX file, for runtimes other than TensorFlow (onnxruntime, tested).

tf2onnx translates the graph of `dsg.export.graph`: suppression and crops become loops of ONNX operators. The
packages are no part of the installation (requirements-export.txt); they are imported here only.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from dsg.ask import Trained
from dsg.errors import UserError
from dsg.export.graph import SIGNATURE, answering, exportable

OPSET = 17
NEEDED = "ONNX needs tf2onnx and onnx: pip install -r requirements-export.txt"


def export_onnx(trained: Trained, path: Path) -> None:
    """Write an ONNX file with the inputs and outputs of `answering`; the vocabulary is in its metadata.

    Queries outside the vocabulary are not refused.

    Args:
        trained: the model, folded.
        path: the file; it appears whole or not at all.

    Raises:
        UserError: tf2onnx is not installed, or the file cannot be written.
    """
    try:
        import onnx
        import tf2onnx
    except ImportError as error:
        raise UserError(f"{NEEDED} ({error})") from error
    trained = exportable(trained)
    answer = tf.function(
        answering(trained, direct=True, checked=False), input_signature=SIGNATURE, autograph=False
    )
    with _quiet():
        model, _ = tf2onnx.convert.from_function(answer, input_signature=SIGNATURE, opset=OPSET)
    _without_bool_eyes(model, onnx)
    names = trained.vocabulary
    for key, values in (("objects", names.objects), ("predicates", names.predicates)):
        model.metadata_props.add(key=key, value=json.dumps(list(values)))
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_bytes(model.SerializeToString())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot write it ({error.strerror or error})") from error


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
