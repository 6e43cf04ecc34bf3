"""Both kinds of detector end to end on noise: shapes, graphs, a step."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dsg.models.detector.build import pyramid_detector, single_map_detector
from dsg.models.detector.model import ProposalSettings
from dsg.models.detector.outputs import Regions, packed
from dsg.models.detector.predictions import detections
from dsg.models.detector.targets import SamplingSettings, Truth
from dsg.models.detector.training import pyramid_losses

SETTINGS = ProposalSettings(pre_nms=50, post_nms=20)


def images(batch: int) -> tuple[tf.Tensor, tf.Tensor]:
    noise = np.random.default_rng(0).standard_normal((batch, 64, 96, 3)).astype(np.float32)
    return tf.constant(noise), tf.constant([[64.0, 96.0]] * batch)


def test_a_pyramid_detector_with_masks_in_a_graph() -> None:
    model = pyramid_detector("res50", 5, masks=True)

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3]), tf.TensorSpec([None, 2])])
    def detect(pictures: tf.Tensor, sizes: tf.Tensor) -> tuple:
        first = model(pictures, sizes, SETTINGS)
        outputs = model.classify(first, packed(first.proposals))
        found = detections(first, outputs, threshold=0.05, limit=10)
        places = tf.where(found.valid)
        boxes = Regions(tf.gather_nd(found.boxes, places), tf.cast(places[:, 0], tf.int32))
        return found, model.mask_logits(first, boxes)

    for batch in (1, 2):
        found, masks = detect(*images(batch))
        assert found.boxes.shape[0] == batch and found.boxes.shape[1] <= 10
        assert tuple(masks.shape) == (int(found.valid.numpy().sum()), 28, 28, 5)


def test_a_step_lowers_the_losses_of_a_pyramid_detector() -> None:
    model = pyramid_detector("res50", 4, masks=True)
    pictures, sizes = images(2)
    masks = np.zeros((1, 64, 96), np.uint8)
    masks[:, 10:40, 10:50] = 1
    truth = [
        Truth(tf.constant([[10.0, 10.0, 50.0, 40.0]]), tf.constant([2]), tf.constant(masks)),
        Truth(tf.zeros([0, 4]), tf.zeros([0], tf.int32), tf.zeros([0, 64, 96], tf.uint8)),
    ]
    settings = SamplingSettings(anchors=64, regions=16)
    variables = model.named_variables()
    trained = [variables[name] for name in model.trainable_names()]
    totals = []
    for _ in range(4):
        with tf.GradientTape() as tape:
            training = pyramid_losses(model, model(pictures, sizes, SETTINGS), truth, settings, tf.range)
            total = tf.add_n(list(training.losses.values()))
        totals.append(float(total))
        for variable, gradient in zip(trained, tape.gradient(total, trained)):
            if gradient is not None:
                variable.assign_sub(0.002 * tf.clip_by_norm(gradient, 1.0))
    assert set(training.losses) == {"objectness", "anchor_box", "classifier", "box", "mask"}
    assert np.isfinite(totals).all() and totals[-1] < totals[0]


def test_a_single_map_detector_both_ways_to_propose() -> None:
    model = single_map_detector("mobile", 6, rpn_channels=16)
    for batch, top in ((1, False), (2, False), (1, True)):
        first = model(*images(batch), SETTINGS._replace(top=top))
        outputs = model.classify(first, packed(first.proposals))
        count = int(first.proposals.valid.numpy().sum())
        assert outputs.class_logits.shape == (count, 6) and outputs.box_deltas.shape == (count, 24)
        assert not top or count == SETTINGS.post_nms


def test_a_pyramid_detector_does_not_depend_on_the_padding() -> None:
    """An image of a batch has the proposals, classes and masks it has alone."""
    model = pyramid_detector("res50", 4, masks=True)
    rng = np.random.default_rng(1)
    picture = rng.standard_normal((1, 70, 100, 3)).astype(np.float32)
    batch = np.zeros((2, 192, 160, 3), np.float32)
    batch[0, :70, :100], batch[1] = picture[0], rng.standard_normal((192, 160, 3))
    sizes = [[70.0, 100.0], [192.0, 160.0]]
    alone = model(tf.constant(picture), tf.constant(sizes[:1]), SETTINGS)
    together = model(tf.constant(batch), tf.constant(sizes), SETTINGS)
    count = int(alone.proposals.valid.numpy().sum())
    assert count == int(together.proposals.valid[0].numpy().sum()) > 5
    assert np.allclose(alone.proposals.boxes[0, :count], together.proposals.boxes[0, :count], atol=1e-3)
    image = tf.zeros([count], tf.int32)
    boxes = alone.proposals.boxes[0, :count]
    for function in (
        lambda first: model.classify(first, Regions(boxes, image)).features,
        lambda first: model.mask_logits(first, Regions(boxes, image)),
    ):
        one, other = function(alone).numpy(), function(together).numpy()
        assert np.abs(one - other).max() < 1e-4 * np.abs(one).max()
