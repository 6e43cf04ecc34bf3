"""Which answers are shown: by lot, the same at every call, ambiguous queries first, no image twice."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

# How many failed answers of each class the paper's figure shows.
QUOTAS = {"detector": 1, "misclassified": 2, "relation": 1, "multiplicity": 2, "other": 0}

T = TypeVar("T")


@dataclass(order=True)
class _Entry(Generic[T]):
    rank: tuple[float, ...]
    image: str = field(compare=False)
    value: T = field(compare=False)


class Chooser(Generic[T]):
    """Keeps the few that rank highest of any number, at most one of an image.

    Args:
        kept: how many.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._heap: list[_Entry[T]] = []

    def offer(self, image: str, rank: tuple[float, ...], value: T) -> None:
        """A candidate; larger ranks are better."""
        same = next((entry for entry in self._heap if entry.image == image), None)
        if same is not None:
            if rank <= same.rank:
                return
            self._heap.remove(same)
            heapq.heapify(self._heap)
        heapq.heappush(self._heap, _Entry(rank, image, value))
        if len(self._heap) > self._kept:
            heapq.heappop(self._heap)

    def best(self) -> list[tuple[str, T]]:
        """Image and value of what was kept, best first."""
        return [(entry.image, entry.value) for entry in sorted(self._heap, reverse=True)]


def by_quota(choosers: dict[str, Chooser[Any]], count: int) -> list[tuple[str, Any]]:
    """(class, value) of so many failed answers: `QUOTAS` of each class where there are, then whatever there
    is, no image twice.
    """
    queues = {name: chooser.best() for name, chooser in choosers.items()}
    wanted = [name for name, quota in QUOTAS.items() for _ in range(quota)]
    found: list[tuple[str, Any]] = []
    used: set[str] = set()
    for name in [*wanted, *[name for _ in range(count) for name in QUOTAS]]:
        queue = queues.get(name, [])
        while queue and queue[0][0] in used:
            queue.pop(0)
        if queue and len(found) < count:
            image, value = queue.pop(0)
            used.add(image)
            found.append((name, value))
    return sorted(found, key=lambda one: list(QUOTAS).index(one[0]))


def lots(seed: int, count: int) -> np.ndarray:
    """A random number for each of so many candidates, float64 [count]."""
    return np.random.RandomState(seed).random_sample(count)
