#!/usr/bin/env python3
"""`python -m benchmarks.peers`."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "lib"), str(ROOT)]

from benchmarks.peers.__main__ import main  # noqa: E402
from dsg.apps.process import run_process  # noqa: E402

if __name__ == "__main__":
    run_process(main)
