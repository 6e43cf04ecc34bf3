"""Which answers are shown."""

from __future__ import annotations

import numpy as np

from dsg.apps.figures.choice import QUOTAS, Chooser, by_quota, lots


def test_the_highest_are_kept_one_of_an_image():
    chooser: Chooser[str] = Chooser(2)
    for image, rank, value in [
        ("a", (0.0, 0.5), "a1"),
        ("b", (0.0, 0.1), "b1"),
        ("a", (1.0, 0.5), "a2"),
        ("c", (0.0, 0.9), "c1"),
        ("a", (0.0, 0.9), "a3"),
        ("d", (0.0, 0.0), "d1"),
    ]:
        chooser.offer(image, rank, value)
    assert chooser.best() == [("a", "a2"), ("c", "c1")]


def test_classes_fill_their_quota_then_whatever_there_is():
    choosers: dict[str, Chooser[str]] = {name: Chooser(6) for name in QUOTAS}
    for number in range(6):
        choosers["multiplicity"].offer(f"m{number}", (number,), f"m{number}")
    choosers["detector"].offer("m5", (0,), "same image")
    choosers["relation"].offer("r", (0,), "r")
    found = by_quota(choosers, 5)
    assert [name for name, _ in found] == ["detector", "relation", *["multiplicity"] * 3]
    assert [value for _, value in found[2:]] == ["m4", "m3", "m2"]  # m5's image is shown already
    assert by_quota({name: Chooser(6) for name in QUOTAS}, 6) == []


def test_lots_are_the_same_at_every_call():
    np.testing.assert_array_equal(lots(3, 5), lots(3, 5))
    assert (lots(3, 5) != lots(4, 5)).all()
