"""Models with the reference cases' weights, by the road a user takes: from a TensorFlow 1 checkpoint."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import tensorflow as tf

from dsg.checkpoints.tf1 import load_release_checkpoint
from dsg.checkpoints.tf1_names import release_name
from dsg.config import Config
from dsg.errors import UserError
from dsg.models.dsg.build import build_model
from dsg.nets.initial import unfilled
from dsg.parity.recipe import recipe_value
from dsg.runtime.limits import size_text


class RecipeModels:
    """Gives models whose weights are the recipe's, written as a checkpoint of the release and loaded from it.

    Checkpoints live in a temporary folder, and the last model is kept, because the next file mostly asks for
    it again. Use it in a `with` block.

    Example:

        with RecipeModels() as models:
            model = models.load(load_config(overrides=["BACKBONE", "res50"]), 100, 70)
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="dsg_parity_")
        self._last: tuple[Any, Any] | None = None

    def __enter__(self) -> RecipeModels:
        return self

    def __exit__(self, *error: Any) -> None:
        self._last = None
        self._folder.cleanup()

    def load(self, config: Config, num_entities: int, num_predicates: int) -> Any:
        """A `DSG` of `config` with the recipe's weights."""
        wanted = (config, num_entities, num_predicates)
        if self._last is None or self._last[0] != wanted:
            self._last = None  # one model at a time: they are large
            with unfilled():
                self._last = (wanted, build_model(*wanted))
        model = self._last[1]
        prefix = Path(self._folder.name) / f"{config.backbone}_{num_entities}_{num_predicates}.ckpt"
        if not Path(f"{prefix}.index").exists():
            write_recipe_checkpoint(model, prefix)
        load_release_checkpoint(model, prefix)
        return model


def write_recipe_checkpoint(model: Any, prefix: str | Path) -> None:
    """Writes the recipe's values of the model's variables as TensorFlow 1 does, under the release's names."""
    shapes = {
        str(release_name(name, model.config.backbone)): variable.shape
        for name, variable in model.named_variables().items()
    }
    values = [recipe_value(name, shape) for name, shape in shapes.items()]
    try:
        tf.raw_ops.SaveV2(
            prefix=str(prefix), tensor_names=list(shapes), shape_and_slices=[""] * len(shapes), tensors=values
        )
    except tf.errors.OpError as error:
        size = size_text(sum(value.nbytes for value in values))
        reason = str(error).splitlines()[0][:120]
        raise UserError(
            f"{Path(prefix).parent}: cannot write a checkpoint of {size} ({reason}); "
            "TMPDIR names another folder for temporary files"
        ) from error
