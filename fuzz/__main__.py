"""`python -m fuzz`: reads thousands of hostile files and prints what became of them; 1 if one was a fault."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from fuzz.readers import all_readers
from fuzz.runner import Tried, try_reader

FOUND = Path(__file__).resolve().parents[1] / "output" / "fuzz"


def main(arguments: list[str] | None = None) -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="of all readers together (10000)")
    parser.add_argument("--seconds", type=float, default=900, help="in which all must be done (900)")
    parser.add_argument("--limit", type=float, default=20, help="seconds that a case may take (20)")
    parser.add_argument("--seed", type=int, default=0, help="other cases (0)")
    parser.add_argument("--keep", type=Path, default=FOUND, help="folder for the cases of faults")
    parser.add_argument("readers", nargs="*", help="only these")
    given = parser.parse_args(arguments)
    readers = all_readers()
    unknown = [name for name in given.readers if name not in readers]
    if unknown:
        parser.error(f"no reader {unknown[0]!r}; there are {', '.join(readers)}")
    chosen = [readers[name] for name in given.readers or readers]
    shares, until = sum(reader.share for reader in chosen), time.monotonic() + given.seconds
    print(f"{'reader':<28}{'cases':>7}{'taken':>7}{'refused':>9}{'faults':>8}{'seconds':>9}", flush=True)
    done = []
    for number, reader in enumerate(chosen):
        cases = max(1, round(given.cases * reader.share / shares))
        # Time that one leaves is for those after it.
        rest = sum(other.share for other in chosen[number:])
        seconds = (until - time.monotonic()) * min(1.0, 2 * reader.share / rest)
        tried = try_reader(reader, cases, seconds, given.seed, given.keep, given.limit)
        done.append(tried)
        print(_row(tried, cases), flush=True)
    total = sum(tried.cases for tried in done)
    faults = sum(sum(tried.faults.values()) for tried in done)
    print(f"{total:,} cases, {faults:,} faults, seed {given.seed}")
    return 1 if faults or total < 0.9 * given.cases else 0


def _row(tried: Tried, wanted: int) -> str:
    faults = sum(tried.faults.values())
    counts = f"{tried.cases:>7}{tried.accepted:>7}{tried.refused:>9}{faults:>8}"
    row = f"{tried.name:<28}{counts}{tried.seconds:>9.1f}"
    if tried.cases < wanted:
        row += f"  (of {wanted}: the time was up)"
    for kind, number in tried.faults.most_common():
        said, kept = tried.examples[kind]
        row += f"\n    {number} x {kind}: {said}" + (f"\n        {kept}" if kept else "")
    return row


if __name__ == "__main__":
    sys.exit(main())
