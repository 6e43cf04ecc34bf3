"""Anchors: equal to the release's, in NumPy and in the graph."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from dsg.boxes.anchors import anchor_grid, base_anchors
from dsg.boxes.anchors_tf import anchor_grid_tf
from tests.golden import golden
from tests.shared import ROOT

LIB = ROOT / "lib"
CASES = [(case, grid) for case in range(3) for grid in range(2)]


def _case(case: int, grid: int):
    layers = golden("layers")
    key = f"anchors/{case}"
    height, width = (int(side) for side in layers[f"{key}/grid{grid}_hw"])
    return height, width, layers[f"{key}/scales"], layers[f"{key}/ratios"], f"{key}/grid{grid}", layers


@pytest.mark.parametrize("case", range(3))
def test_base_anchors_golden(case):
    layers = golden("layers")
    found = base_anchors(layers[f"anchors/{case}/scales"], layers[f"anchors/{case}/ratios"])
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, layers[f"anchors/{case}/base"])


@pytest.mark.parametrize(("case", "grid"), CASES)
@pytest.mark.parametrize("truncate", [True, False])
def test_anchor_grid_golden(case, grid, truncate):
    height, width, scales, ratios, key, layers = _case(case, grid)
    found = anchor_grid(height, width, 16, scales, ratios, truncate=truncate)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, layers[f"{key}_tf" if truncate else f"{key}_np"])


@pytest.mark.parametrize(("case", "grid"), CASES)
@pytest.mark.parametrize("truncate", [True, False])
def test_anchor_grid_tf_golden(case, grid, truncate):
    height, width, scales, ratios, key, layers = _case(case, grid)
    symbolic = tf.function(lambda h, w: anchor_grid_tf(h, w, 16, scales, ratios, truncate=truncate))
    found = symbolic(tf.constant(height), tf.constant(width))
    np.testing.assert_array_equal(found, layers[f"{key}_tf" if truncate else f"{key}_np"])


def test_anchor_grid_default_is_the_release_graph_in_forward_pass():
    forward = golden("forward_res101_generated")
    found = anchor_grid(19, 25, 16, [4, 8, 16, 32], [0.5, 1, 2])
    np.testing.assert_array_equal(found, forward["anchors"])


@pytest.mark.parametrize("stride", [8, 16])
def test_rows_are_ordered_y_x_anchor(stride):
    scales, ratios = [2, 3], [0.5, 1, 2]
    grid = anchor_grid(3, 4, stride, scales, ratios, truncate=False).reshape(3, 4, 6, 4)
    base = base_anchors(scales, ratios, stride)
    for y in range(3):
        for x in range(4):
            shift = np.array([x, y, x, y]) * stride
            np.testing.assert_allclose(grid[y, x], base + shift, rtol=1e-6)


def test_empty_grid():
    assert anchor_grid(0, 5, 16, [4], [1]).shape == (0, 4)
    assert anchor_grid_tf(0, 5, 16, [4], [1]).shape == (0, 4)


def test_pipeline_side_needs_no_tensorflow():
    modules = "dsg.boxes.anchors, dsg.boxes.overlaps, dsg.boxes.nms, dsg.boxes.transform_np"
    modules += ", dsg.pipeline.anchor_targets"
    code = f"import sys, {modules}; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(LIB)})
