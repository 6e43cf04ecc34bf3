"""The reference of all options as Markdown, written from the schema: `docs/configuration.md` is this text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from dsg.config.dsg import VARIANTS
from dsg.config.schema import Config

HEAD = """# Configuration

<!-- Written by `dsg options --write` from lib/dsg/config; change the options there, not this file. -->

Every option has a default. The defaults are the values of the TensorFlow 1 release, except for
`DATA.SPLIT_RULE`. Options are set in this order; a later value wins:

1. `experiments/cfgs/<dataset>.yml`, then `<net>.yml` (for a baseline `models/<net>.yml`), then
   `<net>_<dataset>.yml`, if they exist;
2. `KEY VALUE` pairs at the end of `dsg train`, `dsg test`, `train.sh` and `test.sh`, or after `--set` of
   other commands:
   `TRAIN.LEARNING_RATE 0.002`, `TRAIN.STEPSIZE "[2,4]"`, `TRAIN.USE_FLIPPED False`.

`VARIANT` stands for a set of values ([below](#variants)), which apply at the place where it is named: they
override the files before it, and are overridden by values beside it or after it.

`MODEL` is the system and `BACKBONE` the trunk. `NET`, the older name for both, still works: `NET res101`
means `MODEL dsg` with `BACKBONE res101`, and `NET ss` means `MODEL ss`. A file, or the pairs of a command,
may use both spellings if they agree.

A file can be based on another: with `BASE: mini.yml` it has that file's options and states only what it
changes. The path is relative to the file's own folder, and the base must be there, below it, or in
`experiments/cfgs`. It may have a `BASE` itself. A key that is given twice in a file is an error.

Values are written in YAML. In pairs, words and paths are taken literally, a list may also be in parentheses,
and a single value may stand for a list of one. For an unknown key, the message suggests the nearest known
one; for a value of the wrong type or out of range, it gives the right type or the range; the exit status is
2. A run saves its whole configuration as `config.yml` and in every snapshot. A test takes its options from
   the snapshot, except for the place of data and weights, and then applies the given pairs.

In Python, `dsg.config.load_config(files, ["TRAIN.LEARNING_RATE", "0.002"])` returns a frozen `Config`, whose
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
    title = f"{prefix[:-1]}: {node.__doc__}" if prefix else "The whole system"
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
    values += ", or `auto`, or `auto:N`" if item.metadata["auto"] else ""
    meaning = item.metadata["text"].replace("|", "\\|")
    return f"| `{prefix}{item.name.upper()}` | {_shown(item.default)} | {values} | {meaning} |"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`" if value != "" else "(empty)"


def _variants() -> str:
    """What each variant sets."""
    lines = ["## Variants", "", "What `VARIANT` sets; an explicitly given value wins.", ""]
    for name, values in VARIANTS.items():
        pairs = ", ".join(f"`{key} {value}`" for key, value in values.items())
        lines.append(f"- `{name}`: {pairs or 'the defaults'}")
    return "\n".join(lines) + "\n"
