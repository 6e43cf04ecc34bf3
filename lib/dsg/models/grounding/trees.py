"""Trees over the boxes of an image: a maximum spanning tree grown from the most related box, and its binary
form, in which a left child is the first child and a right child the next sibling. NumPy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

NONE = -1


class Tree(NamedTuple):
    """A tree over n boxes, and its binary form."""

    root: int
    parents: np.ndarray  # int32 [n]: -1 at the root
    attached: np.ndarray  # int32 [n - 1]: boxes in the order in which they came
    left: np.ndarray  # int32 [n]: first child, -1 none
    right: np.ndarray  # int32 [n]: next sibling, -1 none
    binary_parents: np.ndarray  # int32 [n]: parent in the binary form
    depths: np.ndarray  # int32 [n]: in the binary form, 0 at the root


def grow_tree(scores: np.ndarray) -> Tree:
    """The tree of pair scores [n, n].

    The root has the greatest mean; then the best pair of a box in the tree (row) and one outside (column)
    attaches the latter, again and again. Of equal values the first counts: boxes of the tree in the order in
    which they came, others by number.
    """
    count = len(scores)
    root = int(scores.mean(1).argmax())
    inside, outside = [root], [box for box in range(count) if box != root]
    parents, left, right = (np.full(count, NONE, np.int32) for _ in range(3))
    binary_parents, depths = np.full(count, NONE, np.int32), np.zeros(count, np.int32)
    youngest: dict[int, int] = {}
    while outside:
        block = scores[np.ix_(inside, outside)]
        row, column = np.unravel_index(block.argmax(), block.shape)
        parent, box = inside[row], outside.pop(column)
        elder = youngest.get(parent)
        if elder is None:
            left[parent] = box
        else:
            right[elder] = box
        youngest[parent] = box
        parents[box] = parent
        binary_parents[box] = parent if elder is None else elder
        depths[box] = depths[binary_parents[box]] + 1
        inside.append(box)
    return Tree(root, parents, np.array(inside[1:], np.int32), left, right, binary_parents, depths)


class Forest(NamedTuple):
    """The binary trees of a batch of N boxes, by levels; box N stands for none."""

    left: tf.Tensor  # int32 [N]
    right: tf.Tensor  # int32 [N]
    parents: tf.Tensor  # int32 [N]
    levels: tf.Tensor  # int32 [L, W]: the boxes of each depth, the roots first, N behind the last of a level


def grow_forest(scores: tf.Tensor, counts: tf.Tensor) -> Forest:
    """The trees of images whose boxes lie one after another. No gradient flows through.

    Args:
        scores: [N, N], of pairs; those of different images are not read.
        counts: int32 [B], boxes of each image.
    """
    arrays = tf.numpy_function(_forest, [scores, counts], [tf.int32] * 4, stateful=False)
    for array, rank in zip(arrays, (1, 1, 1, 2)):
        array.set_shape([None] * rank)
    return Forest(*arrays)


def _forest(scores: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, ...]:
    total = len(scores)
    links, depths = np.full((3, total), total, np.int32), np.zeros(total, np.int32)
    start = 0
    for count in counts.tolist():
        own = slice(start, start + count)
        if count:
            tree = grow_tree(scores[own, own])
            for row, link in enumerate((tree.left, tree.right, tree.binary_parents)):
                links[row, own] = np.where(link == NONE, total, link + start)
            depths[own] = tree.depths
        start += count
    levels = [np.flatnonzero(depths == depth) for depth in range(int(depths.max(initial=-1)) + 1)]
    widest = max((len(level) for level in levels), default=0)
    padded = np.full((len(levels), widest), total, np.int32)
    for row, level in zip(padded, levels):
        row[: len(level)] = level
    return (*links, padded)


def preorder(tree: Tree) -> list[int]:
    """The boxes of the binary form, each before its left and then its right child."""
    order, stack = [], [tree.root]
    while stack:
        box = stack.pop()
        order.append(box)
        stack += [child for child in (tree.right[box], tree.left[box]) if child != NONE]
    return order
