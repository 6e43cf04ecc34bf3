"""Trees and LSTMs along them. The release's are in tests/parity."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dsg.models.grounding.tree_lstm import BlockOrthogonal, TreeLstm
from dsg.models.grounding.trees import grow_forest, grow_tree, preorder

BROTHERS = np.array([[0, 0.2, 0.9, 0.1], [0.2, 0, 0.3, 0.1], [0.9, 0.4, 0, 0.8], [0.1, 0.1, 0.8, 0]])


def test_a_tree_by_hand() -> None:
    tree = grow_tree(BROTHERS)  # the root is box 2; then come 0 (0.9), 3 (0.8), 1 (0.4)
    assert tree.root == 2 and tree.attached.tolist() == [0, 3, 1]
    assert tree.parents.tolist() == [2, 2, -1, 2]
    # Brothers hang in a chain of right children below the first, which is the left child.
    assert tree.left.tolist() == [-1, -1, 0, -1] and tree.right.tolist() == [3, -1, -1, 1]
    assert tree.depths.tolist() == [1, 3, 0, 2] and preorder(tree) == [2, 0, 3, 1]


def test_a_batch_of_trees_is_each_of_them() -> None:
    rng = np.random.default_rng(0)
    layer, counts = TreeLstm(3, 4), [5, 1, 7]
    scores, x = rng.random((13, 13)).astype(np.float32), rng.normal(size=(13, 3)).astype(np.float32)
    together = layer(tf.constant(x), grow_forest(tf.constant(scores), tf.constant(counts)))
    start = 0
    for count in counts:
        own = slice(start, start + count)
        forest = grow_forest(tf.constant(scores[own, own]), tf.constant([count]))
        np.testing.assert_allclose(together[own], layer(tf.constant(x[own]), forest), rtol=1e-5, atol=1e-6)
        start += count


def test_gradients_reach_every_weight_in_a_traced_function() -> None:
    layer = TreeLstm(3, 4)
    rng = np.random.default_rng(0)
    variables = list(layer.named_variables().values())

    @tf.function(input_signature=[tf.TensorSpec([None, None]), tf.TensorSpec([None, 3])])
    def gradients(scores: tf.Tensor, x: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x, grow_forest(scores, tf.shape(x)[:1])) ** 2)
        return tape.gradient(loss, variables)

    for score in (BROTHERS, BROTHERS[:2, :2]):
        x = tf.constant(rng.normal(size=(len(score), 3)), tf.float32)
        values = gradients(tf.constant(score, tf.float32), x)
        assert all(np.isfinite(value).all() for value in values)
        unused = [name for name, value in zip(layer.named_variables(), values) if not np.abs(value).max()]
        assert len(score) == 2 or not unused


def test_blocks_of_initial_weights_are_orthogonal_and_differ() -> None:
    kernel = BlockOrthogonal(3, seed=5)((6, 12)).numpy()
    blocks = np.split(kernel, 3, 1)
    for block in blocks:
        np.testing.assert_allclose(block.T @ block, np.eye(4), atol=1e-5)
    assert np.abs(blocks[0] - blocks[1]).max() > 0.1
    bias = TreeLstm(3, 4).up.left.bias.numpy()
    assert bias.tolist() == [0.0] * 8 + [0.5] * 8 + [0.0] * 8
