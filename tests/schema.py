"""What a JSON value breaks of a JSON Schema, for the words that ours use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
}
WORDS = {"$schema", "title", "description", "type", "required", "properties", "items", "const"}
LIMITS = {"minimum", "maximum", "minLength", "minItems", "maxItems"}


def faults(value: Any, schema: dict[str, Any], place: str = "") -> Iterator[str]:
    """A line for each fault; a word that is not known here is one."""
    yield from (f"{place}: the schema says {word}" for word in set(schema) - WORDS - LIMITS)
    if "const" in schema and value != schema["const"]:
        yield f"{place}: is {value!r}, not {schema['const']!r}"
    kind = schema.get("type")
    if kind is not None and (not isinstance(value, KINDS[kind]) or isinstance(value, bool)):
        yield f"{place}: is no {kind}"
        return
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{place}: has no {name}"
    for name, inner in schema.get("properties", {}).items():
        if name in value:
            yield from faults(value[name], inner, f"{place}/{name}")
    for number, item in enumerate(value if "items" in schema else ()):
        yield from faults(item, schema["items"], f"{place}/{number}")
    for word in LIMITS & set(schema):
        measure = value if word in ("minimum", "maximum") else len(value)
        if (measure < schema[word]) if word.startswith("min") else (measure > schema[word]):
            yield f"{place}: breaks {word} {schema[word]}"
