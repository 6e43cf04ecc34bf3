"""Every stage of the golden forward passes, one test each: no stage may hide behind the end."""

from __future__ import annotations

import pytest

from tests.golden import golden
from tests.models.dsg.cases import golden_checks

NETS = ("res50", "res101")
NOT_RESULTS = ("input/image", "input/query", "input/gt_labels", "input/partial", "input/np", "input/num")
NOT_RESULTS += ("input/target", "input/max", "input/boxes_orig", "input/source", "blob.crc32")


def results(net: str) -> list[str]:
    """Keys of what the release computed, parts of a tensor under the tensor's name."""
    keys = [key for key in golden(f"forward_{net}_generated") if not key.startswith(NOT_RESULTS)]
    keys = [key for key in keys if not key.endswith((".sub_steps", ".shape"))]
    keys = [key[:-4] if key.endswith(".sub") else key for key in keys]
    return list(dict.fromkeys(keys))


@pytest.mark.parametrize(("net", "key"), [(net, key) for net in NETS for key in results(net)])
def test_stage(net: str, key: str) -> None:
    rows = [row for row in golden_checks(net).rows if row.key == key]
    assert rows, "no stage of the library is compared with this"
    for row in rows:
        assert row.ok, f"error {row.error:.2e}, tolerance {row.tolerance} {row.note}"


@pytest.mark.parametrize("net", NETS)
def test_nothing_else_is_compared(net: str) -> None:
    assert {row.key for row in golden_checks(net).rows} == set(results(net))
