"""The machine and the versions that numbers depend on. No TensorFlow here."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

CPU_INFO = Path("/proc/cpuinfo")
"""What Linux says of the processor."""
# How processors that compute with a precision show it there: x86, x86, Arm.
FLAGS = {
    "bfloat16": {"avx512_bf16", "amx_bf16", "bf16"},
    "float16": {"avx512_fp16", "amx_fp16", "fphp"},
}


def machine() -> dict[str, Any]:
    """`processor`, `cores` that this process may use, `system`; versions of Python, TensorFlow, NumPy."""
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "processor": processor(),
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: _version(name) for name in ("tensorflow", "numpy")},
    }


def processor() -> str:
    """Its name."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def imitates(precision: str, cpu_info: Path = CPU_INFO) -> bool:
    """Whether this processor is known to compute with `precision` by way of float32.

    Args:
        precision: float32, bfloat16 or float16.
        cpu_info: what Linux says of the processor; elsewhere nothing is known, and the answer is no.
    """
    try:
        return precision in FLAGS and not FLAGS[precision] & set(cpu_info.read_text(encoding="utf-8").split())
    except OSError:
        return False


def _version(package: str) -> str:
    for name in (package, f"{package}-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"
