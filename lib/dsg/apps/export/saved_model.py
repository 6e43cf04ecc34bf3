"""A trained model as a TensorFlow SavedModel, which runs with TensorFlow alone: no code of this library.

Beside it in the folder lies `vocabulary.json`, the names behind the numbers of queries and labels.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import tensorflow as tf

from dsg.apps.export.functions import AnyTrained, for_tensorflow
from dsg.apps.export.places import VOCABULARY, check_saved_model_folder
from dsg.errors import UserError
from dsg.runtime.files import write_text


def export_saved_model(trained: AnyTrained, folder: Path, *, direct: bool = False) -> None:
    """Write a SavedModel with the signatures `serving_default` and `vocabulary`, and `given` of a grounded
    model.

    Args:
        trained: the model, folded. One that answers queries is served as `dsg.apps.export.graph.answering`
            says, a detector as `dsg.apps.export.detector_graph.detecting`, a grounded one as
            `dsg.apps.export.grounding_graph.describing`.
        folder: is made, or replaced; it must not hold anything else than an earlier SavedModel.
        direct: convolutions for a GPU.

    Raises:
        UserError: the folder holds something else, or cannot be written.
    """
    check_saved_model_folder(folder)
    exported = for_tensorflow(trained, direct=direct)
    module = tf.Module()

    functions = {"serving_default": (exported.function, exported.signature), **exported.others}
    answers = {
        name: tf.function(function, input_signature=signature, autograph=False)
        for name, (function, signature) in functions.items()
    }
    signatures = {name: answer.get_concrete_function() for name, answer in answers.items()}
    # Only the variables that answering reads are saved, under no names of Keras'.
    read = {id(one): one for concrete in signatures.values() for one in concrete.graph.variables}
    module.variables_read = list(read.values())
    for name, answer in answers.items():
        setattr(module, {"serving_default": "answer"}.get(name, name), answer)

    @tf.function(input_signature=[])
    def vocabulary() -> dict[str, tf.Tensor]:
        return {kind: tf.constant(words) for kind, words in exported.words.items()}

    module.vocabulary = vocabulary
    signatures["vocabulary"] = vocabulary.get_concrete_function()
    beside = folder.with_name(f".{folder.name}.tmp")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        # Gradients are for training; saving them would trace every convolution's once more.
        plain = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(module, str(beside), signatures, plain)
        write_text(beside / VOCABULARY, json.dumps(exported.words, indent=1))
        if folder.exists():
            shutil.rmtree(folder)
        beside.rename(folder)
    except (OSError, tf.errors.OpError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise UserError(f"{folder}: cannot write the model ({error})") from error
