"""Plain values out of a pickle, without running it.

A pickle is a program for a small stack machine, and Python's own interpreter lets it import and call
anything. This one knows the opcodes that `torch.save` writes and calls nothing but the handlers it is
given by name; any other name ends the reading. It takes time and memory in proportion to the pickle's length.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

Handler = Callable[..., Any]
LONGEST_LINE = 256  # of a module's or a class's name


class Refused(ValueError):
    """A pickle that is damaged or asks for something that it may not have; the message says which."""


class Name:
    """A name that a pickle mentioned and that it may mention: a handler's, to be called or passed on."""

    def __init__(self, name: str, handler: Handler | None) -> None:
        self.name, self.handler = name, handler


class PickleReader:
    """Reads pickles of protocol 2 that follow one another in `content`, from `position` on.

    Args:
        content: the bytes.
        names: what a pickle may mention, `"module name"` -> what to call with the arguments, or None for a
            name that is only an argument.
        storage: what a persistent id (a tuple) stands for.
    """

    def __init__(
        self, content: bytes | memoryview, names: Mapping[str, Handler | None], storage: Handler
    ) -> None:
        self.content, self.position = content, 0
        self._names, self._storage = names, storage
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def read(self) -> Any:
        """The value of the next pickle: dictionaries, lists, tuples, texts, numbers, None and what the
        handlers return. Lists and dictionaries may contain themselves.

        Raises:
            Refused: it is cut, damaged, of another protocol, or mentions a name that it may not.
        """
        self._stack, self._marks, self._memo = [], [], {}
        if self._bytes(2) != b"\x80\x02":
            raise Refused("does not start as a pickle of protocol 2 does")
        while True:
            code = self._bytes(1)
            if code == b".":
                break
            operation = _OPERATIONS.get(code)
            if operation is None:
                raise Refused(f"uses the pickle opcode {code!r}, which torch.save does not write")
            operation(self)
        if len(self._stack) != 1 or self._marks:
            raise Refused("ends before its value is complete")
        return self._stack.pop()

    def _bytes(self, count: int) -> bytes:
        start, end = self.position, self.position + count
        if end > len(self.content):
            raise Refused("ends in the middle of a pickle")
        self.position = end
        return bytes(self.content[start:end])

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._bytes(struct.calcsize(form)))[0]

    def _line(self) -> str:
        line = bytes(self.content[self.position : self.position + LONGEST_LINE])
        end = line.find(b"\n")
        if end < 0:
            raise Refused("mentions a name without end")
        self.position += end + 1
        return line[:end].decode("ascii", "backslashreplace")

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self, kind: type | tuple[type, ...] = object) -> Any:
        value = self._take(len(self._stack) - 1)[0]
        if not isinstance(value, kind):
            raise Refused(f"has a {type(value).__name__} in a wrong place")
        return value

    def _take(self, start: int) -> list[Any]:
        """Everything on the stack from `start` on, which may not reach below the last mark."""
        if start < (self._marks[-1] if self._marks else 0):
            raise Refused("takes a value from an empty stack")
        values = self._stack[start:]
        del self._stack[start:]
        return values

    def _since_mark(self) -> list[Any]:
        if not self._marks:
            raise Refused("has no mark where it needs one")
        values = self._take(self._marks[-1])
        self._marks.pop()
        return values

    def _top(self, kind: type) -> Any:
        self._push(value := self._pop(kind))
        return value

    def _global(self) -> None:
        name = f"{self._line()} {self._line()}"
        if name not in self._names:
            raise Refused(f"asks for {name.replace(' ', '.', 1)!r}, which no file of weights needs")
        self._push(Name(name, self._names[name]))

    def _reduce(self) -> None:
        arguments, name = self._pop(tuple), self._pop(Name)
        if name.handler is None:
            raise Refused(f"calls {name.name.replace(' ', '.', 1)!r}")
        self._push(name.handler(*arguments))

    def _build(self) -> None:
        # `state_dict` carries the versions of its modules as an attribute, which says nothing of the weights
        self._pop(dict)
        self._top(dict)

    def _persistent(self) -> None:
        self._push(self._storage(self._pop(tuple)))

    def _put(self, index: int) -> None:
        self._memo[index] = self._top(object)

    def _get(self, index: int) -> None:
        if index not in self._memo:
            raise Refused("refers to a value that it has not stored")
        self._push(self._memo[index])

    def _append(self, values: list[Any]) -> None:
        self._top(list).extend(values)

    def _set_items(self, values: list[Any]) -> None:
        if len(values) % 2:
            raise Refused("has a key without value")
        items = self._top(dict)
        for key, value in zip(values[::2], values[1::2]):
            items[checked_key(key)] = value

    def _tuple(self, count: int) -> None:
        self._push(tuple(self._take(len(self._stack) - count)))

    def _text(self, length: int) -> None:
        self._push(self._bytes(length).decode("utf-8", "backslashreplace"))

    def _long(self) -> None:
        self._push(int.from_bytes(self._bytes(self._number("<B")), "little", signed=True))


def checked_key(key: Any) -> Any:
    """A key that hashes at once: nested tuples would take as long as they are deep and wide.

    Raises:
        Refused: it is neither text nor a number.
    """
    if not isinstance(key, (str, int, float)):
        raise Refused(f"has a {type(key).__name__} as a key")
    return key


_OPERATIONS: dict[bytes, Callable[[PickleReader], None]] = {
    b"(": lambda r: r._marks.append(len(r._stack)),
    b"N": lambda r: r._push(None),
    b"\x88": lambda r: r._push(True),
    b"\x89": lambda r: r._push(False),
    b"J": lambda r: r._push(r._number("<i")),
    b"K": lambda r: r._push(r._number("<B")),
    b"M": lambda r: r._push(r._number("<H")),
    b"\x8a": PickleReader._long,
    b"G": lambda r: r._push(r._number(">d")),
    b"X": lambda r: r._text(r._number("<I")),
    b"U": lambda r: r._text(r._number("<B")),  # a text of Python 2
    b"T": lambda r: r._text(r._number("<I")),
    b"]": lambda r: r._push([]),
    b"a": lambda r: r._append([r._pop()]),
    b"e": lambda r: r._append(r._since_mark()),
    b"}": lambda r: r._push({}),
    b"s": lambda r: r._set_items([r._pop(), r._pop()][::-1]),
    b"u": lambda r: r._set_items(r._since_mark()),
    b")": lambda r: r._push(()),
    b"\x85": lambda r: r._tuple(1),
    b"\x86": lambda r: r._tuple(2),
    b"\x87": lambda r: r._tuple(3),
    b"t": lambda r: r._push(tuple(r._since_mark())),
    b"q": lambda r: r._put(r._number("<B")),
    b"r": lambda r: r._put(r._number("<I")),
    b"h": lambda r: r._get(r._number("<B")),
    b"j": lambda r: r._get(r._number("<I")),
    b"c": PickleReader._global,
    b"R": PickleReader._reduce,
    b"b": PickleReader._build,
    b"Q": PickleReader._persistent,
}
