"""Whether values are valid for their options: each by itself, and all of them together."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from dsg.config.grounding_checks import check_grounding
from dsg.config.names import (
    BACKBONE,
    BASELINES,
    DETECTOR,
    DSG,
    DSG_BACKBONES,
    GROUNDING,
    NETS,
    PYRAMIDS,
    STRIDES,
    meaning,
    with_stride,
)
from dsg.config.option import auto_values, is_auto
from dsg.config.schema import Config
from dsg.config.two_stage_checks import check_detector
from dsg.errors import UserError

SIMILAR = 0.6  # likeness of two words from which one may be a slip of the other
SHOWN = 200  # characters of a wrong value
LARGEST = 2**63 - 1  # whole numbers have 64 bits
KINDS = {int: "a whole number", float: "a number", bool: "True or False", str: "a word"}
TYPES: dict[str, Any] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "tuple[int, ...]": typing.Tuple[int, ...],  # noqa: UP006 (evaluated, and Python 3.9 must read it)
    "tuple[float, ...]": typing.Tuple[float, ...],  # noqa: UP006
}


def check(name: str, value: Any, known: Mapping[str, Any]) -> Any:
    """`value` in the type of option `name`.

    Args:
        known: all options by name.

    Raises:
        UserError: there is no such option, or the value is of another type, not one of the option's choices
            or out of its range; it says which name or value would be right.
    """
    if name not in known:
        raise UserError(_unknown(name, known))
    item = known[name]
    kind = TYPES[str(item.type)]
    if item.metadata["auto"] and isinstance(value, str):
        chosen_later = auto_values(value, item.default)
        if chosen_later is not None:
            return chosen_later
    converted = _convert(kind, value)
    if converted is None:
        large = "; that is too large" if _too_large(value) else ""
        auto = ", or auto, or auto:N with N from 1 to 20" if item.metadata["auto"] else ""
        raise UserError(
            f"{name} takes {_describe(kind)}{auto}, for example {_show(item.default)}, not "
            f"{short(value)}{large}"
        )
    if item.metadata["choices"]:
        _check_choice(name, converted, item.metadata["choices"])
    within = item.metadata["within"]
    items = converted if isinstance(converted, tuple) else (converted,)
    if within is not None and not all(number in within for number in items):
        each = "each value of " if isinstance(converted, tuple) else ""
        raise UserError(f"{each}{name} must be {within}, not {short(value)}")
    return converted


def without_net(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of one source with MODEL and BACKBONE in the place of NET, their older name.

    A baseline, which has no BACKBONE, takes back the one that a source before it may have named.

    Raises:
        UserError: there is no such net, or MODEL or BACKBONE says otherwise.
    """
    plain = {name: value for name, value in values.items() if name != "NET"}
    if "NET" in values:
        net = values["NET"]
        _check_choice("NET", net, NETS)
        for name, meant in meaning(net).items():
            if plain.setdefault(name, meant) != meant:
                raise UserError(
                    f"NET {net} means {name} {meant}, which contradicts {name} {short(plain[name])}: leave "
                    "one of them out"
                )
    elif plain.get("MODEL") in BASELINES:
        plain.setdefault("BACKBONE", BACKBONE)
    return plain


def check_together(config: Config) -> None:
    """Refuse values that are valid one by one but not together.

    Raises:
        UserError: two options exclude each other.
    """
    if config.model in BASELINES and config.backbone != BACKBONE:
        raise UserError(f"BACKBONE {config.backbone} is for dsg; set BASELINE.FEATURES for {config.model}")
    if config.model == DSG and config.backbone not in DSG_BACKBONES:
        raise UserError(
            f"BACKBONE {config.backbone} is for MODEL {DETECTOR}; dsg has {', '.join(DSG_BACKBONES)}"
        )
    if config.model == DETECTOR:
        check_detector(config)
    if config.model == GROUNDING:
        check_grounding(config)
    if config.model == DSG and config.nodes.source == "detections":
        _check_detections(config)
    if config.feature_stride not in STRIDES[config.backbone]:
        stride = config.feature_stride
        others = ", ".join(map(str, STRIDES[config.backbone]))
        raise UserError(
            f"FEATURE_STRIDE {stride} is only for {with_stride(stride)}; {config.net} has {others}"
        )
    if config.backbone in PYRAMIDS and (is_auto(config.anchor_scales) or is_auto(config.anchor_ratios)):
        raise UserError(
            f"ANCHOR_SCALES and ANCHOR_RATIOS auto are for networks of one map; the anchors of {config.net} "
            "are fixed"
        )
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
                f"{asked[0]} needs the graph, which is not built with RR_SOURCE {config.rr_source} and "
                f"BOX_SOURCE {config.box_source}: use VARIANT no_dsg, which sets all of this, or set the "
                "loss to 0"
            )
    if len(config.pixel_means) != 3 or len(config.train.bbox_normalize_stds) != 4:
        raise UserError("PIXEL_MEANS takes three numbers, TRAIN.BBOX_NORMALIZE_STDS four")


def _check_detections(config: Config) -> None:
    """Refuse nodes that are detections where nothing could give or keep them."""
    if config.backbone not in PYRAMIDS:
        raise UserError(
            f"NODES.SOURCE detections needs a feature pyramid, such as BACKBONE res50_fpn, not {config.net}"
        )
    if not config.train.freeze_detector:
        raise UserError(
            "NODES.SOURCE detections needs TRAIN.FREEZE_DETECTOR True: nothing in dsg trains the detector's "
            "classes, which a changing trunk would spoil"
        )


def members(name: str, known: Mapping[str, Any]) -> list[str]:
    """The options of a group; none where `name` is not a group."""
    return [other for other in known if other.startswith(f"{name}.")]


def number(text: str) -> Any:
    """`1e-3` is a string in YAML 1.1, but people write it."""
    try:
        return float(text)
    except ValueError:
        return text


def short(value: Any) -> str:
    """A value as a message shows it."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    """The message for a name that no option has."""
    options = members(name, known)
    if options:
        return f"{name} is a group of options, such as {options[0]}: name one of them"
    if name == "BASE":
        return "BASE works only in configuration files, where it names the file that they change"
    meant = _nearest(str(name).upper(), [*known, "NET"])
    hint = f"did you mean {meant}?" if meant else "docs/configuration.md lists all options"
    return f"unknown option {name}; {hint}"


def _nearest(name: str, known: Sequence[str]) -> str | None:
    """The option that was probably meant, if any: its last part must be like that of `name`."""

    def likeness(first: str, second: str) -> float:
        return difflib.SequenceMatcher(None, first, second).ratio()

    leaf = name.rsplit(".", 1)[-1]
    like = [other for other in known if likeness(leaf, other.rsplit(".", 1)[-1]) >= SIMILAR]
    return max(like, key=lambda other: likeness(name, other), default=None)


def _check_choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    if value in choices:
        return
    near = difflib.get_close_matches(short(value).strip("'"), [str(choice) for choice in choices], n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise UserError(f"{name} is one of {', '.join(map(str, choices))}, not {short(value)}{hint}")


def _convert(kind: Any, value: Any) -> Any:
    """`value` as `kind`, or None if it is of another kind."""
    arguments = typing.get_args(kind)
    if arguments:
        if not isinstance(value, (list, tuple)):
            value = [value]
        items = [_convert(arguments[0], item) for item in value]
        return None if any(item is None for item in items) else tuple(items)
    if kind is bool or isinstance(value, bool):
        return value if kind is bool and isinstance(value, bool) else None
    if kind is float:
        value = number(value) if isinstance(value, str) else value
        try:
            return float(value) if isinstance(value, (int, float)) else None
        except OverflowError:  # a whole number of hundreds of digits
            return None
    if kind is int:
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return int(value) if whole and abs(value) <= LARGEST else None
    return value if isinstance(value, str) else None


def _too_large(value: Any) -> bool:
    """Whether a number, or one of a list, has more digits than any option takes."""
    items = value if isinstance(value, (list, tuple)) else (value,)
    return any(isinstance(item, (int, float)) and abs(item) > LARGEST for item in items)


def _describe(kind: Any) -> str:
    arguments = typing.get_args(kind)
    return f"a list, each item {KINDS[arguments[0]]}" if arguments else KINDS[kind]


def _show(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else repr(value)
