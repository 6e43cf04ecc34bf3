"""What was measured on the release: arrays by name, generated ones made by the recipe."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from tests.shared import needs_shared, shared_path

FOLDER = ("reference", "grounding")
needs_goldens = needs_shared(*FOLDER)


def recipe() -> Any:
    """The module that makes weights and inputs."""
    spec = importlib.util.spec_from_file_location("recipe", shared_path(*FOLDER, "recipe_grounding.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Golden:
    """One file."""

    def __init__(self, name: str) -> None:
        self._recipe = recipe()
        with np.load(shared_path(*FOLDER, f"{name}.npz")) as file:
            self._arrays = {key: file[key] for key in file.files}
        self.files = list(self._arrays)

    def __getitem__(self, key: str) -> np.ndarray:
        return self._arrays[key]

    def __contains__(self, key: str) -> bool:
        return key in self._arrays

    def load(self, key: str) -> np.ndarray:
        """An array, stored or generated."""
        return self._recipe.load(self, key)

    def assert_close(self, values: Any, key: str, tolerance: float) -> None:
        """Compares with `key`, or with what is stored of it: every error relative to the largest value."""
        values = np.asarray(values)
        if key in self:
            _assert_close(values, self[key], tolerance, key)
            return
        assert list(values.shape) == self[f"{key}.shape"].tolist(), key
        _assert_close(self._recipe.subsample(values, self, key), self[f"{key}.sub"], tolerance, key)
        spread = float(self[f"{key}.std"])
        for kind, axes in (
            ("row_mean", tuple(range(1, values.ndim))),
            ("channel_mean", tuple(range(values.ndim - 1))),
        ):
            if f"{key}.{kind}" in self:
                error = np.abs(values.astype(np.float64).mean(axes) - self[f"{key}.{kind}"]).max()
                assert error <= tolerance * spread, f"{key}.{kind}: {error / spread}"


def _assert_close(values: np.ndarray, reference: np.ndarray, tolerance: float, key: str) -> None:
    assert values.shape == reference.shape, f"{key}: {values.shape}, measured {reference.shape}"
    if reference.size:
        error = np.abs(values.astype(np.float64) - reference).max() / max(np.abs(reference).max(), 1e-30)
        assert error <= tolerance, f"{key}: {error}"


def fill(block: Any, prefix: str, renamed: dict[str, str] | None = None, scope: str = "") -> None:
    """Gives the variables of a block the recipe's values.

    Args:
        prefix: of the recipe's names.
        renamed: parts of our names -> parts of the recipe's, the first that fits.
        scope: before the whole name.
    """
    make = recipe().make_variable
    for name, variable in block.named_variables().items():
        for ours, theirs in (renamed or {}).items():
            if ours in name:
                name = name.replace(ours, theirs)
                break
        full, shape = f"{prefix}{name}", variable.shape
        if full.endswith("lstm/forward/bias") or full.endswith("lstm/backward/bias"):
            # The release keeps two, which are added.
            value = sum(make(f"{scope}{full}_{kind}", shape) for kind in ("ih", "hh"))
        else:
            value = make(f"{scope}{full}", shape)
        variable.assign(value)
