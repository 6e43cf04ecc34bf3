"""From YAML files and KEY VALUE pairs to a checked, frozen `Config`, and back to YAML.

Values are merged in this order, a later one wins: the defaults of the schema, each YAML file, the pairs.
VARIANT sets its values where it is named last: they beat the files before, and what stands beside it or comes
later beats them. An unknown name is answered with the nearest valid one, a wrong type with the right one, a
number out of range with the range.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from dsg.config.schema import AUXILIARY, VARIANTS, Config, options
from dsg.errors import UserError

SIMILAR = 0.6  # likeness of two words from which one may be a slip of the other
# PyYAML's own, and what comes out of it for '2024-13-45', '0x_', '!!bool x', '!!timestamp x', '[[[[...'.
NOT_YAML = (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError)
SHOWN = 200  # characters of a wrong value
KINDS = {int: "a whole number", float: "a number", bool: "True or False", str: "a word"}


def load_config(files: Sequence[str | Path] = (), overrides: Sequence[str] = ()) -> Config:
    """The configuration of YAML `files` (later ones win) and of `overrides`, a flat list KEY VALUE KEY VALUE
    ...

    Raises `UserError` for an unknown key, a value of the wrong type or outside its choices or its range, and
    for unreadable YAML.

    Example:
        >>> load_config(overrides=["TRAIN.LEARNING_RATE", "0.002"]).train.learning_rate
        0.002
    """
    sources = [*(read_yaml(Path(file)) for file in files), parse_pairs(overrides)]
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
    """
    known = options()
    checked = {name: check(name, value, known) for name, value in given.items()}
    variant = checked.get("VARIANT", known["VARIANT"].default)
    values = {**VARIANTS[variant], **checked}
    if not values.get("AUX_FIRST_STAGE", True):
        primary = {"LOSS.RR_BASELINE"} if values.get("RR_SOURCE") == "feature" else set()
        values.update({name: 0.0 for name in AUXILIARY if name not in primary})
    config = _build(Config, values, "")
    _check_together(config)
    return config


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
    return yaml.safe_dump(tree, sort_keys=False, default_flow_style=None)


def read_yaml(path: Path) -> dict[str, Any]:
    """The values of a YAML file by upper-case name, as they stand there.

    Raises:
        UserError: it cannot be read, is no YAML, or has an option or a value that there is not.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such configuration file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    except NOT_YAML as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not valid YAML ({reason})") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise UserError(f"{path}: expected `KEY: value` lines")
    known = options()
    values = _flat(tree, known)
    for name, value in values.items():
        try:
            check(name, value, known)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
    return values


def _flat(tree: Mapping[Any, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The values of nested groups by full name. A group with nothing in it, such as one whose lines are all
    commented out, has none.
    """
    deepest = max(name.count(".") for name in known)
    values: dict[str, Any] = {}

    def walk(node: Mapping[Any, Any], prefix: str) -> None:
        for key, value in node.items():
            name = f"{prefix}{key}"
            if isinstance(value, dict) and name.count(".") < deepest:  # a group may hold itself
                walk(value, name + ".")
            elif value is not None or not _members(name, known):
                values[name] = value

    walk(tree, "")
    return values


def _members(name: str, known: Mapping[str, Any]) -> list[str]:
    """The options of a group; none where `name` is not one."""
    return [other for other in known if other.startswith(f"{name}.")]


def parse_pairs(pairs: Sequence[str]) -> dict[str, Any]:
    """Values by name from KEY VALUE KEY VALUE ...; words are taken as they are (`res50`, a path with any
    signs in it), all else is read as YAML (`0.1`, `True`, `[1, 2]`).

    Raises:
        UserError: there is no such option, or its value is no YAML.
    """
    if len(pairs) % 2:
        raise UserError(f"options come as KEY VALUE pairs, but {pairs[-1]!r} has no partner")
    values: dict[str, Any] = {}
    for key, text in zip(pairs[::2], pairs[1::2]):
        if key not in options():
            check(key, None, options())
        if options()[key].type == "str":
            values[key] = text
            continue
        try:
            values[key] = yaml.safe_load(
                text.replace("(", "[").replace(")", "]") if text.startswith("(") else text
            )
        except NOT_YAML:
            raise UserError(f"{key}: cannot read the value {_short(text)}") from None
        if isinstance(values[key], str):
            values[key] = _number(values[key])
    return values


def check(name: str, value: Any, known: Mapping[str, Any]) -> Any:
    """`value` in the type of option `name`, or a `UserError` that says which name or type would be right."""
    if name not in known:
        members = _members(name, known)
        if members:
            raise UserError(f"{name} is a group of options, such as {members[0]}: name the one that is meant")
        meant = _nearest(str(name).upper(), known)
        hint = f"did you mean {meant}?" if meant else "docs/configuration.md lists all options"
        raise UserError(f"unknown option {name}; {hint}")
    item = known[name]
    kind = _kinds()[name]
    converted = _convert(kind, value)
    if converted is None:
        raise UserError(
            f"{name} takes {_describe(kind)}, for example {_show(item.default)}, not {_short(value)}"
        )
    choices = item.metadata["choices"]
    if choices and converted not in choices:
        near = difflib.get_close_matches(str(converted), [str(c) for c in choices], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(f"{name} is one of {', '.join(map(str, choices))}, not {value!r}{hint}")
    within = item.metadata["within"]
    items = converted if isinstance(converted, tuple) else (converted,)
    if within is not None and not all(one in within for one in items):
        each = "each value of " if isinstance(converted, tuple) else ""
        raise UserError(f"{each}{name} must be {within}, not {value!r}")
    return converted


def _nearest(name: str, known: Mapping[str, Any]) -> str | None:
    """The option that was probably meant, if any: its last part must be like that of `name`."""

    def likeness(first: str, second: str) -> float:
        return difflib.SequenceMatcher(None, first, second).ratio()

    leaf = name.rsplit(".", 1)[-1]
    like = [other for other in known if likeness(leaf, other.rsplit(".", 1)[-1]) >= SIMILAR]
    return max(like, key=lambda other: likeness(name, other), default=None)


def _check_together(config: Config) -> None:
    """Refuses values that are right one by one but not together."""
    if config.feature_stride == 8 and config.net not in ("res18", "mini"):
        raise UserError(f"FEATURE_STRIDE 8 is for res18 and mini; {config.net} has 16")
    if not config.anchor_scales or not config.anchor_ratios:
        raise UserError("ANCHOR_SCALES and ANCHOR_RATIOS need at least one value each")
    for name, scales in (("TRAIN.SCALES", config.train.scales), ("TEST.SCALES", config.test.scales)):
        if not scales:
            raise UserError(f"{name} needs at least one value")
    if not config.has_graph:
        graph = ["rr", "entity", "predicate", "gt_entity", "gt_predicate"]
        graph += ["box"] if config.box_source == "rpn" else []
        asked = [f"LOSS.{name.upper()}" for name in graph if getattr(config.loss, name)]
        if asked:
            raise UserError(
                f"{asked[0]} needs the graph, which RR_SOURCE {config.rr_source} and BOX_SOURCE "
                f"{config.box_source} leave out: set VARIANT no_dsg, which sets all of this, or the loss to 0"
            )
    if len(config.pixel_means) != 3 or len(config.train.bbox_normalize_stds) != 4:
        raise UserError("PIXEL_MEANS takes three numbers, TRAIN.BBOX_NORMALIZE_STDS four")


def _build(kind: type, values: Mapping[str, Any], prefix: str) -> Any:
    made: dict[str, Any] = {}
    for item in dataclasses.fields(kind):
        name = prefix + item.name.upper()
        if isinstance(item.default_factory, type):
            made[item.name] = _build(item.default_factory, values, name + ".")
        elif name in values:
            made[item.name] = values[name]
    return kind(**made)


def _kinds() -> dict[str, Any]:
    """The type of every option by upper-case name."""
    kinds: dict[str, Any] = {}

    def walk(node: type, prefix: str) -> None:
        for item in dataclasses.fields(node):
            name = prefix + item.name.upper()
            if isinstance(item.default_factory, type):
                walk(item.default_factory, name + ".")
            else:
                kinds[name] = _TYPES[str(item.type)]

    walk(Config, "")
    return kinds


_TYPES: dict[str, Any] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "tuple[int, ...]": typing.Tuple[int, ...],  # noqa: UP006 (evaluated, and Python 3.9 must read it)
    "tuple[float, ...]": typing.Tuple[float, ...],  # noqa: UP006
}


def _convert(kind: Any, value: Any) -> Any:
    """`value` as `kind`, or None where it is of another kind."""
    arguments = typing.get_args(kind)
    if arguments:
        if not isinstance(value, (list, tuple)):
            value = [value]
        items = [_convert(arguments[0], item) for item in value]
        return None if any(item is None for item in items) else tuple(items)
    if kind is bool or isinstance(value, bool):
        return value if kind is bool and isinstance(value, bool) else None
    if kind is float:
        value = _number(value) if isinstance(value, str) else value
        try:
            return float(value) if isinstance(value, (int, float)) else None
        except OverflowError:  # a whole number of hundreds of digits
            return None
    if kind is int:
        return (
            int(value)
            if isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            else None
        )
    return value if isinstance(value, str) else None


def _number(text: str) -> Any:
    """`1e-3` is a string to YAML 1.1; people write it nevertheless."""
    try:
        return float(text)
    except ValueError:
        return text


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _describe(kind: Any) -> str:
    arguments = typing.get_args(kind)
    return f"a list, each item {KINDS[arguments[0]]}" if arguments else KINDS[kind]


def _show(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else repr(value)


def _look_up(config: Any, name: str) -> Any:
    for part in name.lower().split("."):
        config = getattr(config, part)
    return config
