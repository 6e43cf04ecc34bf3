"""The network's input made in TensorFlow is that made with OpenCV."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.apps.export.preprocess import network_input
from dsg.pipeline.images import to_blob

MEANS = (102.9801, 115.9465, 122.7717)
# Enlarged, shrunk, limited by the longer side, halved, unchanged, of one pixel, of lines.
SIZES = [(375, 500), (256, 384), (100, 1000), (5, 2000), (1, 3000), (3000, 1), (480, 640), (400, 600)]
SIZES += [(599, 901), (7, 5), (1, 1), (300, 300), (301, 333), (64, 97), (128, 128), (2, 2)]


@pytest.mark.parametrize(("target", "max_size"), [(300, 500), (128, 256)])
def test_equal_to_opencv(target: int, max_size: int) -> None:
    graph = tf.function(
        lambda image: network_input(image, target, max_size, MEANS),
        input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)],
        autograph=False,
    )
    random = np.random.default_rng(0)
    for size in SIZES:
        image = random.integers(0, 256, (*size, 3), dtype=np.uint8)
        expected, _ = to_blob(image, target, max_size, MEANS)
        blob, count = graph(image)
        assert tuple(count.numpy()) == expected.shape[:2], size
        # Two units in the last place of float32 at 255.
        np.testing.assert_allclose(blob.numpy(), expected, atol=3.1e-5, rtol=0, err_msg=str(size))
