"""A table of both sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.peers.settings import BFLOAT16, Case
from benchmarks.peers.turns import LIBRARY, TORCHVISION

SIDES = (TORCHVISION, LIBRARY)
OTHER_TITLES = f"{'peak':>14}{'first':>8}"
HEADING = f"{'':<38}{'torchvision':>22}{'library':>22}{'times faster':>18}"
TITLES = f"{'':<38}{'clock':>11}{'work':>11}{'clock':>11}{'work':>11}{'clock':>9}{'work':>9}"


def ratios(case: Mapping[str, Any]) -> tuple[float, float]:
    """How many times faster the library is by the clock and by the processors' work."""
    first, second = (
        case[TORCHVISION][field] / max(case[LIBRARY][field], 1e-9)
        for field in ("seconds", "processor_seconds")
    )
    return first, second


def format_report(report: Mapping[str, Any]) -> str:
    """The table, then memory and the time of the first result, then what was measured on what."""
    cases, lines = report["cases"], [HEADING, TITLES]
    for name, case in cases.items():
        times = [case[side][field] for side in SIDES for field in ("seconds", "processor_seconds")]
        shown = "".join(f"{value:>9.2f} s" for value in times)
        lines.append(f"{name:<38}{shown}" + "".join(f"{value:>9.2f}" for value in ratios(case)))
    lines += ["", f"{'':<38}{'torchvision':>22}{'library':>22}", f"{'':<38}{OTHER_TITLES * 2}"]
    for name, case in cases.items():
        own = "".join(f"{case[s]['peak_mib']:>10.0f} MiB{case[s]['first_seconds']:>6.1f} s" for s in SIDES)
        lines.append(f"{name:<38}{own}")
    about, (before, after) = report["machine"], report["load"]
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    alike = min((case["agreement"] for name, case in cases.items() if _compared(name)), default=1.0)
    lines += [
        "",
        f"float32: at least {alike:.0%} of the detections are alike",
        f"{about['processor']}, {report['settings']['threads']} threads, load {before:.1f} before and "
        f"{after:.1f} after; {versions}",
    ]
    return "\n".join(lines)


def _compared(name: str) -> bool:
    case = Case.parse(name)
    return not case.step and case.precision != BFLOAT16
