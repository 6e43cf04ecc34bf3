"""Epochs over two lists at once: a step takes examples of the first, then some of the second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dsg.pipeline.epochs import Examples


@dataclass(frozen=True)
class JointExamples(Examples):
    """`count` examples of a first list, each once an epoch, and beside them examples of a second.

    An index from `count` on is of the second list, which is gone through again and again, in another order
    and with other indices each time, until the epoch of the first ends: index `count + pass * second + row`.
    """

    second: int = 1
    """Examples of the second list."""
    share: int = 1
    """Examples of the first list that a device takes in a step."""
    beside: int = 1
    """Examples of the second list that it takes behind them."""

    def images(self, size: int) -> int:
        return size + self._devices(size) * self.beside

    def order(self, epoch: int, size: int = 1) -> np.ndarray:
        """The indices in the order of an epoch, int64 [n]: for each step and device `share` of the first
        list, then `beside` of the second. The last step may have fewer of the first.
        """
        first = super().order(epoch, size)
        parts = self.steps(size) * self._devices(size)
        second = self._second(epoch, parts * self.beside).reshape(parts, self.beside)
        whole = len(first) // self.share
        places = first[: whole * self.share].reshape(whole, self.share)
        together = np.concatenate([places, second[:whole]], 1).ravel()
        rest = first[whole * self.share :]
        return np.concatenate([together, rest, *second[whole : whole + 1] * (len(rest) > 0)])

    def _second(self, epoch: int, count: int) -> np.ndarray:
        """The first `count` indices of the second list in an epoch, pass after pass."""
        passes = [
            self.count
            + number * self.second
            + np.random.default_rng((self.seed, epoch, number)).permutation(self.second)
            for number in range(-(-count // self.second))
        ]
        return np.concatenate(passes)[:count]

    def _devices(self, size: int) -> int:
        return max(size // self.share, 1)
