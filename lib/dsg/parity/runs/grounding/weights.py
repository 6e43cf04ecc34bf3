"""Blocks with the recipe's weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np

from dsg.nets.layers import Dense, Weighted
from dsg.parity.recipes import grounding_value

MASK_LAYERS = {
    **{f"convs/{number}": f"mask_fcn{number + 1}" for number in range(4)},
    "up/": "deconv/",
    "masks/": "predictor/",
}
LSTM_BIAS = re.compile(r"lstm/(forward|backward)/bias$")


def renamed(prefix: str, parts: Mapping[str, str] | None = None) -> Callable[[str], str]:
    """From our names to the recipe's: `prefix`, and of `parts` the first that fits is replaced."""

    def theirs(name: str) -> str:
        for ours, part in (parts or {}).items():
            if ours in name:
                return prefix + name.replace(ours, part)
        return prefix + name

    return theirs


def fill(block: Weighted, theirs: Callable[[str], str]) -> None:
    """Gives the variables of a block the recipe's values.

    Args:
        block: of which all variables are filled.
        theirs: from our names to the recipe's.
    """
    for ours, variable in block.named_variables().items():
        name = theirs(ours)
        if LSTM_BIAS.search(name):
            # The release keeps two, which are added.
            value = sum(grounding_value(f"{name}_{kind}", variable.shape) for kind in ("ih", "hh"))
        else:
            value = grounding_value(name, variable.shape)
        variable.assign(value)


def channel_major(layer: Dense, channels: int) -> None:
    """Reorders the rows of a layer behind a crop: the release has (channel, y, x), we (y, x, channel)."""
    kernel = layer.kernel.numpy()
    side = int((len(kernel) / channels) ** 0.5)
    rows = kernel.reshape(channels, side, side, -1).transpose(1, 2, 0, 3)
    layer.kernel.assign(rows.reshape(kernel.shape))


def moving_values(block: Weighted) -> dict[str, np.ndarray]:
    """The statistics that training follows, by name."""
    return {name: value.numpy() for name, value in block.named_variables().items() if "moving" in name}


def restore(block: Weighted, values: Mapping[str, np.ndarray]) -> None:
    """Puts values back, such as `moving_values`."""
    variables = block.named_variables()
    for name, value in values.items():
        variables[name].assign(value)
