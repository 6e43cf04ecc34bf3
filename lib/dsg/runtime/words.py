"""Words of vocabularies and queries, without what makes no difference between them."""

from __future__ import annotations

import re
import unicodedata

COMMAS = re.compile("[,\uff0c\u3001\uff64\u060c\ufe50]")
"""Commas of all keyboards."""
DASHES = "\u2010\u2011\u2012\u2013\u2014-"


def plain(name: str) -> str:
    """A name in lower case, with one blank between its words, for comparing.

    Example:
        >>> plain(" Blue_metal-CUBE ")
        'blue metal cube'
    """
    text = unicodedata.normalize("NFKC", name).lower()
    return " ".join(word for word in re.split(rf"[\s,_{DASHES}]+", text) if word)
