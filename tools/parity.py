#!/usr/bin/env python3
"""Does this library compute what the TensorFlow 1 release computes? Runs golden files and compares every
stage.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "lib"))

from dsg.parity.command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(settings=ROOT / "experiments" / "cfgs"))
