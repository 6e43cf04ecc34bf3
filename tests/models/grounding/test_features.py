"""Features of boxes and pairs. The release's are in tests/parity."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dsg.models.grounding.features import MaskedRegions


def test_many_regions_are_convolved_in_parts_without_a_difference(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    layer = MaskedRegions(2, 3, None, side=4, width=5)
    crops, masks = (rng.random((7, 4, 4, channels)).astype(np.float32) for channels in (2, 3))
    at_once = layer(crops, masks)
    monkeypatch.setattr("dsg.models.grounding.features.MANY", 3)
    monkeypatch.setattr("dsg.models.grounding.features.CHUNK", 3)
    np.testing.assert_allclose(tf.function(layer.call)(crops, masks), at_once, rtol=1e-5)
