"""Results of a baseline as text: the table that every net has, then every measure of its maps."""

from __future__ import annotations

from dsg.metrics.report import aligned, format_table
from dsg.models.baselines.scores import MapResults

TITLES = {
    "rr": "maps against boxes drawn as in referring relationships (rr)",
    "dsg": "maps against boxes drawn as for the scene graph (dsg)",
}
LABELS = {"iou": "IoU", "kl": "KL (lower is better)", "cc": "CC", "sim": "SIM"}


def map_table(results: MapResults) -> str:
    """`format_table`, whose IoU is that of maps cut at 0.5, and below it all measures, subject and object."""
    parts = [format_table(results)]
    for convention, title in TITLES.items():
        rows: list[tuple[str, ...]] = [("", "subject", "object", "ambiguous subject", "ambiguous object")]
        for name in results.measures[convention]:
            everything = results.measure(convention, name)
            unsure = results.measure(convention, name, ambiguous=True)
            rows.append((_label(name), *map(str, (*everything, *unsure))))
        parts.append("\n".join([title, "", *aligned(rows)]) + "\n")
    parts.append(f"loss (subject + object): {results.loss:.4f}\n")
    return "\n".join(parts)


def _label(name: str) -> str:
    """`iou_0.5` -> `IoU at 0.5`."""
    measure, _, threshold = name.partition("_")
    return f"{LABELS.get(measure, measure)} at {threshold}" if threshold else LABELS.get(measure, measure)
