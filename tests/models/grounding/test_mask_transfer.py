"""Masks of categories without masks: the matrix and what it does, against the release."""

from __future__ import annotations

import numpy as np
import pytest

from dsg.models.grounding.mask_transfer import base_categories, novel_shares, transfer_matrix, transferred
from tests.models.grounding.goldens import Golden, needs_goldens
from tests.shared import needs_shared, shared_path

needs_vectors = needs_shared("data", "glove")


@pytest.fixture(scope="module")
def golden() -> Golden:
    return Golden("transfer")


def names(golden: Golden) -> tuple[list[str], list[str]]:
    return golden["vg_names"].tolist(), golden["coco_names"].tolist()


def vectors() -> tuple[np.ndarray, np.ndarray]:
    folder = shared_path("data", "glove")
    return np.load(folder / "glove_mean_vg.npy"), np.load(folder / "glove_mean_coco.npy")


@needs_goldens
@needs_vectors
def test_the_matrix_is_the_release_s(golden: Golden) -> None:
    base = base_categories(*names(golden))
    np.testing.assert_array_equal(list(base), golden["base_classes"])
    np.testing.assert_array_equal(list(base.values()), golden["base_to_coco"])
    shares = {"S_novel": 0.05, "threshold_0.0/S_novel": 0.0, "threshold_0.1/S_novel": 0.1}
    for key, threshold in shares.items():
        golden.assert_close(novel_shares(golden["dots_novel"], threshold), key, 1e-6)
    for transfer in ("paper_dot", "softmax_all"):
        matrix = transfer_matrix(*names(golden), *vectors(), transfer=transfer)
        golden.assert_close(matrix.T, f"derived/{transfer}", 1e-6)
    # The release's dot products near 40 are float32, their exponentials as far off as 4e-6.
    golden.assert_close(transfer_matrix(*names(golden), *vectors()), "A", 1e-5)


@needs_goldens
def test_masks_are_the_release_s(golden: Golden) -> None:
    matrix, logits = golden["A"], golden.load("logits")
    golden.assert_close(transferred(logits, matrix), "masks_sg", 1e-6)
    golden.assert_close(transferred(logits, np.eye(80, dtype=np.float32)), "masks_m", 1e-6)
    golden.assert_close(transferred(logits + golden.load("residual"), matrix), "masks_sg_refined", 1e-6)


def test_every_category_takes_all_it_has_from_somewhere() -> None:
    rng = np.random.default_rng(0)
    words, mask_words = rng.normal(size=(5, 8)), rng.normal(size=(3, 8))
    matrix = transfer_matrix(["a", "man", "b", "c", "person"], ["b", "person", "d"], words, mask_words)
    np.testing.assert_allclose(matrix.sum(0), 1, rtol=1e-6)
    assert matrix[:, 1].tolist() == [0, 1, 0] and matrix[:, 2].tolist() == [1, 0, 0]
    assert matrix[:, 4].tolist() == [0, 1, 0] and (matrix[:, [0, 3]] >= 0).all()
    with pytest.raises(ValueError, match="no transfer"):
        transfer_matrix(["a"], ["b"], words[:1], mask_words[:1], transfer="other")
