"""The exception for errors that a user can fix: a one-line message, and exit status 2 in every program."""

from __future__ import annotations

from collections.abc import Sequence


class UserError(Exception):
    """A mistake in the files, options or names given to the program.

    The message is one line: what is wrong, where (file, image, record, key), and what to do about it.
    Programs print it without a traceback and exit with status 2. Any other exception is a bug and keeps its
    traceback.

    Example:
        >>> raise UserError("data/vrd/objects.json: not a JSON list; fetch it again")
        Traceback (most recent call last):
        dsg.errors.UserError: data/vrd/objects.json: not a JSON list; fetch it again
    """


def some_of(items: Sequence[str], shown: int = 3, separator: str = "; ") -> str:
    """The first items for a one-line message, with '...' if there are more.

    Example:
        >>> some_of(["a", "b", "c"], 2)
        'a; b; ...'
    """
    return separator.join([*items[:shown], *(["..."] if len(items) > shown else [])])
