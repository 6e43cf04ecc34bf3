"""YAML text to plain values and back. Only this module loads PyYAML: help and the list of options do not need
it.
"""

from __future__ import annotations

from typing import Any

import yaml

# PyYAML's own errors, and those it raises for '2024-13-45', '0x_', '!!bool x', '!!timestamp x', '[[[[...'.
NOT_YAML = (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError)


class NotYaml(Exception):
    """A text is not YAML; the message is one line."""


class GivenTwice(Exception):
    """A key is given twice in one mapping; YAML would silently take the later value."""


def parse(text: str) -> Any:
    """The values of a text.

    Raises:
        NotYaml: it is not YAML.
        GivenTwice: a key is given twice in one mapping.
    """
    try:
        return _Loader(text).get_single_data()
    except NOT_YAML as error:
        raise NotYaml(" ".join(str(error).split())) from error


def write(tree: dict[str, Any]) -> str:
    """The text of a mapping in its order, with short lists and groups on one line."""
    return yaml.safe_dump(tree, sort_keys=False, default_flow_style=None)


class _Loader(yaml.SafeLoader):
    """Plain values only, and every key once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):  # keys of other kinds are refused later
                line = key.start_mark.line + 1
                if key.value in lines:
                    raise GivenTwice(
                        f"{key.value} in line {line} is already given in line {lines[key.value]}"
                    )
                lines[key.value] = line
        return super().construct_mapping(node, deep)
