"""Proposal targets: the release's arrays, batches against single images, no ground truth."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.models.dsg import targets
from dsg.models.dsg.targets import proposal_targets
from tests.golden import golden
from tests.shared import needs_shared, shared_path

KEYS = ("boxes", "valid", "gt_boxes", "gt_valid", "gt_roles", "query_valid", "gt_entities", "gt_predicates")


def labels(one_hot):
    """Class of each one-hot row, -1 for a row of zeros."""
    return np.where(one_hot.any(-1), one_hot.argmax(-1), -1).astype(np.int32)


def from_release(rois, gt_boxes, gt_labels, entity, relation):
    """The release's arrays of one image as a batch of one."""
    arrays = (
        rois[:, 1:],
        np.ones(len(rois), bool),
        gt_boxes,
        np.ones(len(gt_boxes), bool),
        gt_labels[..., 0].astype(np.int32),
        np.ones(len(gt_labels), bool),
        labels(entity),
        labels(relation),
    )
    return dict(zip(KEYS, (array[None] for array in arrays)))


def assert_golden(found, stored):
    """`stored` has the release's keys; its labels_expand_mask only in the forward files."""
    np.testing.assert_array_equal(found.roles[0], stored["labels"][..., 0])
    np.testing.assert_array_equal(found.match_kind[0], stored["labels_mask"])
    np.testing.assert_array_equal(found.role_mask[0, 0], stored["labels_mask"] != 0)
    np.testing.assert_array_equal(
        np.repeat(found.box_weight[0][:, None], 4, 1), stored["bbox_inside_weights"]
    )
    np.testing.assert_array_equal(stored["bbox_outside_weights"], stored["bbox_inside_weights"])
    np.testing.assert_array_equal(found.entities[0], labels(stored["partial_entity_class"]))
    np.testing.assert_array_equal(found.predicates[0], labels(stored["partial_relation_class"]))
    largest = max(1.0, np.abs(stored["bbox_targets"]).max())
    np.testing.assert_allclose(found.box_deltas[0], stored["bbox_targets"], rtol=0, atol=1e-6 * largest)
    if "labels_expand_mask" in stored:
        np.testing.assert_allclose(found.role_weights[0], stored["labels_expand_mask"], rtol=1e-6)


def under(arrays, prefix):
    return {key[len(prefix) :]: value for key, value in arrays.items() if key.startswith(prefix)}


@pytest.mark.parametrize("use_gt", [0, 1])
def test_golden(use_gt):
    given = under(golden("layers"), "proposal_target/in/")
    stored = under(golden("layers"), f"proposal_target/use_gt_{use_gt}/")
    batch = from_release(
        stored["rois"],
        given["gt_boxes"],
        given["gt_labels"],
        given["partial_entity_class"],
        given["partial_relation_class"],
    )
    assert_golden(proposal_targets(**batch), stored)


def _forward(forward):
    given, stored = under(forward, "input/"), under(forward, "proposal_target/")
    batch = from_release(
        stored["rois"],
        given["gt_boxes"],
        given["gt_labels"],
        given["partial_entity_class"],
        given["partial_relation_class"],
    )
    assert_golden(proposal_targets(**batch), stored)


@pytest.mark.parametrize("name", ["forward_res101_generated", "forward_res50_generated"])
def test_forward_golden(name):
    _forward(golden(name))


@needs_shared("reference", "forward_res101_600.npz")
@pytest.mark.parametrize("name", ["forward_res101_300", "forward_res101_600"])
def test_forward_golden_of_photographs(name):
    with np.load(shared_path("reference", f"{name}.npz"), allow_pickle=False) as forward:
        _forward(
            {key: forward[key] for key in forward.files if key.startswith(("input/", "proposal_target/"))}
        )


def random_image(rng, num_boxes, num_gt, num_queries):
    """One image without padding: proposals near its boxes and elsewhere."""

    def boxes(count):
        low = rng.uniform(0, 200, (count, 2))
        return np.column_stack([low, low + rng.uniform(10, 120, (count, 2))]).astype(np.float32)

    gt, proposals = boxes(num_gt), boxes(num_boxes)
    near = num_boxes // 2 if num_gt else 0
    proposals[:near] = gt[rng.integers(0, max(1, num_gt), near)] + rng.normal(0, 6, (near, 4)).astype(
        np.float32
    )
    return {
        "boxes": proposals,
        "valid": np.ones(num_boxes, bool),
        "gt_boxes": gt,
        "gt_valid": np.ones(num_gt, bool),
        "gt_roles": rng.integers(1, 4, (num_queries, num_gt)).astype(np.int32),
        "query_valid": np.ones(num_queries, bool),
        "gt_entities": rng.integers(-1, 9, num_gt).astype(np.int32),
        "gt_predicates": rng.integers(-1, 5, (num_gt, num_gt)).astype(np.int32),
    }


def pad(image, num_boxes, num_gt, num_queries, junk):
    """The image's arrays, grown to the given sizes; what the new places hold must not matter."""
    sizes = {
        "boxes": (num_boxes, 4),
        "valid": (num_boxes,),
        "gt_boxes": (num_gt, 4),
        "gt_valid": (num_gt,),
        "gt_roles": (num_queries, num_gt),
        "query_valid": (num_queries,),
        "gt_entities": (num_gt,),
        "gt_predicates": (num_gt, num_gt),
    }
    padded = {}
    for key, value in image.items():
        fill = False if value.dtype == bool else junk
        padded[key] = np.full(sizes[key], fill, value.dtype)
        padded[key][tuple(slice(side) for side in value.shape)] = value
    return padded


def assert_same(field, found, expected):
    """Equal, but for the last bit of a logarithm, which depends on the place in a vector register."""
    tolerance = 1e-5 if field == "box_deltas" else 0
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance, err_msg=field)


def alone(image, **options):
    return proposal_targets(**{key: value[None] for key, value in image.items()}, **options)


@pytest.mark.parametrize("junk", [0, 3, -7])
@pytest.mark.parametrize("assign", ["released", "paper"])
def test_each_image_gets_what_it_gets_alone(junk, assign):
    rng = np.random.default_rng(11)
    sizes = [(12, 5, 3), (4, 1, 1), (9, 7, 6), (5, 0, 0), (0, 2, 2)]
    images = [random_image(rng, *size) for size in sizes]
    padded = [pad(image, 14, 8, 7, junk) for image in images]
    batch = {key: np.stack([image[key] for image in padded]) for key in KEYS}
    together = proposal_targets(**batch, assign=assign)
    for index, (image, (n, _, q)) in enumerate(zip(images, sizes)):
        single = alone(image, assign=assign)
        for field in single._fields:
            found, expected = getattr(together, field)[index].numpy(), getattr(single, field)[0].numpy()
            real = found[tuple(slice({14: n, 7: q}.get(side, side)) for side in found.shape)]
            assert_same(field, real, expected)
            filler = -1 if field in ("entities", "predicates") else 0
            assert found.size == real.size or (found != filler).sum() == (real != filler).sum(), field


def test_types_and_shapes():
    found = alone(random_image(np.random.default_rng(0), 6, 4, 3))
    shapes = {name: (value.dtype.name, tuple(value.shape)) for name, value in found._asdict().items()}
    assert shapes == {
        "roles": ("int32", (1, 3, 6)),
        "role_mask": ("float32", (1, 3, 6)),
        "role_weights": ("float32", (1, 3, 6)),
        "match": ("int32", (1, 6)),
        "match_kind": ("int32", (1, 6)),
        "entities": ("int32", (1, 6)),
        "predicates": ("int32", (1, 6, 6)),
        "box_deltas": ("float32", (1, 6, 4)),
        "box_weight": ("float32", (1, 6)),
    }


@pytest.mark.parametrize("padded_gt", [0, 3])
def test_image_without_ground_truth(padded_gt):
    image = random_image(np.random.default_rng(0), 6, 0, 0)
    found = alone(pad(image, 6, padded_gt, 2, junk=0))
    for value in found:
        assert np.isfinite(value.numpy()).all()
    assert (found.match_kind.numpy() == -1).all()
    assert (
        not found.role_weights.numpy().any()
        and not found.box_weight.numpy().any()
        and not found.box_deltas.numpy().any()
    )
    assert (found.entities.numpy() == -1).all() and (found.predicates.numpy() == -1).all()


def test_by_hand():
    """Overlaps of 1, 0.4 and 0 with two boxes; the query names the first subject, the second object."""
    gt = np.float32([[0, 0, 9, 9], [50, 50, 59, 59]])
    proposals = np.float32([[0, 0, 9, 9], [50, 50, 59, 53], [80, 80, 89, 89], [50, 50, 59, 59]])
    image = {
        "boxes": proposals,
        "valid": np.ones(4, bool),
        "gt_boxes": gt,
        "gt_valid": np.ones(2, bool),
        "gt_roles": np.int32([[1, 2], [3, 3]]),
        "query_valid": np.ones(2, bool),
        "gt_entities": np.int32([7, -1]),
        "gt_predicates": np.int32([[-1, 4], [-1, -1]]),
    }
    found = alone(image)
    np.testing.assert_array_equal(found.match_kind[0], [1, 0, -1, 1])
    np.testing.assert_array_equal(found.roles[0], [[1, 2, 0, 2], [3, 3, 0, 3]])
    np.testing.assert_array_equal(found.role_mask[0], [[1, 0, 1, 1]] * 2)
    # One background box, two positives: 0.5 * 2 / (1 + 1); no positives: 0.
    np.testing.assert_array_equal(found.role_weights[0], [[1, 0, 0.5, 1], [1, 0, 0, 1]])
    np.testing.assert_array_equal(found.entities[0], [7, -1, 7, -1])
    assert found.predicates[0, 0, 3] == 4 and found.predicates[0, 3, 0] == -1
    np.testing.assert_array_equal(found.box_deltas[0, 0], [0, 0, 0, 0])

    paper = alone(image, assign="paper")
    np.testing.assert_array_equal(paper.match_kind[0], [1, 0, -1, 1])
    np.testing.assert_array_equal(paper.roles[0], [[1, 2, 0, 2], [3, 3, 0, 3]])
    np.testing.assert_array_equal(paper.role_mask[0], [[1, 1, 1, 1], [1, 0, 1, 1]])


def one_true_box(side, role, boxes, valid):
    """Proposals, and a single true box from the corner with a role in the only query."""
    return {
        "boxes": np.float32(boxes),
        "valid": np.array(valid),
        "gt_boxes": np.float32([[0, 0, side, side]]),
        "gt_valid": np.ones(1, bool),
        "gt_roles": np.int32([[role]]),
        "query_valid": np.ones(1, bool),
        "gt_entities": np.int32([0]),
        "gt_predicates": np.int32([[-1]]),
    }


def test_paper_takes_roles_at_low_overlap_but_not_at_none():
    image = one_true_box(9, 2, [[0, 0, 99, 9], [60, 60, 70, 70]], [True, True])
    np.testing.assert_array_equal(alone(image).roles[0], [[0, 0]])
    paper = alone(image, assign="paper")
    np.testing.assert_array_equal(paper.roles[0], [[2, 0]])
    np.testing.assert_array_equal(paper.role_mask[0], [[1, 1]])
    np.testing.assert_array_equal(paper.match_kind[0], [-1, -1])


@pytest.mark.parametrize("assign", ["released", "paper"])
def test_padding_on_a_true_box_counts_for_nothing(assign):
    image = one_true_box(60, 1, [[0, 0, 60, 60], [0, 0, 50, 60]], [True, False])
    found = alone(image, assign=assign)
    np.testing.assert_array_equal(found.roles[0], [[1, 0]])
    np.testing.assert_array_equal(found.role_mask[0], [[1, 0]])


@pytest.mark.parametrize("seed", range(3))
def test_permuting_the_proposals_permutes_the_targets(seed):
    rng = np.random.default_rng(seed)
    image = random_image(rng, 10, 4, 3)
    order = rng.permutation(10)
    found, permuted = alone(image), alone({**image, "boxes": image["boxes"][order]})
    for field in ("roles", "role_mask", "role_weights"):
        np.testing.assert_array_equal(getattr(permuted, field)[0], getattr(found, field)[0].numpy()[:, order])
    for field in ("match", "match_kind", "entities", "box_deltas", "box_weight"):
        assert_same(field, getattr(permuted, field)[0], getattr(found, field)[0].numpy()[order])
    np.testing.assert_array_equal(permuted.predicates[0], found.predicates[0].numpy()[order][:, order])


def test_no_gradient_and_unknown_shapes_in_a_graph():
    image = random_image(np.random.default_rng(1), 8, 3, 2)
    batch = {key: tf.constant(value[None]) for key, value in image.items()}
    signature = {key: tf.TensorSpec([None] * value.shape.rank, value.dtype) for key, value in batch.items()}
    signature["boxes"] = tf.TensorSpec([None, None, 4])
    signature["gt_boxes"] = tf.TensorSpec([None, None, 4])

    @tf.function(input_signature=[signature])
    def graph(given):
        with tf.GradientTape() as tape:
            tape.watch(given["boxes"])
            found = proposal_targets(**given)
            value = tf.reduce_sum(found.box_deltas)
        assert tape.gradient(value, given["boxes"]) is None
        return found

    for expected, value in zip(alone(image), graph(batch)):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-5)


def test_unknown_assignment():
    with pytest.raises(ValueError, match="'released' or 'paper', not 'best'"):
        alone(random_image(np.random.default_rng(0), 2, 1, 1), assign="best")


def test_both_kinds_of_targets_are_found_here():
    assert targets.anchor_targets is not None and targets.AnchorTargets is not None
