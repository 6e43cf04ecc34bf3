"""The losses of the second stage and their gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from dsg.models.grounding.losses import mask_refinement_loss, object_loss, related_loss, relation_loss
from dsg.models.grounding.motif import certain_logits
from dsg.models.grounding.refine import mask_logits, of_labels
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.runs.grounding.reading import box_target, boxes_of, each, images_of, numbers
from dsg.parity.runs.grounding.vctree import related_of

CLOSE = Tolerance("relative", 1e-5)


def compare(checks: Checks) -> None:
    """All of `losses.npz`."""
    golden = checks.golden
    checks.given(r".*\.recipe", ".*/labels", r"bin/related/\d+", "seg/boxes", "seg/polygons/.*", ".*/p")
    checks.given("rel/pairs_per_image", "obj/boxes_per_image")
    checks.skip("label_smoothing/.*", "the library smooths no labels")
    for kind, loss in (("rel", relation_loss), ("obj", object_loss)):
        labels = golden[f"{kind}/labels"]
        value, gradient = _with_gradient(loss, numbers(golden, f"{kind}/logits"), labels)
        checks.compare(f"{kind}/loss", value, CLOSE)
        checks.compare(f"{kind}/gradient", gradient, CLOSE)
    given = certain_logits(golden["obj/labels"], numbers(golden, "obj/logits").shape[-1])
    checks.compare("obj_predcls/loss", object_loss(given, golden["obj/labels"]), CLOSE)
    _compare_related(checks)
    _compare_masks(checks)
    logits = mask_logits(golden.floats("derived/prob_to_logit/p", None), released=True).numpy()
    key = "derived/prob_to_logit/logit"
    checks.given(key)
    finite = np.isfinite(golden[key])
    checks.compare_value(key, logits[finite], golden[key][finite], CLOSE)
    checks.compare_value(f"{key}: infinite", logits == np.inf, golden[key] == np.inf, EXACT)


def _with_gradient(
    loss: Callable[..., tf.Tensor], logits: np.ndarray, labels: np.ndarray
) -> tuple[tf.Tensor, tf.Tensor]:
    values = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(values)
        value = loss(values, labels)
    return value, tape.gradient(value, values)


def _compare_related(checks: Checks) -> None:
    golden = checks.golden
    parts = each(golden, "bin/related")
    own_logits = [numbers(golden, f"bin/logits/{number}") for number in range(len(parts))]
    logits, related, image = related_of(own_logits), related_of(parts), images_of(parts)
    checks.compare("bin/loss", related_loss(tf.constant(logits), related, image, len(parts)), CLOSE)
    alone = [
        related_loss(tf.constant(own), part, tf.zeros([len(part)], tf.int32), 1)
        for own, part in zip(own_logits, parts)
    ]
    checks.compare("bin/per_image", alone, CLOSE)


def _compare_masks(checks: Checks) -> None:
    golden = checks.golden
    boxes = boxes_of(golden, "seg/boxes")
    targets = np.array([box_target(golden, f"seg/polygons/{row}", box) for row, box in enumerate(boxes)])
    checks.compare("seg/targets", targets, EXACT)

    def loss(logits: tf.Tensor, labels: np.ndarray) -> tf.Tensor:
        return mask_refinement_loss(of_labels(logits, labels), targets)

    value, gradient = _with_gradient(loss, numbers(golden, "seg/logits"), golden["seg/labels"])
    checks.compare("seg/loss", value, CLOSE)
    checks.compare("seg/gradient_norm", tf.norm(gradient, axis=[1, 2]), CLOSE)
    nothing = mask_refinement_loss(tf.zeros([0, *targets.shape[1:]]), np.zeros((0, *targets.shape[1:])))
    checks.compare("seg/loss_no_instances", nothing, EXACT)
