"""Gradients files: the gradient of the total loss for the variables of a forward case, and the values after
one and two steps.

The inputs stand in the forward file that the gradients were taken at: the file's name with `forward` for
`gradients`, beside it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from dsg.checkpoints.tf1_names import release_name
from dsg.engine.optimizers import Momentum
from dsg.errors import UserError
from dsg.models.dsg.losses import training_losses
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.golden import Golden, open_golden
from dsg.parity.models import RecipeModels
from dsg.parity.runs.case import INPUTS, Case, read_case

TRUNK = re.compile(r"resnet_v1_\d+/block[123]/")
# A bias before the softmax over nodes has gradient zero; what is stored is rounding.
ROUNDING_ONLY = re.compile(r"gpi/nn_phi2?_atten/2/biases")
STEP = Tolerance("relative", 1e-6)
LOSS = Tolerance("relative", 2e-5)
# The second step's gradient is taken where rounding has led the first: one flipped ReLU (see below) moves the
# loss there by up to 2e-4 and gradients by per cents, so that values may be off by a share of the way they
# went.
LATER_LOSS = Tolerance("relative", 1e-3)
SECOND_STEP_SHARE = 3e-2
# Trunk gradients are loose: a ReLU input within rounding of zero flips, and one flip moves the gradient at
# one position.
TIGHT, LOOSE, RPN_LOOSE, NORMS = 1e-3, 3e-2, 1e-2, 5e-3


class Step(NamedTuple):
    """Losses and gradients of one pass, and the variables' values before it."""

    total: float
    gradients: dict[str, np.ndarray]
    rpn_gradients: dict[str, np.ndarray]


def run(
    golden: Golden,
    models: RecipeModels,
    settings: Path | None = None,
    forward: str | Path | None = None,
) -> Checks:
    """Everything in the file against what the tape and the optimiser give.

    Args:
        golden: a file of the kind `gradients`.
        models: gives the model.
        settings: see `read_case`.
        forward: the file with the inputs; by default the one beside `golden`.
    """
    case = read_case(_inputs(golden, forward), settings)
    model = models.load(case.config, case.num_entities, case.num_predicates)
    net = case.config.backbone
    variables = {str(release_name(name, net)): value for name, value in model.named_variables().items()}
    trained = [str(release_name(name, net)) for name in model.trainable_names()]
    optimizer = Momentum({name: variables[name] for name in trained}, golden.number("momentum"))
    rate = golden.number("learning_rate")
    with_rpn = any(key.startswith("rpn_grad") for key in golden)
    checks = Checks(golden)
    checks.given(*INPUTS, "learning_rate", "momentum", "index/.*")

    before = _values(golden, variables)
    first = _differentiate(model, case, variables, trained, with_rpn)
    _check_first(checks, variables, trained, first)
    _check_values(checks, "before", before, Tolerance("relative", 0.0))
    optimizer.apply({name: tf.constant(value) for name, value in first.gradients.items()}, rate)
    after = _values(golden, variables)
    _check_values(checks, "after", after, STEP)
    _check_moves(checks, variables, before, after)
    if any(key.startswith("after2/") or key == "total_loss_step2" for key in golden):
        second = _differentiate(model, case, variables, trained, False)
        checks.compare("total_loss_step2", second.total, LATER_LOSS)
        optimizer.apply({name: tf.constant(value) for name, value in second.gradients.items()}, rate)
        _check_values(checks, "after2", _values(golden, variables), STEP, SECOND_STEP_SHARE)
    if "total_loss_step3" in golden:
        losses = training_losses(model, model(case.batch, training=True), case.batch, case.config)
        checks.compare("total_loss_step3", losses["total"], LATER_LOSS)
    checks.skip(
        r"(grad|grad_norm)/" + ROUNDING_ONLY.pattern, "a bias before a softmax: zero but for rounding"
    )
    return checks.finish()


def _inputs(golden: Golden, forward: str | Path | None) -> Golden:
    """The forward file that belongs to `golden`; itself, where it holds the inputs, too."""
    if forward is None and "input/image_bgr_u8" in golden:
        return golden
    beside = golden.path.with_name(golden.path.name.replace("gradients", "forward", 1))
    path = beside if forward is None else Path(forward)
    if path == golden.path or not path.exists():
        raise UserError(
            f"{golden.path}: its inputs, a forward file, are not at {path}; name them with --forward FILE"
        )
    inputs = open_golden(path)
    if inputs.kind != "forward":
        raise UserError(
            f"{path}: of the kind {inputs.kind}, but the inputs of {golden.path} are in a forward file"
        )
    return inputs


def _differentiate(
    model: Any, case: Case, variables: Mapping[str, tf.Variable], trained: list[str], with_rpn: bool
) -> Step:
    batch, sources = case.batch, [variables[name] for name in trained]
    with tf.GradientTape(persistent=with_rpn, watch_accessed_variables=False) as tape:
        tape.watch(sources)
        losses = training_losses(model, model(batch, training=True), batch, case.config)
        rpn = losses["rpn_class"] + losses["rpn_box"]

    def of(target: Any) -> dict[str, np.ndarray]:
        found = zip(trained, tape.gradient(target, sources))
        return {name: tf.convert_to_tensor(value).numpy() for name, value in found if value is not None}

    return Step(float(losses["total"]), of(losses["total"]), of(rpn) if with_rpn else {})


def _check_first(
    checks: Checks, variables: Mapping[str, tf.Variable], trained: list[str], step: Step
) -> None:
    golden = checks.golden
    checks.compare("total_loss", step.total, LOSS)
    without = sorted(set(trained) - set(step.gradients))
    for key, names in (("all_trainable", sorted(trained)), ("no_gradient", without)):
        if key in golden:
            checks.compare(key, np.array(names, dtype=str), EXACT, reference=np.sort(golden.words(key)))
    if "grad_l2_names" in golden:
        listed = golden.words("grad_l2_names")
        checks.compare("grad_l2_names", np.array(sorted(step.gradients)), EXACT, reference=np.sort(listed))
        _check_all_norms(checks, listed.tolist(), step)
    for kind, gradients in (("grad", step.gradients), ("rpn_grad", step.rpn_gradients)):
        for name in dict.fromkeys(_names(golden, kind) + _names(golden, f"{kind}_norm")):
            if ROUNDING_ONLY.fullmatch(name):
                continue
            if name not in gradients:
                checks.fail(f"{kind}/{name}", "the library gives this variable no gradient")
                checks.skip(f"{kind}_norm/{re.escape(name)}", "no gradient")
                continue
            full = gradients[name]
            where = "trunk" if TRUNK.match(name) else "above the trunk"
            limit = (LOOSE if kind == "grad" else RPN_LOOSE) if TRUNK.match(name) else TIGHT
            checks.compare(
                f"{kind}/{name}", _stored(golden, name, full), Tolerance("l2", limit), f"{kind}: {where}"
            )
            norm = np.linalg.norm(full.astype(np.float64))
            allowed = Tolerance("relative", NORMS if TRUNK.match(name) else TIGHT)
            checks.compare(f"{kind}_norm/{name}", norm, allowed, f"{kind}_norm: {where}")
    for name in _names(golden, "shape"):
        if name in variables:
            checks.compare(f"shape/{name}", np.array(variables[name].shape), EXACT, "shape")


def _check_all_norms(checks: Checks, names: list[str], step: Step) -> None:
    """The norms of all gradients, stored as one array; trunk and the rest have tolerances of their own."""
    stored = checks.golden.array("grad_l2", len(names), finite=False)
    norms = {name: float(np.linalg.norm(value.astype(np.float64))) for name, value in step.gradients.items()}
    reference = dict(zip(names, stored))
    for name in names:
        if name in norms and not ROUNDING_ONLY.fullmatch(name):
            trunk = TRUNK.match(name)
            group = f"grad_l2: {'trunk' if trunk else 'above the trunk'}"
            checks.compare_value(
                f"grad_l2[{name}]",
                norms[name],
                reference[name],
                Tolerance("relative", NORMS if trunk else TIGHT),
                group,
            )
    checks.given("grad_l2")


def _values(golden: Golden, variables: Mapping[str, tf.Variable]) -> dict[str, np.ndarray]:
    """The full values of the variables that the file is about, as they are now."""
    return {name: variables[name].numpy() for name in _names(golden, "before") if name in variables}


def _check_values(
    checks: Checks, kind: str, values: Mapping[str, np.ndarray], allowed: Tolerance, share: float = 0.0
) -> None:
    """Values of variables; with `share` an error of that share of the way they went is allowed, too."""
    golden = checks.golden
    for name in _names(golden, kind):
        if name in values:
            if share:
                start = golden.array(f"before/{name}", None, finite=False, empty=True)
                end = golden.array(f"{kind}/{name}", len(start), finite=False, empty=True)
                way = np.abs(end - start).max(initial=0.0)
                allowed = Tolerance(allowed.kind, allowed.limit, absolute=share * float(way))
            ours = _stored(golden, name, values[name])
            checks.compare(f"{kind}/{name}", ours, allowed, f"{kind}: values")


def _check_moves(
    checks: Checks,
    variables: Mapping[str, tf.Variable],
    before: Mapping[str, np.ndarray],
    after: Mapping[str, np.ndarray],
) -> None:
    """How far each variable went in the first step; those that must not change went nowhere."""
    for name in _names(checks.golden, "delta_norm"):
        if name in before:
            went = np.linalg.norm(after[name].astype(np.float64) - before[name])
            stays = checks.golden.number(f"delta_norm/{name}") == 0
            allowed = EXACT if stays else Tolerance("relative", NORMS if TRUNK.match(name) else TIGHT)
            where = "unchanged" if stays else "trunk" if TRUNK.match(name) else "above the trunk"
            if not ROUNDING_ONLY.fullmatch(name):
                checks.compare(f"delta_norm/{name}", went, allowed, f"delta_norm: {where}")
    checks.skip(r"delta_norm/" + ROUNDING_ONLY.pattern, "a bias before a softmax: zero but for rounding")


def _stored(golden: Golden, name: str, full: np.ndarray) -> np.ndarray:
    """The entries of a variable that the file keeps: those at `index/...`, or all, flat."""
    flat = full.reshape(-1)
    key = f"index/{name}"
    if key not in golden:
        return flat
    return flat[golden.array(key, None, low=0, high=flat.size - 1, whole=True).astype(np.int64)]


def _names(golden: Golden, kind: str) -> list[str]:
    return [key[len(kind) + 1 :] for key in golden if key.startswith(f"{kind}/")]
