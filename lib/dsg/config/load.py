"""From YAML files and KEY VALUE pairs to a checked, frozen `Config`, and back to YAML.

Values are merged in this order, and later ones win: the defaults of the schema, each YAML file after the
files it is based on, the net, the pairs. VARIANT sets its values where it is named last: they override the
files before it, and are overridden by values beside it or after it. For an unknown name the message suggests
the nearest valid one, for a wrong type it gives the right one, for a number out of range the range.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dsg.config.checks import check, check_together, without_net
from dsg.config.dsg import AUXILIARY, VARIANTS
from dsg.config.option import is_auto
from dsg.config.pairs import parse_pairs
from dsg.config.schema import Config, options
from dsg.config.yaml_file import read_sources
from dsg.errors import UserError


def load_config(files: Sequence[str | Path] = (), overrides: Sequence[str] = (), net: str = "") -> Config:
    """The configuration of YAML `files` (later ones win), of `net`, MODEL and BACKBONE in one word, and of
    `overrides`, a flat list KEY VALUE KEY VALUE ...

    Raises:
        UserError: a key is unknown, a value is of the wrong type or outside its choices or range, or YAML is
            unreadable.

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
        if place == named and isinstance(variant, str):  # an earlier variant leaves nothing behind
            given.update(VARIANTS.get(variant, {}))
        given.update(values)
    return from_values(given)


def from_values(given: Mapping[str, Any]) -> Config:
    """A `Config` from values by upper-case name, all of them checked; missing values are the variant's or the
    default.

    Raises:
        UserError: a name is unknown, or its option does not take the value.
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
    """The options in a snapshot or a file of results of this or an earlier version, by their current names;
    options that no longer exist are left out.

    Raises:
        UserError: this version does not know its net.

    Example:
        >>> stored_values({"NET": "mini", "NO_LONGER": 1})
        {'MODEL': 'dsg', 'BACKBONE': 'mini'}
    """
    known = options()
    return {name: value for name, value in without_net(stored).items() if name in known}


def flatten(config: Config) -> dict[str, Any]:
    """Every option's value by upper-case name; a list that training has yet to choose is `auto:N`."""
    return {name: _plain(_look_up(config, name)) for name in options()}


def automatic(config: Config) -> dict[str, str]:
    """The options whose values training has yet to choose, each with its `auto:N`."""
    return {name: value for name, value in flatten(config).items() if is_auto(_look_up(config, name))}


def check_chosen(config: Config) -> None:
    """Refuse `auto` where nothing can be chosen: outside training.

    Raises:
        UserError: an option is `auto`.
    """
    for name in automatic(config):
        raise UserError(
            f"{name} auto: only training chooses the values, for its boxes; give numbers here, such as "
            f"{list(options()[name].default)}"
        )


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


def _plain(value: Any) -> Any:
    return f"auto:{len(value)}" if is_auto(value) else value


def _look_up(config: Any, name: str) -> Any:
    for part in name.lower().split("."):
        config = getattr(config, part)
    return config
