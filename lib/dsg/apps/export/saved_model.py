"""A trained model as a TensorFlow SavedModel, which runs with TensorFlow alone: no code of this library.

Beside it in the folder lies `vocabulary.json`, the names behind the numbers of queries and labels.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import tensorflow as tf

from dsg.apps.export.graph import SIGNATURE, answering, exportable
from dsg.apps.export.places import VOCABULARY, check_saved_model_folder
from dsg.errors import UserError
from dsg.models.dsg.trained import Trained
from dsg.runtime.files import write_text


def export_saved_model(trained: Trained, folder: Path, *, direct: bool = False) -> None:
    """Write a SavedModel with the signatures `serving_default` (see `answering`) and `vocabulary`.

    Args:
        trained: the model, folded.
        folder: is made, or replaced; it must not hold anything else than an earlier SavedModel.
        direct: convolutions for a GPU (see `answering`).

    Raises:
        UserError: the folder holds something else, or cannot be written.
    """
    check_saved_model_folder(folder)
    trained = exportable(trained)
    module = tf.Module()
    names = trained.vocabulary

    answer = tf.function(answering(trained, direct=direct), input_signature=SIGNATURE, autograph=False)
    concrete = answer.get_concrete_function()
    # Only the variables that answering reads are saved, under no names of Keras'.
    module.variables_read = list(concrete.graph.variables)
    module.answer = answer

    @tf.function(input_signature=[])
    def vocabulary() -> dict[str, tf.Tensor]:
        return {"objects": tf.constant(names.objects), "predicates": tf.constant(names.predicates)}

    module.vocabulary = vocabulary
    signatures = {"serving_default": concrete, "vocabulary": vocabulary.get_concrete_function()}
    beside = folder.with_name(f".{folder.name}.tmp")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        # Gradients are for training; saving them would trace every convolution's once more.
        plain = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(module, str(beside), signatures, plain)
        text = {"objects": list(names.objects), "predicates": list(names.predicates)}
        write_text(beside / VOCABULARY, json.dumps(text, indent=1))
        if folder.exists():
            shutil.rmtree(folder)
        beside.rename(folder)
    except (OSError, tf.errors.OpError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise UserError(f"{folder}: cannot write the model ({error})") from error
