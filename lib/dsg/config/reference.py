"""The reference of all options as Markdown, written from the schema: `docs/configuration.md` is this text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from dsg.config.dsg import VARIANTS
from dsg.config.schema import Config

HEAD = """# Configuration

<!-- Written by tools/list_options.py from lib/dsg/config; change the options there, not this file. -->

Every option has a default, and the defaults are the values of the TensorFlow 1 release, but for
`DATA.SPLIT_RULE`. Options are set, a later one winning, by

1. `experiments/cfgs/<dataset>.yml`, then `<net>.yml` (of a baseline: `models/<net>.yml`), then
   `<net>_<dataset>.yml`, those that exist;
2. `KEY VALUE` pairs at the end of `train.sh` and `test.sh`, or after `--set` of the programs in `tools/`:
   `TRAIN.LEARNING_RATE 0.002`, `TRAIN.STEPSIZE "[2,4]"`, `TRAIN.USE_FLIPPED False`.

`VARIANT` stands for a set of values ([below](#variants)), which apply where it is named: they beat the files
before it; what stands beside it or comes later beats them.

`MODEL` is the system and `BACKBONE` the trunk. `NET` is the older name of both and still understood: `NET
res101` is `MODEL dsg` with `BACKBONE res101`, `NET ss` is `MODEL ss`. A file, or the pairs of a command, may
name both spellings if they agree.

A file may start from another one: with `BASE: mini.yml` it has that file's options and only states what it
changes. `BASE` is seen from the file's own folder; it lies there or below, or in `experiments/cfgs`, and may
have a `BASE` itself. A key that a file gives twice is an error.

Values are YAML, in pairs all but words and paths, which are taken as they are; a list may also stand in
round brackets, and one value may stand for a list of one. An unknown key is answered with the nearest
known one, a value of the wrong type with the right type, a number out of range with the range, all with
exit status 2. A run saves its whole configuration as `config.yml`. A snapshot carries it, too: testing a
snapshot takes the options from it, but for the place of data and weights, and then the pairs that are
given.

In Python, `dsg.config.load_config(files, ["TRAIN.LEARNING_RATE", "0.002"])` returns a frozen `Config` whose
attribute for `TRAIN.LEARNING_RATE` is `config.train.learning_rate`.
"""
KINDS = {"int": "whole number", "float": "number", "bool": "True or False", "str": "text"}
LISTS = {"tuple[int, ...]": "list of whole numbers", "tuple[float, ...]": "list of numbers"}


def reference() -> str:
    """The text of `docs/configuration.md`."""
    parts = [HEAD, *_groups(Config, ""), _variants()]
    return "\n".join(parts)


def _groups(node: type, prefix: str) -> Iterator[str]:
    """A heading, a sentence and a table for the options of `node`, then for each group below it."""
    plain = [item for item in dataclasses.fields(node) if not isinstance(item.default_factory, type)]
    title = f"{prefix[:-1]}: {node.__doc__}" if prefix else "Of the whole system"
    yield f"## {title.rstrip('.')}\n\n| option | default | values | meaning |\n| --- | --- | --- | --- |"
    yield "\n".join(_row(prefix, item) for item in plain) + "\n"
    for item in dataclasses.fields(node):
        if isinstance(item.default_factory, type):
            yield from _groups(item.default_factory, f"{prefix}{item.name.upper()}.")


def _row(prefix: str, item: dataclasses.Field[Any]) -> str:
    choices = item.metadata["choices"]
    kind = str(item.type)
    values = ", ".join(f"`{choice}`" for choice in choices) if choices else {**KINDS, **LISTS}[kind]
    if item.metadata["within"] is not None:
        values += f", each {item.metadata['within']}" if kind in LISTS else f", {item.metadata['within']}"
    meaning = item.metadata["text"].replace("|", "\\|")
    return f"| `{prefix}{item.name.upper()}` | {_shown(item.default)} | {values} | {meaning} |"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`" if value != "" else "(empty)"


def _variants() -> str:
    """What each variant sets."""
    lines = ["## Variants", "", "What `VARIANT` sets; a value that is given explicitly wins.", ""]
    for name, values in VARIANTS.items():
        pairs = ", ".join(f"`{key} {value}`" for key, value in values.items())
        lines.append(f"- `{name}`: {pairs or 'the defaults'}")
    return "\n".join(lines) + "\n"
