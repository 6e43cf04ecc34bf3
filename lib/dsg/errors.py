"""The exception for errors that a user can fix: a one-line message, and exit status 2 in every program."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST = 3000
"""Characters of a message: whole files can stand in one, where a name is expected."""


class UserError(Exception):
    """A mistake in the files, options or names given to the program.

    The message is one line: what is wrong, where (file, image, record, key), and what to do about it. Of what
    it quotes from files, line breaks become blanks, and what would steer a terminal is spelled out.
    Programs print it without a traceback and exit with status 2. Any other exception is a bug and keeps its
    traceback.

    Example:
        >>> raise UserError("data/vrd/objects.json: not a JSON list; fetch it again")
        Traceback (most recent call last):
        dsg.errors.UserError: data/vrd/objects.json: not a JSON list; fetch it again
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def one_line(text: str) -> str:
    """A text that a terminal shows as it is, in one line; of a long one the beginning and the end.

    Example:
        >>> one_line("a\\nb\\x1b[31m")
        'a b\\\\x1b[31m'
    """
    if not text.isprintable():
        text = " ".join(text.split("\n"))
        text = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 4 :]}"


def some_of(items: Sequence[str], shown: int = 3, separator: str = "; ") -> str:
    """The first items for a one-line message, with '...' if there are more.

    Example:
        >>> some_of(["a", "b", "c"], 2)
        'a; b; ...'
    """
    return separator.join([*items[:shown], *(["..."] if len(items) > shown else [])])
