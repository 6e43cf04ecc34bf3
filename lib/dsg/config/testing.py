"""Options about testing, `TEST.*`."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.config.option import COUNT, NOT_NEGATIVE, SHARE, SIDE, option


@dataclass(frozen=True)
class TestOptions:
    """TEST.*: images, pictures, and how dsg answers."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    scales: tuple[int, ...] = option((600,), "Length of the shorter image side in pixels.", within=SIDE)
    max_size: int = option(1000, "Longest image side in pixels.", within=COUNT)
    ims_per_batch: int = option(1, "Images per step.", within=COUNT)
    pictures: int = option(12, "Images whose answers and scene graphs are drawn.", within=NOT_NEGATIVE)
    always_include_best: bool = option(
        True, "The most probable box always enters the IoU map (paper: only if no box is predicted)."
    )
    role_conflict: str = option(
        "last_wins",
        "In the true maps of the columns dsg, a box that is both subject and object has the role that is "
        "written last (release), or both (paper); in the columns rr it always has both.",
        ("last_wins", "both"),
    )
    two_step_topk: int = option(
        0,
        "With RR_SOURCE symbolic: how many of an image's relations, the most certain, are facts (0: all).",
        within=NOT_NEGATIVE,
    )
    classifier_weight: float = option(
        1.0,
        "With RR.MATCHING: factor of the role classifier's scores in answers; in training it is 1. "
        "The classifier memorises training images, so a smaller factor gives better answers on others.",
        within=SHARE,
    )
    precision: str = option("float32", "Arithmetic of the layers.", ("float32", "bfloat16", "float16"))
