"""Places and overlaps of boxes in numbers, their order and levels."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dsg.boxes.overlaps import iou
from dsg.models.grounding.boxes import BoxList, Sequences, across, overlap_numbers, positions
from dsg.models.grounding.features import unions
from dsg.models.grounding.motif import certain_logits
from dsg.nets.pyramid_roi import box_levels
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.runs.grounding.reading import SPAN, boxes_of, each_boxes, images_of, starts_of

CLOSE = Tolerance("relative", 1e-6)
SCALES = [1 / 4, 1 / 8, 1 / 16, 1 / 32]
FINEST = 2  # the number of the first level


def compare(checks: Checks) -> None:
    """All of `geometry.npz`."""
    golden = checks.golden
    checks.given(r"boxes/\d+", "image_size_hw", "fpn/boxes", "per_class/boxes", "union/2_pairs")
    checks.skip("intersection/2", "a part of the overlaps")
    checks.skip("order_batch/centre_x", "a part of the order; halved here")
    parts = each_boxes(golden, "boxes")
    size = tf.constant(golden.floats("image_size_hw", len(parts), 2, low=1, high=SPAN))
    boxes = BoxList(tf.constant(np.concatenate(parts)), tf.constant(images_of(parts)), size)
    checks.compare("position", positions(boxes), CLOSE)
    checks.compare("derived/position_unswapped", positions(boxes, swapped=False), CLOSE)
    checks.compare("overlap", overlap_numbers(boxes), CLOSE)
    order = across(boxes)
    for number, start in enumerate(starts_of(parts)[:-1]):
        own = order.rows[number, : order.lengths[number]].numpy() - start
        checks.compare(f"order/{number}", own, EXACT)
    compare_packed(checks, "order_batch/", order, ("perm", "inverse"))
    checks.compare("fpn/level", box_levels(boxes_of(golden, "fpn/boxes"), SCALES) + FINEST, EXACT)
    pairs = golden.array("union/2_pairs", None, 2, low=0, high=len(parts[2]) - 1, whole=True)
    checks.compare("union/2", unions(parts[2], pairs.astype(np.int32)), EXACT)
    checks.compare("iou/2", iou(parts[2], parts[2], inclusive=False), CLOSE)
    checks.compare("iou_plus_one/2", iou(parts[2], parts[2]), CLOSE)
    own_boxes = golden.array("per_class/boxes", None, None, 4, low=-SPAN, high=SPAN).astype(np.float64)
    overlaps = [iou(own_boxes[:, label], own_boxes[:, label]) for label in range(own_boxes.shape[1])]
    checks.compare("per_class/iou", np.stack(overlaps, -1), CLOSE)
    labels = golden["onehot"].argmax(-1)
    checks.compare("onehot", certain_logits(labels, golden["onehot"].shape[-1]), EXACT)


def packed_places(lengths: np.ndarray) -> list[tuple[int, int]]:
    """Image and place of each row of the release's packed sequences: time after time, at each the longest
    sequence first, of equally long ones the last.
    """
    longest_first = np.argsort(lengths, kind="stable")[::-1]
    times = range(int(lengths.max(initial=0)))
    return [(int(image), time) for time in times for image in longest_first if time < lengths[image]]


def compare_packed(checks: Checks, there: str, order: Sequences, names: tuple[str, str]) -> None:
    """The order of boxes in packed sequences.

    Args:
        checks: of the file.
        there: before its keys.
        order: ours.
        names: of the keys of the box at each place, and the place of each box.
    """
    lengths = order.lengths.numpy()
    rows = np.array([order.rows[image, time] for image, time in packed_places(lengths)], np.int64)
    checks.compare(f"{there}{names[0]}", rows, EXACT)
    checks.compare(f"{there}{names[1]}", np.argsort(rows), EXACT)
    running = [(lengths > time).sum() for time in range(int(lengths.max(initial=0)))]
    checks.compare(f"{there}lengths_per_step", running, EXACT)
