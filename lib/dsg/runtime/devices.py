"""The processors a run uses: `cpu`, one GPU, or several that share each step."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dsg.errors import UserError
from dsg.runtime.machine import CPU_INFO, imitates

LOG = logging.getLogger("dsg")


def parse_gpus(text: str) -> list[int]:
    """The numbers in `0` or `0,1`; an empty list for `cpu`.

    Raises:
        UserError: on anything else.
    """
    if text.strip().lower() == "cpu":
        return []
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise UserError(f"give a GPU number such as 0, several such as 0,1, or cpu; not {text!r}")
    numbers = [int(part) for part in parts]
    if len(set(numbers)) < len(numbers):
        raise UserError(f"the GPUs {text} name one of them twice")
    return numbers


def select_devices(text: str) -> Any:
    """Show TensorFlow only the processors that `text` names; call it before anything else uses TensorFlow.

    Returns:
        The `tf.distribute` strategy that models and optimisers are to be made under.

    Raises:
        UserError: if one of the GPUs is not there, with those that are.
    """
    numbers = parse_gpus(text)
    if not numbers:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # also spares the search for drivers when TensorFlow loads
    with _uncollected():
        import tensorflow as tf

    if not numbers:
        tf.config.set_visible_devices([], "GPU")
        return tf.distribute.get_strategy()
    found = tf.config.list_physical_devices("GPU")
    absent = [number for number in numbers if number >= len(found)]
    if absent:
        there = ", ".join(map(str, range(len(found)))) if found else "none"
        raise UserError(f"GPU {absent[0]} not found; GPUs that TensorFlow can use: {there}; or give cpu")
    chosen = [found[number] for number in numbers]
    tf.config.set_visible_devices(chosen, "GPU")
    for device in chosen:
        tf.config.experimental.set_memory_growth(device, True)
    if len(chosen) == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy([f"GPU:{index}" for index in range(len(chosen))])


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Within it Python looks for no garbage. Loading TensorFlow makes a million objects and hardly any
    garbage; looking for it takes a quarter of the time.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def warn_of_slow_precision(option: str, precision: str, cpu_info: Path = CPU_INFO) -> None:
    """Say so where the value of `option`, such as TRAIN.PRECISION, does not speed a run up."""
    import tensorflow as tf

    if imitates(precision, cpu_info) and not tf.config.list_logical_devices("GPU"):
        LOG.warning(
            "%s %s: not faster here, because this processor computes it in float32", option, precision
        )
