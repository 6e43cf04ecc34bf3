"""YAML text to plain values and back. Only this module loads PyYAML: help and the list of options do not need
it.
"""

from __future__ import annotations

from typing import Any

import yaml

# PyYAML's own errors, and those it raises for '2024-13-45', '0x_', '!!bool x', '!!timestamp x', '[[[[...'.
MOST_VALUES = 100_000
"""Of a text with all its aliases written out: a few lines can stand for more than any memory holds."""
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
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        if _values_of(node, {}) > MOST_VALUES:
            raise NotYaml(f"aliases that stand for more than {MOST_VALUES:,} values")
        return loader.construct_document(node)
    except NOT_YAML as error:
        raise NotYaml(" ".join(str(error).split())) from error


def write(tree: dict[str, Any]) -> str:
    """The text of a mapping in its order, with short lists and groups on one line."""
    return yaml.safe_dump(tree, sort_keys=False, default_flow_style=None)


def _values_of(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node has with its aliases written out; one that holds itself is counted once.

    Args:
        known: of nodes met before, by identity; filled.
    """
    if id(node) not in known:
        known[id(node)] = 1
        items = (
            [one for pair in node.value for one in pair] if isinstance(node, yaml.MappingNode) else node.value
        )
        inner = items if isinstance(node, yaml.CollectionNode) else ()
        known[id(node)] = 1 + sum(_values_of(one, known) for one in inner)
    return known[id(node)]


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
