#!/usr/bin/env python3
"""`dsg detect`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dsg.apps.main import door  # noqa: E402

if __name__ == "__main__":
    door("detect")
