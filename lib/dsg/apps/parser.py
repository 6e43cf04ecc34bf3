"""The argument parser of all programs: one-line errors, old spellings, bare words."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

USER_ERROR_STATUS = 2


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, which suggests the nearest option for an unknown one.

    Options may have `old` spellings, which work but are not shown. With `bare`, words that belong to no
    option become the list `options.<bare>`, wherever they are; the word `--set` may precede them.

    Example:
        >>> parser = Parser("dsg", bare="set")
        >>> _ = parser.add_argument("--dataset", old=("--imdb",))
        >>> parser.parse(["--imdb", "vrd", "--set", "TRAIN.EPOCHS", "3"])
        Namespace(dataset='vrd', set=['TRAIN.EPOCHS', '3'])
    """

    def __init__(self, *arguments: Any, bare: str = "", **settings: Any) -> None:
        self.bare = bare
        self._spellings: dict[str, str] = {}  # as typed -> as shown
        self._nested: argparse._SubParsersAction[Parser] | None = None
        self._otherwise = ""
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*arguments, **settings)

    def add_argument(self, *names: str, old: Sequence[str] = (), **settings: Any) -> argparse.Action:  # type: ignore[override]
        """As in argparse, with `old` spellings, which the help leaves out."""
        action = super().add_argument(*names, *old, **settings)
        shown = [name for name in action.option_strings if name not in old]
        self._spellings.update({name: shown[-1] for name in action.option_strings})
        action.option_strings = shown
        return action

    def add_subparsers(self, *, otherwise: str = "", **settings: Any) -> Any:
        """As in argparse; the nested parsers refuse unknown options.

        Args:
            otherwise: the nested parser of words the first of which names none; of options alone it is none.
        """
        self._otherwise = otherwise
        self._nested = super().add_subparsers(**settings)
        return self._nested

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """The options; exits with status 2 if they are wrong."""
        if self.bare:
            words = [word for word in words if word != "--set"]
        told = self._otherwise and any(not word.startswith("-") for word in words)
        if self._nested is not None and told and words[0] not in self._nested.choices:
            words = [self._otherwise, *words]
        if self._nested is None:
            self._refuse_unknown(words)
        if not self.bare:
            return self.parse_args(words)
        options, rest = self.parse_known_args(words)
        setattr(options, self.bare, rest)
        return options

    def error(self, message: str) -> NoReturn:
        """One line on standard error, and status 2."""
        message = re.sub(r"^argument (\S+): expected .*argument$", r"\1 needs a value", message)
        message = re.sub(r"^the following arguments are required: (.*)$", r"\1 is missing", message)
        print(f"error: {message} ({self.prog} --help lists the options)", file=sys.stderr)
        sys.exit(USER_ERROR_STATUS)

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """As ever, but `--name=--` has the value `--`; argparse makes an empty list of it."""
        if action.option_strings and action.nargs is None and arg_strings == ["--"]:
            return self._get_value(action, "--")
        return super()._get_values(action, arg_strings)

    def _refuse_unknown(self, words: Sequence[str]) -> None:
        known = self._spellings
        for word in words:
            name = word.partition("=")[0]
            if not word.startswith("-") or len(word) == 1 or _is_number(word) or " " in word:
                continue
            if any(spelling.startswith(name) for spelling in known):
                continue
            near = difflib.get_close_matches(name, known, n=1)
            self.error(f"unknown option {word}" + (f"; did you mean {known[near[0]]}?" if near else ""))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
