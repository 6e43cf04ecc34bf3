"""How an option of the configuration is declared."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Range:
    """The numbers that an option takes, which never include nan and infinity.

    Example:
        >>> 0.5 in Range(0, 1), 1 in Range(0, 1, below=True), str(Range(0, above=True))
        (True, False, 'above 0')
    """

    low: float
    high: float = math.inf
    above: bool = False  # without `low` itself
    below: bool = False  # without `high` itself

    def __contains__(self, value: float) -> bool:
        if not -math.inf < value < math.inf:  # unlike isfinite, of whole numbers of any size
            return False
        low = value > self.low if self.above else value >= self.low
        return low and (value < self.high if self.below else value <= self.high)

    def __str__(self) -> str:
        low = f"above {self.low}" if self.above else f"at least {self.low}"
        if self.high == math.inf:
            return low
        if not self.above and not self.below:
            return f"from {self.low} to {self.high}"
        return f"{low} and {'below' if self.below else 'at most'} {self.high}"


NOT_NEGATIVE = Range(0)  # at least 0
COUNT = Range(1)  # at least 1
POSITIVE = Range(0, above=True)
SHARE = Range(0, 1)
BELOW_ONE = Range(0, 1, below=True)
SIDE = Range(16)  # pixels: one cell of the coarsest feature map


AUTO = re.compile(r"auto(?::([1-9]|1[0-9]|20))?")


def option(
    default: Any,
    text: str,
    choices: tuple[Any, ...] | None = None,
    within: Range | None = None,
    auto: bool = False,
) -> Any:
    """A dataclass field with a default, a sentence for the documentation and, optionally, the values it may
    take, or the range of a number or of each number in a list, and whether a list of numbers may be `auto`.
    """
    return field(default=default, metadata={"text": text, "choices": choices, "within": within, "auto": auto})


def auto_values(text: str, default: Sequence[float]) -> tuple[float, ...] | None:
    """What `auto` or `auto:N` stands for until training has chosen the values: as many unknown numbers (nan)
    as there will be, as in `default` or N; None for any other text.
    """
    match = AUTO.fullmatch(text)
    return match and (math.nan,) * (int(match[1]) if match[1] else len(default))


def is_auto(values: Any) -> bool:
    """Whether an option's value is a list that training has yet to choose."""
    return isinstance(values, tuple) and any(map(math.isnan, values))
