"""Golden files: `.npz` archives of the reference format, told apart by their keys, not by their names."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dsg.errors import UserError
from dsg.runtime.arrays import DAMAGE, NUMBERS, read_arrays, reason_of

LAYER_GROUPS = (
    "anchors",
    "bbox_transform",
    "bbox_transform_inv",
    "clip_boxes",
    "bbox_overlaps",
    "cpu_nms",
    "tf_nms",
    "nms_plus_one",
    "anchor_target",
    "proposal_layer",
    "proposal_target",
    "crop",
    "union_box",
    "smooth_l1",
    "rpn_softmax",
)
# Segmentation-grounded scene graphs: subject (a module of `runs.grounding`) -> a key that its files have.
GROUNDING_KEYS = {
    "transfer": "dots_novel",
    "edge_masks": "kernels_degenerate/params",
    "geometry": "order_batch/perm",
    "features": "small/node/out",
    "motif": "sgcls_test/lengths_per_step",
    "vctree": "sgcls_test/tree_margin",
    "refiner": "sg_sgcls/input/x.recipe",
    "small": "bilstm/x",
    "sampling": "gt_few/relations",
    "losses": "rel/gradient",
    "postprocess": "sgdet/greedy_labels",
    "metrics": "zero_shot_triplets",
    "vg_reader": "statistics/fg_nonzero",
    "mask_head": "x101/roi.recipe",
    "detector": "box/x.recipe",
    "model": "motif_sgcls/x",
}

MAX_SEED = 2**32 - 1  # of the legacy generator
READABLE = NUMBERS + "cSU"  # NumPy's kinds, complex numbers and texts too: a result may be of any type

Rule = Callable[[Mapping[str, np.ndarray]], bool]
# The first rule that a file's keys satisfy names its kind.
KINDS: tuple[tuple[str, Rule], ...] = (
    ("grounding", lambda keys: any(key in keys for key in GROUNDING_KEYS.values())),
    ("torchvision", lambda keys: "input/recipe_seed" in keys),
    (
        "detection",
        lambda keys: any(key in keys for key in ("input/num_classes", "input/gt_classes", "thresholds_07")),
    ),
    ("gradients", lambda keys: "grad_l2" in keys or any(key.startswith("grad_norm/") for key in keys)),
    ("forward", lambda keys: "input/image_bgr_u8" in keys and "input/query" in keys),
    ("gpi_methods", lambda keys: "in/node_features" in keys),
    ("roidb", lambda keys: "image_index" in keys),
    ("iou_metric", lambda keys: any(re.fullmatch(r"\d+/pred_boxes_norm", key) for key in keys)),
    ("layers", lambda keys: any(key.split("/")[0] in LAYER_GROUPS for key in keys)),
)


class Golden(Mapping[str, np.ndarray]):
    """The arrays of a golden file by key; a key that should be there and is not is the file's fault, and said
    so.

    Example:
        >>> golden = open_golden("tests/golden/layers.npz")
        >>> golden.kind, golden["crop/rois"].shape
        ('layers', (5, 5))
    """

    def __init__(self, path: Path, arrays: Mapping[str, np.ndarray]) -> None:
        self.path = path
        self._arrays = dict(arrays)
        self.kind = next((kind for kind, fits in KINDS if fits(self._arrays)), None)

    def __getitem__(self, key: str) -> np.ndarray:
        if key not in self._arrays:
            raise UserError(f"{self.path}: lacks {key}; not a whole reference file of the kind {self.kind}")
        return self._arrays[key]

    def get(self, key: str, default: Any = None) -> Any:
        """The array under `key`, or `default` if there is none."""
        return self._arrays.get(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self._arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def number(self, key: str, low: float = -math.inf, high: float = math.inf, whole: bool = False) -> float:
        """The one number stored under `key`, whatever its shape, from `low` to `high`."""
        value = self[key]
        if value.size != 1 or value.dtype.kind not in NUMBERS:
            raise UserError(f"{self.path}: {key} should be one number, not {value.dtype} {list(value.shape)}")
        self._check_range(key, value, low, high, whole)
        return float(value.reshape(-1)[0])

    def integer(self, key: str, low: int, high: int) -> int:
        """The one whole number stored under `key`, from `low` to `high`."""
        return int(self.number(key, low, high, whole=True))

    def array(
        self,
        key: str,
        *shape: int | None,
        low: float = -math.inf,
        high: float = math.inf,
        whole: bool = False,
        empty: bool = False,
        finite: bool = True,
    ) -> np.ndarray:
        """The numbers under `key`.

        Args:
            key: of the array.
            shape: what its shape must be (None: any length, 0 only where `empty` allows it).
            low, high: the range of the numbers.
            whole: they must be whole numbers, of whatever type.
            empty: no numbers at all will do, too.
            finite: none may be nan or infinite; False for results, of which such a number does not hold.
        """
        value = self[key]
        fits = value.ndim == len(shape) and all(b in (None, a) for a, b in zip(value.shape, shape))
        if not fits or value.dtype.kind not in NUMBERS:
            wanted = ", ".join("*" if side is None else str(side) for side in shape)
            raise UserError(
                f"{self.path}: {key} is {value.dtype} {list(value.shape)}, expected numbers [{wanted}]"
            )
        if value.size == 0 and not empty:
            raise UserError(f"{self.path}: {key} is empty, {list(value.shape)}; it must not be empty")
        if finite:
            self._check_range(key, value, low, high, whole)
        return value

    def floats(self, key: str, *shape: int | None, **options: Any) -> np.ndarray:
        """As `array`, in float32."""
        return self.array(key, *shape, **options).astype(np.float32)

    def words(self, key: str) -> np.ndarray:
        """The list of words under `key`."""
        value = self[key]
        if value.ndim != 1 or value.dtype.kind != "U":
            raise UserError(f"{self.path}: {key} is {value.dtype} {list(value.shape)}, expected words [*]")
        return value

    def mapping(self, key: str) -> dict[str, Any]:
        """The JSON object whose text stands under `key`."""
        try:
            content = json.loads(str(self[key]))
        except (ValueError, RecursionError) as error:
            raise UserError(f"{self.path}: {key} is not JSON ({error})") from error
        if not isinstance(content, dict):
            raise UserError(f"{self.path}: {key} is a JSON {type(content).__name__}, expected an object {{}}")
        return content

    def _check_range(self, key: str, value: np.ndarray, low: float, high: float, whole: bool) -> None:
        """Refuses numbers that are not finite, outside the range, or broken where whole ones are expected."""
        wide = value.astype(np.float64)
        wrong = ~np.isfinite(wide) | (wide < low) | (wide > high)
        if whole:
            wrong |= wide != np.trunc(wide)
        if wrong.any():
            kind = "whole numbers" if whole else "numbers"
            bounds = "" if low == -math.inf and high == math.inf else f" from {low:g} to {high:g}"
            found = f"{wide[wrong].reshape(-1)[0]:g}"
            raise UserError(f"{self.path}: {key} holds {found}, expected finite {kind}{bounds}")


def open_golden(path: str | Path) -> Golden:
    """All arrays of a golden file.

    Raises:
        UserError: there is no such file, it is damaged, no archive of arrays, or of no kind that is known.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            if file.read(2) != b"PK":
                raise UserError(f"{path}: not an .npz file (these are ZIP archives of arrays)")
        golden = Golden(path, read_arrays(path, READABLE))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except DAMAGE as error:
        raise UserError(f"{path}: the .npz file is damaged ({reason_of(error)}); fetch it again") from error
    if golden.kind is None:
        raise UserError(f"{path}: not a golden file of the reference format; none of its kinds has such keys")
    return golden
