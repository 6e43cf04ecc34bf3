"""The reader of VG150, and its counts of predicates."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dsg.datasets.formats.vg150 import GraphImage, Vg150Files, draw_relations, read_vg150
from dsg.errors import UserError
from dsg.models.grounding.frequencies import log_shares, overlapping_pairs, predicate_counts
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.golden import Golden
from dsg.parity.runs.grounding.reading import beside

CLOSE = Tolerance("relative", 1e-6)
CATEGORIES, PREDICATES = 150, 50
SPLITS = {"train": ("train", 2), "val": ("validation", 2), "test": ("test", 2), "train_noval": ("train", 0)}
DRAWS = 50  # so many that each of two relations of a pair is drawn


def compare(checks: Checks) -> None:
    """All of `vg_reader.npz`."""
    checks.given("statistics/pairs")
    checks.skip(
        r"mapper/(test|train).*/(boxes|labels|size_hw)|mapper/test/relations",
        "images are resized by the detector's pipeline, which is compared with torchvision's",
    )
    files = _files(checks.golden)
    for stage in ("scenegraph", "detector"):
        for case, (split, validation) in SPLITS.items():
            result = read_vg150(
                *(files, split), need_relations=stage == "scenegraph", validation_images=validation
            )
            _compare_split(checks, f"{stage}/{case}", result.images)
    images = read_vg150(files, "train", validation_images=0).images
    _compare_statistics(checks, images)
    rng = np.random.default_rng(0)
    drawn = [draw_relations(images[0].relations, rng) for _ in range(DRAWS)]
    for key in [
        key for key in checks.golden if key.startswith("mapper/train/") and key.endswith("relations")
    ]:
        # One predicate a pair is drawn: any of the possible results will do.
        chosen = next((rows for rows in drawn if np.array_equal(rows, checks.golden[key])), drawn[0])
        checks.compare(key, chosen, EXACT)


def _files(golden: Golden) -> Vg150Files:
    paths = [
        beside(golden, name, "vg150")
        for name in ("VG-SGG-with-attri.h5", "VG-SGG-dicts-with-attri.json", "image_data.json")
    ]
    if None in paths:
        raise UserError(
            f"{golden.path.parent}: VG-SGG-with-attri.h5, VG-SGG-dicts-with-attri.json and image_data.json, "
            f"which {golden.path.name} was read from, should be there"
        )
    graphs, dictionary, image_data = (Path(str(path)) for path in paths)
    return Vg150Files(graphs, dictionary, image_data, Path("VG_100K"))


def _compare_split(checks: Checks, there: str, images: list[GraphImage]) -> None:
    checks.compare(f"{there}/image_id", [int(Path(image.name).stem) for image in images], EXACT)
    for number, image in enumerate(images):
        checks.compare(f"{there}/{number}/boxes", image.boxes, CLOSE)
        for key in ("labels", "attributes", "relations"):
            checks.compare(f"{there}/{number}/{key}", getattr(image, key), EXACT)
        checks.compare(f"{there}/{number}/size_hw", [image.height, image.width], EXACT)


def _compare_statistics(checks: Checks, images: list[GraphImage]) -> None:
    counts = predicate_counts(images, CATEGORIES, PREDICATES)
    foreground, background = counts[..., :-1], counts[..., -1]
    shares = log_shares(counts)
    subject, object_ = checks.golden.array("statistics/pairs", None, 2, low=0, high=CATEGORIES, whole=True).T
    for key, values, tolerance in (
        ("fg_nonzero", np.argwhere(foreground), EXACT),
        ("fg_counts", foreground[foreground > 0], EXACT),
        ("fg_sum", counts.sum(), EXACT),
        ("bg_above_one", np.argwhere(background > 1), EXACT),
        ("bg_counts", background[background > 1], EXACT),
        ("bg_sum", background.sum(), EXACT),
        ("pred_dist", shares[subject, object_], CLOSE),
        ("pred_dist_mean", shares.mean(dtype=np.float64), CLOSE),
        ("co_table_mean", shares.sum(-1, dtype=np.float64).mean(), CLOSE),  # before its transpose is added
    ):
        checks.compare(f"statistics/{key}", values, tolerance)
    for number, image in enumerate(images):
        checks.compare(f"statistics/overlapping_pairs/{number}", overlapping_pairs(image.boxes), EXACT)
