"""Masks of categories without masks: the matrix, and what it makes of logits."""

from __future__ import annotations

import numpy as np

from dsg.models.grounding.mask_transfer import base_categories, novel_shares, transfer_matrix, transferred
from dsg.models.grounding.words import read_name_vectors
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.runs.grounding.reading import MARGIN, beside, numbers

CLOSE = Tolerance("relative", 1e-6)
# The release's dot products near 40 are float32, and their exponentials as far off as 4e-6.
FROM_WORDS = Tolerance("relative", 1e-5)


def compare(checks: Checks) -> None:
    """All of `transfer.npz`."""
    golden = checks.golden
    checks.given("dots_novel", r"(logits|residual)\.recipe", ".*_names", "counts_per_image")
    checks.skip("softmax_margin", MARGIN)
    names, mask_names = golden.words("vg_names").tolist(), golden.words("coco_names").tolist()
    base = base_categories(names, mask_names)
    novel = [number for number in range(len(names)) if number not in base]
    checks.compare("base_classes", list(base), EXACT)
    checks.compare("base_to_coco", list(base.values()), EXACT)
    checks.compare("novel_classes", novel, EXACT)
    dots = golden.array("dots_novel", len(novel), len(mask_names))
    for key, threshold in (("S_novel", 0.05), ("threshold_0.0/S_novel", 0.0), ("threshold_0.1/S_novel", 0.1)):
        checks.compare(key, novel_shares(dots, threshold), CLOSE)
    _compare_matrices(checks, names, mask_names)
    matrix, logits = golden.floats("A", len(mask_names), len(names)), numbers(golden, "logits")
    checks.compare("masks_sg", transferred(logits, matrix), CLOSE)
    checks.compare("masks_m", transferred(logits, np.eye(len(mask_names), dtype=np.float32)), CLOSE)
    refined = logits + numbers(golden, "residual")
    checks.compare("masks_sg_refined", transferred(refined, matrix), CLOSE)


def _compare_matrices(checks: Checks, names: list[str], mask_names: list[str]) -> None:
    paths = [beside(checks.golden, f"glove_mean_{data}.npy", "glove") for data in ("vg", "coco")]
    if paths[0] is None or paths[1] is None:
        checks.skip(
            "A|derived/.*", "its word vectors, glove_mean_vg.npy and glove_mean_coco.npy, are not there"
        )
        return
    vectors = read_name_vectors(paths[0], len(names)), read_name_vectors(paths[1], len(mask_names))
    for transfer in ("paper_dot", "softmax_all"):
        matrix = transfer_matrix(names, mask_names, *vectors, transfer=transfer)
        checks.compare(f"derived/{transfer}", matrix.T, CLOSE)
    checks.compare("A", transfer_matrix(names, mask_names, *vectors), FROM_WORDS)
