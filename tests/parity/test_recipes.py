"""The recipes' values, to the bit."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest

from dsg.parity.recipes import grounding_value, permutation, slim_value, torch_value
from tests.golden import FOLDER
from tests.shared import needs_shared, shared_path

SLIM = json.loads((FOLDER / "detection_recipe_crc32.json").read_text())
SHAPES = json.loads((FOLDER / "detection_variables.json").read_text())
TORCH = json.loads((FOLDER / "torchvision" / "recipe_crc32.json").read_text())
LARGEST = 300_000  # entries; larger ones differ in nothing but time


@pytest.mark.parametrize("net", sorted(SLIM))
def test_values_of_tf_faster_rcnn(net: str) -> None:
    shapes = dict(SHAPES[net])
    names = [name for name in SLIM[net] if np.prod(shapes[name]) <= LARGEST]
    assert len(names) > 20
    for name in names:
        assert f"{zlib.crc32(slim_value(name, shapes[name]).tobytes()):08x}" == SLIM[net][name], name


@pytest.mark.parametrize("case", sorted(TORCH))
def test_values_of_torchvision(case: str) -> None:
    seed = 7 if "7" in case else 0
    entries = {name: entry for name, entry in TORCH[case].items() if np.prod(entry[0]) <= LARGEST}
    compared = 0
    for name, (shape, crc) in entries.items():
        if name.endswith("num_batches_tracked"):
            continue
        assert zlib.crc32(torch_value(name, shape, seed).tobytes()) == crc, name
        compared += 1
    assert compared


@needs_shared("reference", "grounding")
def test_values_of_scene_graphs() -> None:
    folder = shared_path("reference", "grounding")
    crcs = json.loads((folder / "recipe_crc32.json").read_text())
    shapes = json.loads((folder / "variables.json").read_text())
    variables = [
        (name, shapes[file][name]["shape"], crcs[file][name]) for file in crcs for name in crcs[file]
    ]
    small = [variable for variable in variables if np.prod(variable[1]) <= LARGEST]
    assert len(small) > 300
    for name, shape, crc in small:
        assert zlib.crc32(grounding_value(name, shape).tobytes()) == crc, name


def test_the_order_of_draws() -> None:
    assert sorted(permutation(10)) == list(range(10)) and np.array_equal(permutation(10), permutation(10))
