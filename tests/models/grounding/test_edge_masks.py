"""Masks of pairs: kernels by closed form, blurring by loops. The release's are in tests/parity."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.models.grounding.edge_masks import blurred, gaussian_kernels, in_union_frame


def test_kernels_have_their_closed_form() -> None:
    parameters = np.array([[0.3, -0.5, 0.8], [1.5, 0.2, -0.4], [0.0, 0.0, 0.0]], np.float32)
    kernels = gaussian_kernels(tf.constant(parameters)).numpy()
    np.testing.assert_allclose(kernels.sum((1, 2)), 1, rtol=1e-6)
    np.testing.assert_allclose(kernels, kernels[:, ::-1, ::-1], rtol=1e-5)
    for (a, b, r), kernel in zip(parameters.astype(float), kernels):
        covariance = np.array([[np.exp(a), np.tanh(r) * np.exp((a + b) / 2)], [0, np.exp(b)]])
        covariance[1, 0] = covariance[0, 1]
        u, v = np.meshgrid(np.arange(-3, 4), np.arange(-3, 4))
        place = np.stack([u, v], -1).reshape(-1, 2)
        expected = np.exp(-0.5 * np.einsum("ni,ij,nj->n", place, np.linalg.inv(covariance), place))
        np.testing.assert_allclose(kernel.ravel(), expected / expected.sum(), rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(
        kernels[2], np.outer(kernels[2, 3], kernels[2, 3]) / kernels[2, 3, 3], rtol=1e-5
    )


def test_blurring_is_a_loop_over_cells() -> None:
    rng = np.random.default_rng(0)
    masks = rng.random((3, 9, 9, 4)).astype(np.float32)
    kernels = rng.random((3, 7, 7)).astype(np.float32)
    padded = np.pad(masks, [(0, 0), (3, 3), (3, 3), (0, 0)])
    expected = np.zeros_like(masks)
    for pair in range(3):
        for y in range(9):
            for x in range(9):
                window = padded[pair, y : y + 7, x : x + 7]
                expected[pair, y, x] = (window * kernels[pair][..., None]).sum((0, 1))
    np.testing.assert_allclose(blurred(masks, kernels), expected, rtol=1e-5)


def test_a_mask_in_the_frame_of_its_union() -> None:
    """A full mask of the left half of the union covers the union's left half; one's own frame changes
    nothing.
    """
    rng = np.random.default_rng(0)
    masks = rng.random((1, 28, 28, 3)).astype(np.float32)
    box = np.array([[10.0, 20.0, 40.0, 60.0]], np.float32)
    np.testing.assert_allclose(in_union_frame(masks, box, box), masks, atol=1e-5)
    union = np.array([[10.0, 20.0, 70.0, 60.0]], np.float32)
    moved = in_union_frame(np.ones((1, 28, 28, 1), np.float32), box, union).numpy()[0, ..., 0]
    assert moved[1:-1, 1:13].min() == pytest.approx(1) and moved[:, 15:].max() == 0


def test_of_no_pairs_there_are_no_masks() -> None:
    def blur(masks: tf.Tensor, kernels: tf.Tensor) -> tf.Tensor:
        return blurred(masks, kernels)

    traced = tf.function(
        blur, input_signature=[tf.TensorSpec([None, 4, 4, 3]), tf.TensorSpec([None, 7, 7])], autograph=False
    )
    assert traced(tf.zeros([0, 4, 4, 3]), tf.zeros([0, 7, 7])).shape == (0, 4, 4, 3)
