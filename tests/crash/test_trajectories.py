"""The first steps of three trainings have the losses that are kept; what differs from them is told."""

from __future__ import annotations

import numpy as np
import pytest

from crash.trajectories import STEPS, SYSTEMS, difference, kind, losses, read_kept

REPLAYED = 3


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_first_losses(system, tmp_path):
    kept = read_kept()
    assert len(kept["systems"][system]) == STEPS
    found = losses(system, REPLAYED, tmp_path)
    assert len(found) == REPLAYED
    assert difference(kept["systems"][system], found, exact=kept["kind"] == kind()) == ""


def test_what_differs():
    kept = [[float(2 + np.cos(step)), 1.0] for step in range(40)]
    assert difference(kept, kept[:3], exact=True) == difference(kept, kept, exact=False) == ""
    last_bit = [*kept[:2], [np.nextafter(kept[2][0], 9), 1.0]]
    assert difference(kept, last_bit, exact=True) == "steps 3 to 3 are not the same to the last bit"
    assert difference(kept, last_bit, exact=False) == ""
    assert "steps 1 to 10 are off by 2.0%" in difference(kept, [[1.02 * kept[0][0], 1.0]], exact=False)
    later = [*kept[:20], *([1.3 * loss, 1.0] for loss, _ in kept[20:])]
    assert "steps 21 to 30 are off by 30.0%" in difference(kept, later, exact=False)
    assert "off by nan" in difference(kept, [[np.nan, 1.0]], exact=False)
