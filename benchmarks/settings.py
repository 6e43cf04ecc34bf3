"""How large and how often: the numbers of a benchmark, in one place. No TensorFlow here, `--help` needs
this file.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Settings:
    """Sizes of what is measured and numbers of repetitions; the defaults are those of a full run."""

    net: str = "res101"
    height: int = 600
    width: int = 800
    proposals: int = 32
    queries: int = 3
    entities: int = 100  # categories, as in Visual Genome
    predicates: int = 70
    objects: int = 6  # ground-truth boxes of an image
    warm_up: int = 2  # runs that are not counted; the first builds the graph
    repeats: int = 7  # runs of each contender, in turns
    seconds: float = 240.0  # of a section's turns, but `fewest` take place
    fewest: int = 2
    plain_gflop: bool = True  # count the operations of the plain formulation, too
    matmul: int = (
        4096  # rows and columns of the large matrix product (0: neither that nor a count of operations)
    )
    mini_cfg: str = str(ROOT / "experiments" / "cfgs" / "mini.yml")
    mini_size: tuple[int, int] = (192, 128)  # width, height
    mini_batch: int = 4
    detector_nets: tuple[str, ...] = ("res101", "res50_fpn")
    detector_tasks: tuple[str, ...] = ("inference", "training")
    detector_size: tuple[int, int] = (600, 1000)  # height, width
    detector_proposals: int = 300  # of an answer
    detector_classes: int = 91  # with the background, as torchvision's detectors of COCO have
    grounding_nets: tuple[str, ...] = ("res101", "mini")
    grounding_boxes: int = 20  # of an image; an answer is about all their ordered pairs
    trained: str = str(ROOT / "data" / "demo" / "mini.npz")  # what the precisions are compared on
    precision_images: int = 400
    shapes_images: int = 400  # of the input pipeline
    photographs: int = 64
    pipeline_repeats: int = 5
    overlap_sizes: tuple[tuple[int, int], ...] = (
        (10, 3),
        (300, 10),
        (5_700, 5),
        (2_000, 20),
        (22_800, 5),
        (20_000, 50),
    )
    annotation_share: float = 1.0  # of the images that Visual Genome and CLEVR have
    nms_boxes: int = 22_800  # the anchors of an image of 600 x 800 pixels
    nms_best: int = 32
    operation_repeats: int = 15
    operation_seconds: float = 0.02  # shortest time of one measurement: quick operations run several times
    pair7: bool = True  # measure with relation crops of 7 x 7, too
    bfloat16: bool = True  # measure in bfloat16, too
    memory_width: int = 1000  # of the image, likewise; the largest that training takes
    memory_cases: tuple[str, ...] = (  # each runs in a process of its own
        "inference/plain",
        "inference/library",
        "inference/library_bf16",
        "training/plain",
        "training/library",
        "training/library_bf16",
        "mini/inference",
        "mini/training",
        "input/shapes",
        "input/photographs",
        "detector/res101/inference",
        "detector/res101/inference_bf16",
        "detector/res101/training",
        "detector/res101/training_bf16",
        "detector/res50_fpn/inference",
        "detector/res50_fpn/inference_bf16",
        "detector/res50_fpn/training",
        "detector/res50_fpn/training_bf16",
        "grounding/res101/predcls/with",
        "grounding/res101/predcls/without",
    )
    # How cost grows, each point in a process of its own; what is not varied is as above.
    scaling_proposals: tuple[int, ...] = (8, 16, 32, 64, 128)
    scaling_queries: tuple[int, ...] = (1, 10, 100)
    scaling_sides: tuple[int, ...] = (300, 450, 600, 800, 1000)  # shorter side, in the same proportion
    scaling_batches: tuple[int, ...] = (1, 2, 4, 8)
    scaling_steps: tuple[int, ...] = (1, 2, 3, 4)  # images of a training step of the large net
    scaling_tasks: tuple[str, ...] = ("inference", "training")
    scaling_repeats: int = 3

    def to_json(self) -> str:
        """Text that `from_json` reads."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The settings that `to_json` wrote."""
        return cls(**{key: _tuples(value) for key, value in json.loads(text).items()})


QUICK = Settings(
    warm_up=1,
    repeats=3,
    seconds=10.0,
    fewest=1,
    plain_gflop=False,
    matmul=3072,
    shapes_images=160,
    photographs=24,
    pipeline_repeats=3,
    operation_repeats=3,
    scaling_repeats=2,
    annotation_share=0.05,
    detector_nets=("res50_fpn",),
    detector_tasks=("inference",),
    memory_cases=("training/plain", "training/library"),
)
"""A run within five minutes."""


def _tuples(value: Any) -> Any:
    return tuple(_tuples(one) for one in value) if isinstance(value, list) else value
