"""Masks of categories without masks: the matrix. The release's is in tests/parity."""

from __future__ import annotations

import numpy as np
import pytest

from dsg.models.grounding.mask_transfer import transfer_matrix


def test_every_category_takes_all_it_has_from_somewhere() -> None:
    rng = np.random.default_rng(0)
    words, mask_words = rng.normal(size=(5, 8)), rng.normal(size=(3, 8))
    matrix = transfer_matrix(["a", "man", "b", "c", "person"], ["b", "person", "d"], words, mask_words)
    np.testing.assert_allclose(matrix.sum(0), 1, rtol=1e-6)
    assert matrix[:, 1].tolist() == [0, 1, 0] and matrix[:, 2].tolist() == [1, 0, 0]
    assert matrix[:, 4].tolist() == [0, 1, 0] and (matrix[:, [0, 3]] >= 0).all()
    with pytest.raises(ValueError, match="no transfer"):
        transfer_matrix(["a"], ["b"], words[:1], mask_words[:1], transfer="other")
