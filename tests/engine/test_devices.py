"""What a user may write for <gpu>. Choosing devices itself is tested by the scripts, in new processes."""

from __future__ import annotations

import pytest

from dsg.engine.devices import parse_gpus
from dsg.errors import UserError


@pytest.mark.parametrize(
    ("text", "numbers"), [("cpu", []), ("CPU", []), ("0", [0]), ("0,1", [0, 1]), ("3", [3])]
)
def test_valid(text, numbers):
    assert parse_gpus(text) == numbers


@pytest.mark.parametrize("text", ["gpu", "", "0,", "-1", "0;1", "0,0", "1.0"])
def test_invalid(text):
    with pytest.raises(UserError):
        parse_gpus(text)
