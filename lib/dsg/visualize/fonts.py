"""The font that a text is drawn with: DejaVu Sans, which comes with matplotlib; for letters that it lacks
the font that the variable `DSG_FONT` names, or one that is installed. What no font has is drawn as a number,
which a line of the log explains.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from dsg.errors import UserError
from dsg.visualize.figure import load_matplotlib

LOG = logging.getLogger("dsg")
VARIABLE = "DSG_FONT"
PREFERRED = re.compile(
    r"noto\s?sans.*cjk|source\s?han|wqy|droid.*fallback|noto\s?sans|unifont|arial\s?uni|pingfang|hiragino|msyh|"
    r"yugoth|malgun|simhei|simsun|mingliu|gothic|freesans|nirmala|leelaw",
    re.IGNORECASE,
)
"""Fonts with the letters of many scripts, by their files' names; they are looked into first."""
INVISIBLE = ("Cf", "Cc", "Mn", "Zs", "Zl", "Zp")  # categories of signs that need no glyph of their own
_numbers: dict[str, int] = {}


def shown(text: str) -> str:
    """The text as it is drawn: itself where a font has all of it, else with numbers for what is in none."""
    if _first_with(text) is not None:
        return text
    known = _letters(dejavu(False))
    pieces = re.split("([" + re.escape("".join(dict.fromkeys(_needed(text) - known))) + "]+)", text)
    return "".join(f"#{_number(piece)}" if place % 2 else piece for place, piece in enumerate(pieces))


def font_file(text: str, bold: bool) -> Path:
    """The font to draw a text with, which `shown` gave.

    Raises:
        UserError: `DSG_FONT` names no font.
    """
    plain = dejavu(bold)
    if _needed(text) <= _letters(plain):
        return plain
    return _first_with(text) or plain


def families(texts: Iterable[str]) -> list[str]:
    """The fonts that draw all of these texts, first DejaVu Sans, for matplotlib's `font.family`."""
    load_matplotlib()
    from matplotlib import font_manager

    files = dict.fromkeys(font_file(text, False) for text in texts)
    names = ["DejaVu Sans"]
    for path in files:
        if path != dejavu(False):
            font_manager.fontManager.addfont(str(path))
            names.append(font_manager.FontProperties(fname=str(path)).get_name())
    return names


def has_all(path: Path, text: str) -> bool:
    """Whether a font has all letters of a text."""
    return _needed(text) <= _letters(path)


@functools.cache
def installed() -> tuple[Path, ...]:
    """The fonts of this machine, those with many scripts first."""
    load_matplotlib()
    from matplotlib import font_manager

    paths = sorted({Path(path) for path in font_manager.findSystemFonts()})
    return tuple(sorted(paths, key=lambda path: PREFERRED.search(path.name) is None))


def dejavu(bold: bool) -> Path:
    """DejaVu Sans, which every matplotlib carries."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return Path(load_matplotlib().get_data_path(), "fonts", "ttf", name)


def forget() -> None:
    """Look for fonts again, and restart the numbers of letters that no font has."""
    _numbers.clear()
    for cached in (installed, _first_with, _letters):
        clear = getattr(cached, "cache_clear", None)
        if clear is not None:
            clear()


def _own_font() -> Path | None:
    """The font that the user names.

    Raises:
        UserError: it is none.
    """
    name = os.environ.get(VARIABLE, "")
    if not name:
        return None
    path = Path(name).expanduser()
    if not _letters(path):
        raise UserError(f"{VARIABLE} {path}: no font that can be read; name a .ttf, .otf or .ttc file")
    return path


@functools.cache
def _first_with(text: str) -> Path | None:
    """The first font that has all letters of a text; None if there is none."""
    own = _own_font()
    for path in (dejavu(False), *([own] if own else []), *installed()):
        if has_all(path, text):
            return path
    return None


@functools.cache
def _letters(path: Path) -> frozenset[str]:
    """The signs that a font has; none where the file is no font."""
    load_matplotlib()
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(chr(code) for code in FT2Font(str(path)).get_charmap())
    except (RuntimeError, OSError, ValueError, TypeError):
        return frozenset()


def _needed(text: str) -> set[str]:
    """The signs of a text that need a glyph."""
    return {sign for sign in text if unicodedata.category(sign) not in INVISIBLE}


def _number(piece: str) -> int:
    """The number that stands for what no font has; told once."""
    if piece not in _numbers:
        _numbers[piece] = len(_numbers) + 1
        LOG.warning(
            "no font has the letters of %s: drawn as #%d; %s=FILE names one that has them",
            piece.encode("utf-8", "backslashreplace").decode(),
            _numbers[piece],
            VARIABLE,
        )
    return _numbers[piece]
