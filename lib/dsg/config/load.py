"""From YAML files and KEY VALUE pairs to a checked, frozen `Config`, and back to YAML.

Values are merged in this order, a later one wins: the defaults of the schema, each YAML file behind the files
that it changes, the net, the pairs. VARIANT sets its values where it is named last: they beat the files
before, and what stands beside it or comes later beats them. An unknown name is answered with the nearest
valid one, a wrong type with the right one, a number out of range with the range.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dsg.config.checks import check, check_together, without_net
from dsg.config.dsg import AUXILIARY, VARIANTS
from dsg.config.pairs import parse_pairs
from dsg.config.schema import Config, options
from dsg.config.yaml_file import read_sources


def load_config(files: Sequence[str | Path] = (), overrides: Sequence[str] = (), net: str = "") -> Config:
    """The configuration of YAML `files` (later ones win), of `net`, MODEL and BACKBONE in one word, and of
    `overrides`, a flat list KEY VALUE KEY VALUE ...

    Raises:
        UserError: an unknown key, a value of the wrong type or outside its choices or its range, or
            unreadable YAML.

    Example:
        >>> load_config(overrides=["TRAIN.LEARNING_RATE", "0.002"]).train.learning_rate
        0.002
    """
    sources = [source for file in files for source in read_sources(Path(file))]
    sources += [without_net({"NET": net} if net else {}), parse_pairs(overrides)]
    named = max((place for place, values in enumerate(sources) if "VARIANT" in values), default=None)
    given: dict[str, Any] = {}
    for place, values in enumerate(sources):
        variant = values.get("VARIANT")
        if place == named and isinstance(variant, str):  # one that is named before leaves nothing behind
            given.update(VARIANTS.get(variant, {}))
        given.update(values)
    return from_values(given)


def from_values(given: Mapping[str, Any]) -> Config:
    """A `Config` from values by upper-case name, all of them checked; what is not given is the variant's or
    the default.

    Raises:
        UserError: an unknown name, or a value that its option does not take.
    """
    known = options()
    checked = {name: check(name, value, known) for name, value in without_net(given).items()}
    variant = checked.get("VARIANT", known["VARIANT"].default)
    values = {**VARIANTS[variant], **checked}
    if not values.get("AUX_FIRST_STAGE", True):
        primary = {"LOSS.RR_BASELINE"} if values.get("RR_SOURCE") == "feature" else set()
        values.update({name: 0.0 for name in AUXILIARY if name not in primary})
    config = _build(Config, values, "")
    check_together(config)
    return config


def stored_values(stored: Mapping[str, Any]) -> dict[str, Any]:
    """What a snapshot or a file of results, of this version or an earlier one, says of its options: by the
    names of today; options that are no longer known are left out.

    Raises:
        UserError: it is of a net that this version does not know.

    Example:
        >>> stored_values({"NET": "mini", "NO_LONGER": 1})
        {'MODEL': 'dsg', 'BACKBONE': 'mini'}
    """
    known = options()
    return {name: value for name, value in without_net(stored).items() if name in known}


def flatten(config: Config) -> dict[str, Any]:
    """Every option's value by upper-case name."""
    return {name: _look_up(config, name) for name in options()}


def dump_yaml(config: Config) -> str:
    """The whole configuration as YAML text that `load_config` reads back to the same values."""
    tree: dict[str, Any] = {}
    for name, value in flatten(config).items():
        *groups, leaf = name.split(".")
        node = tree
        for group in groups:
            node = node.setdefault(group, {})
        node[leaf] = list(value) if isinstance(value, tuple) else value
    from dsg.config.yaml_text import write

    return write(tree)


def _build(kind: type, values: Mapping[str, Any], prefix: str) -> Any:
    made: dict[str, Any] = {}
    for item in dataclasses.fields(kind):
        name = prefix + item.name.upper()
        if isinstance(item.default_factory, type):
            made[item.name] = _build(item.default_factory, values, name + ".")
        elif name in values:
            made[item.name] = values[name]
    return kind(**made)


def _look_up(config: Any, name: str) -> Any:
    for part in name.lower().split("."):
        config = getattr(config, part)
    return config
