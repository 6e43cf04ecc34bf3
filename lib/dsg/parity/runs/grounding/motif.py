"""MOTIF's context and the predicates' classifier, at full size."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dsg.models.grounding.boxes import across, positions
from dsg.models.grounding.contexts import MOTIF
from dsg.models.grounding.motif import Context, MotifContext
from dsg.parity.checks import Checks
from dsg.parity.runs.grounding.contexts import (
    CASES,
    CLOSE,
    SIZES,
    Case,
    compare_context,
    compare_predicates,
    declare,
    predicate_head,
    read_case,
    recipe_context,
)
from dsg.parity.runs.grounding.geometry import compare_packed
from dsg.parity.runs.grounding.weights import moving_values, restore


def compare(checks: Checks) -> None:
    """All of `motif.npz`."""
    declare(checks)
    context, head = recipe_context(MOTIF), predicate_head(relu=False)
    assert isinstance(context, MotifContext)
    before = moving_values(context)
    for name in CASES:
        case = read_case(checks.golden, name)
        got = context(case.boxes, case.x, case.known, case.training, _dropout(checks, case))
        compare_context(checks, case, got)
        _compare_sequences(checks, case, context, got)
        compare_predicates(checks, case, head, got)
        if case.training:
            for key, value in moving_values(context).items():
                checks.compare(f"{name}/bn_after/{key[len('node/') :].replace('/bn/', '/')}", value, CLOSE)
        restore(context, before)


def _dropout(checks: Checks, case: Case) -> tf.Tensor | None:
    """The mask [B, hidden] or [1, hidden] of training; ones where the release ran without."""
    if not case.training:
        return None
    if case.name.endswith("dropout"):
        # There the longest sequence comes first.
        return tf.constant(
            checks.golden.floats(f"{case.name}/input/dropout_mask", len(case.parts), SIZES.hidden)[::-1]
        )
    return tf.ones([1, SIZES.hidden])


def _compare_sequences(checks: Checks, case: Case, context: MotifContext, got: Context) -> None:
    """The order of the boxes, and what is read in that order."""
    checks.compare(f"{case.name}/position9", positions(case.boxes), CLOSE)
    order = across(case.boxes)
    compare_packed(checks, f"{case.name}/", order, ("order", "inverse_order"))
    nodes, encoded = got.nodes[:, : SIZES.nodes], got.nodes[:, SIZES.nodes :]
    edge_in = tf.concat([context.obj_embed2(got.labels), case.x, encoded], -1)
    checks.compare(f"{case.name}/edge_in", edge_in, CLOSE)
    for key, lstm, inputs in (
        ("bilstm", context.obj_lstm, nodes),
        ("edge_bilstm", context.edge_lstm, edge_in),
    ):
        states = order.scatter(lstm(order.gather(inputs), order.lengths))
        checks.compare(f"{case.name}/{key}", np.asarray(states), CLOSE)
