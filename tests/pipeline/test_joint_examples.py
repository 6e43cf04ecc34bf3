"""Epochs over two lists: every step has some of both, whatever their lengths, the devices and the epoch."""

from __future__ import annotations

import numpy as np
import pytest

from dsg.pipeline.joint_examples import JointExamples


def examples(count: int, second: int, share: int, beside: int) -> JointExamples:
    def make(epoch: int, index: int) -> dict[str, np.ndarray]:
        return {"index": np.array(index, np.int32)}

    return JointExamples(
        *(count, make, str, {}, 3, 1), second=second, share=share, beside=beside, groups=None
    )


@pytest.mark.parametrize(
    ("count", "second", "share", "beside", "devices"),
    [
        (10, 4, 2, 1, 1),
        (11, 3, 2, 3, 1),
        (9, 50, 4, 2, 1),
        (3, 1, 4, 2, 1),
        (16, 5, 2, 2, 2),
        (13, 5, 2, 1, 2),
    ],
)
def test_the_order_of_an_epoch(count: int, second: int, share: int, beside: int, devices: int) -> None:
    made, size = examples(count, second, share, beside), share * devices
    order, images = made.order(2, size), made.images(size)
    assert images == devices * (share + beside) and made.steps(size) == -(-count // size)
    assert -(-len(order) // images) == made.steps(size)
    first = order[order < count]
    assert sorted(first) == list(range(count)) and len(set(order.tolist())) == len(order)
    # what a device takes: `share` of the first list, then `beside` of the second
    blocks = [order[start : start + share + beside] for start in range(0, len(order), share + beside)]
    assert all((block[:share] < count).all() and (block[share:] >= count).all() for block in blocks[:-1])
    assert (blocks[-1][-beside:] >= count).all() and (blocks[-1][:-beside] < count).all()
    # each time through the second list, all of it in another order
    rest = order[order >= count] - count
    passes = [rest[start : start + second] for start in range(0, len(rest), second)]
    for number, one in enumerate(passes):
        assert (one // second == number).all() and len(set(one.tolist())) == len(one)
    assert not np.array_equal(order, made.order(3, size)) or count < 4
    assert np.array_equal(order, made.order(2, size))


def test_where_an_epoch_continues() -> None:
    made = examples(11, 3, 2, 3)
    order = made.order(0, 2)
    for step in range(made.steps(2)):
        rest = order[step * made.images(2) :]
        assert made.next_step({"index": rest[:5]}, 2, 0) == step + 1
        # images of graphs that cannot be read are left out
        assert made.next_step({"index": rest[2 : made.images(2)]}, 2, 0) == step + 1 or len(rest) < 5
