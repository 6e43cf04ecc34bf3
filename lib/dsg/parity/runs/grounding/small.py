"""Trees, recurrent layers and word vectors of a few numbers, with weights that the file has."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dsg.models.grounding.answers import suppressed_labels
from dsg.models.grounding.motif import ContextSizes, Decoder
from dsg.models.grounding.tree_lstm import TreeLstm
from dsg.models.grounding.trees import grow_forest, grow_tree, preorder
from dsg.models.grounding.words import name_vectors
from dsg.nets.layers import Dense
from dsg.nets.recurrent import BidirectionalLstm
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.golden import Golden
from dsg.parity.runs.grounding.geometry import packed_places
from dsg.parity.runs.grounding.vctree import compare_tree, postorder

CLOSE = Tolerance("relative", 1e-6)
MOST_STEPS = 1000
UP = {"px": "px", "x": "ioffux", "left": "ioffuh_left", "right": "ioffuh_right"}
DOWN = {"px": "px", "x": "iofux", "h": "iofuh"}


def compare(checks: Checks) -> None:
    """All of `small.npz`."""
    golden = checks.golden
    checks.given(".*/weights/.*", ".*/x", "trees/.*/score", "words/(file_.*|names|found)")
    checks.given("decoder/labels", ".*/lengths_per_step", "decoder/test_greedy/boxes_per_cls")
    checks.skip(
        "(decoder|treelstm)/.*/(c|step_input)|decoder/.*/h", "inside a step, whose result is compared"
    )
    for case in sorted({key.split("/")[1] for key in golden if key.startswith("trees/")}):
        compare_tree(checks, f"trees/{case}", grow_tree(_scores(golden, case)))
    for case in sorted({key.split("/")[1] for key in golden if key.startswith("treelstm/")}):
        _compare_tree_lstm(checks, case)
    _compare_lstm(checks)
    _compare_decoder(checks)
    _compare_words(checks)


def _scores(golden: Golden, case: str) -> np.ndarray:
    """Pair scores [n, n]."""
    key = f"trees/{case}/score"
    return golden.floats(key, len(golden[key]), len(golden[key]))


def _assign(layer: Dense, golden: Golden, there: str) -> None:
    layer.kernel.assign(golden[f"{there}/kernel"])
    layer.bias.assign(golden[f"{there}/bias"])


def _compare_tree_lstm(checks: Checks, case: str) -> None:
    golden, there = checks.golden, f"treelstm/{case}"
    inputs = golden.floats(f"{there}/x", None, 5)
    layer = TreeLstm(5, 4)
    for direction, parts, side in ((layer.up, UP, "foreward"), (layer.down, DOWN, "backward")):
        for ours, theirs in parts.items():
            weights = f"{there}/weights/treeLSTM_{side}/treeLSTM/{theirs}"
            _assign(getattr(direction, ours), golden, weights)
    scores = _scores(golden, case)
    tree, forest = grow_tree(scores), grow_forest(tf.constant(scores), tf.constant([len(inputs)]))
    checks.compare(f"{there}/out", layer(tf.constant(inputs), forest), CLOSE)
    # Either direction's are stored in the order in which the release visits boxes.
    up, down = (direction(tf.constant(inputs), forest) for direction in (layer.up, layer.down))
    checks.compare(f"{there}/up/h", tf.gather(up, postorder(tree)), CLOSE)
    checks.compare(f"{there}/down/h", tf.gather(down, preorder(tree)), CLOSE)


def _padded(golden: Golden, key: str, packed: np.ndarray) -> tuple[np.ndarray, np.ndarray, list]:
    """Packed rows as sequences [B, T, ...], their lengths, and the image and place of each row.

    Args:
        golden: the file.
        key: how many sequences are running at each time.
        packed: the rows.
    """
    running = golden.array(key, None, low=1, high=MOST_STEPS, whole=True)
    lengths = np.array([(running > image).sum() for image in range(int(running[0]))])
    places = packed_places(lengths)
    padded = np.zeros((len(lengths), len(running), *packed.shape[1:]), packed.dtype)
    for (image, time), row in zip(places, packed):
        padded[image, time] = row
    return padded, lengths, places


def _compare_lstm(checks: Checks) -> None:
    golden, there = checks.golden, "bilstm/weights"
    layer = BidirectionalLstm(4, 3)
    for side, suffix in ((layer.forward, ""), (layer.backward, "_reverse")):
        side.kernel.assign(golden[f"{there}/weight_ih_l0{suffix}"])
        side.recurrent_kernel.assign(golden[f"{there}/weight_hh_l0{suffix}"])
        side.bias.assign(golden[f"{there}/bias_ih_l0{suffix}"] + golden[f"{there}/bias_hh_l0{suffix}"])
    packed = golden.floats("bilstm/x", None, 4)
    padded, lengths, places = _padded(golden, "bilstm/lengths_per_step", packed)
    states = layer(tf.constant(padded), tf.constant(lengths, tf.int32)).numpy()
    checks.compare("bilstm/out", [states[image, time] for image, time in places], CLOSE)


def _compare_decoder(checks: Checks) -> None:
    golden, there = checks.golden, "decoder/weights"
    decoder = Decoder(4, ContextSizes(labels=5, hidden=3, embedding=2))
    decoder.table.embeddings.assign(golden[f"{there}/obj_embed/embeddings"])
    for layer, theirs in (
        (decoder.inputs, "input_linearity"),
        (decoder.state, "state_linearity"),
        (decoder.out, "out_obj"),
    ):
        _assign(layer, golden, f"{there}/{theirs}")
    packed, known = golden.floats("decoder/x", None, 4), golden["decoder/labels"].astype(np.int32)
    key = "decoder/lengths_per_step"
    (padded, _, places), teacher = _padded(golden, key, packed), _padded(golden, key, known)[0]
    got = decoder(tf.constant(padded), tf.constant(teacher), None)
    logits, labels = ([values.numpy()[place] for place in places] for values in got)
    checks.compare("decoder/train/logits", logits, CLOSE)
    checks.compare("decoder/train/labels", labels, EXACT)
    alone = packed[: len(golden["decoder/test/logits"])]
    logits, labels = (values.numpy()[0] for values in decoder(tf.constant(alone[None]), None, None))
    checks.compare("decoder/test/logits", logits, CLOSE)
    checks.compare("decoder/test/labels", labels, EXACT)
    checks.compare("decoder/test_greedy/logits", logits, CLOSE)
    class_boxes = golden.array("decoder/test_greedy/boxes_per_cls", len(alone), 4, 4)
    probabilities = tf.nn.softmax(logits).numpy()[:, :-1]
    checks.compare("decoder/test_greedy/labels", suppressed_labels(probabilities, class_boxes), EXACT)


def _compare_words(checks: Checks) -> None:
    golden, key = checks.golden, "words/vectors"
    vectors = dict(zip(golden.words("words/file_words").tolist(), golden["words/file_rows"]))
    names, dim = golden.words("words/names").tolist(), golden["words/file_rows"].shape[1]
    rows = name_vectors(names, vectors, dim, np.random.default_rng(0))
    checks.given(key)
    known = golden["words/found"].astype(bool)
    # The other names have random vectors.
    checks.compare_value(key, rows[known], golden[key][known], CLOSE)
    checks.compare_value(f"{key}: finite", np.isfinite(rows).all(), True, EXACT)
