"""KEY VALUE pairs, as at the end of a command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dsg.config.checks import check, number, short, without_net
from dsg.config.schema import options
from dsg.errors import UserError


def parse_pairs(pairs: Sequence[str]) -> dict[str, Any]:
    """Values by name from KEY VALUE KEY VALUE ...; words are taken literally (`res50`, a path with any
    characters in it), everything else is read as YAML (`0.1`, `True`, `[1, 2]`). NET is MODEL and BACKBONE.

    Raises:
        UserError: an option is unknown, or its value is not YAML.
    """
    if len(pairs) % 2:
        raise UserError(f"options are KEY VALUE pairs, but {pairs[-1]!r} has no value")
    from dsg.config.yaml_text import GivenTwice, NotYaml, parse

    known = options()
    values: dict[str, Any] = {}
    for key, text in zip(pairs[::2], pairs[1::2]):
        if key != "NET" and key not in known:
            check(key, None, known)
        if key == "NET" or known[key].type == "str":
            values[key] = text
            continue
        try:
            listed = text.replace("(", "[").replace(")", "]") if text.startswith("(") else text
            values[key] = parse(listed)
        except (NotYaml, GivenTwice):
            raise UserError(f"{key}: cannot read the value {short(text)}") from None
        if isinstance(values[key], str):
            values[key] = number(values[key])
    return without_net(values)
