"""Every image is answered once, whatever the batch; what is unreadable is named; boxes lie in their image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from dsg.config import load_config
from dsg.errors import UserError
from dsg.models.dsg.build import build_model
from dsg.models.dsg.evaluate import evaluate
from dsg.models.dsg.pictures import answer_page, graph_page
from dsg.models.dsg.predictions import Predictor
from dsg.models.shown import chosen_images, chosen_queries
from dsg.pipeline.splits import load_split
from tests.tiny import CONFIGS, PAIRS, make_tiny_shapes


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    """Configuration, data of five images of which one is no image, an untrained model, its predictions."""
    folder = make_tiny_shapes(tmp_path_factory.mktemp("data"), train=1, test=5)
    config = load_config(CONFIGS, [*PAIRS, "DATA.DIR", str(folder)])
    data = load_split(config, "shapes", "test", 0)
    data.records[3].path.write_bytes(b"no image")
    model = build_model(config, 48, 4)
    return config, data, model, Predictor(model, config)


def test_batches_do_not_matter_and_bad_images_are_named(setting):
    config, data, model, predict = setting
    seen: list[int] = []
    pairs = evaluate(
        model, data, config, predict=predict, observe=lambda image, *iou: seen.append(image.index)
    )
    assert seen == [0, 1, 2, 4]
    assert list(pairs.skipped) == [data.records[3].name]
    assert pairs.queries == sum(len(data.records[index].queries) for index in seen)

    alone = load_config(CONFIGS, [*PAIRS, "DATA.DIR", config.data.dir, "TEST.IMS_PER_BATCH", "1"])
    singles = evaluate(model, data, alone, predict=predict)
    assert singles.image_names == pairs.image_names
    np.testing.assert_allclose(singles.columns.iou["dsg"], pairs.columns.iou["dsg"], atol=1e-12)
    for counting, overlaps in pairs.columns.boxes.items():
        assert overlaps.shape == (4, 3, pairs.queries) and overlaps.any()
        np.testing.assert_allclose(singles.columns.boxes[counting], overlaps, atol=1e-6)


def test_answers_are_within_their_image_and_can_be_drawn(setting):
    config, data, model, predict = setting
    pages = []

    def observe(image, subject, object_):
        record, answer = data.records[image.index], image.prediction
        height, width = image.blob.shape[:2]
        assert image.record is record and len(answer.probabilities) == len(record.queries) == len(subject)
        assert answer.boxes.min() >= 0 and (answer.boxes[:, 2:] <= [width, height]).all()
        np.testing.assert_allclose(image.gt_boxes, record.boxes * height / record.height, rtol=1e-5)
        np.testing.assert_allclose(answer.probabilities.sum(-1), 1, rtol=1e-5)
        if not pages:
            pages.append(answer_page(image, data.vocabulary, config.pixel_means, subject, object_))
            graph = answer.scene_graph(data.vocabulary)
            assert graph is not None
            pages.append(graph_page(image, graph, config.pixel_means))

    evaluate(model, data, config, predict=predict, observe=observe)
    assert [(page.dtype, page.ndim) for page in pages] == [(np.uint8, 3)] * 2


def test_the_configuration_says_what_a_box_of_two_roles_counts_as(setting):
    config, data, model, predict = setting
    record = data.records[0]
    both = replace(record, subject_masks=record.subject_masks | True, object_masks=record.object_masks | True)
    part = replace(data, records=[both])
    found = {}
    for conflict in ("last_wins", "both"):
        asked = replace(config, test=replace(config.test, role_conflict=conflict))
        found[conflict] = evaluate(model, part, asked, predict=predict).columns.iou
    np.testing.assert_array_equal(found["both"]["rr"], found["last_wins"]["rr"])
    assert np.abs(np.subtract(found["both"]["dsg"], found["last_wins"]["dsg"])).max() > 0.01


def test_a_check_may_stop_it(setting):
    config, data, model, predict = setting

    class StopNow(Exception):
        pass

    def check():
        raise StopNow

    with pytest.raises(StopNow):
        evaluate(model, data, config, predict=predict, check=check)


def test_choice_of_images_and_queries():
    assert chosen_images(10, 3) == [0, 3, 6] and chosen_images(2, 5) == [0, 1] and chosen_images(0, 5) == []
    assert chosen_queries(np.array([False, True, False, True, False]), 3) == [1, 3, 0]
    assert chosen_queries(np.zeros(0, bool)) == []


def test_true_boxes_in_place_of_proposals(setting):
    config, data, _, _ = setting
    config = load_config(CONFIGS, [*PAIRS, "DATA.DIR", config.data.dir, "TRAIN.USE_GT", "True"])
    model = build_model(config, len(data.vocabulary.objects), len(data.vocabulary.predicates))
    seen = []

    def observe(image, subject, object_):
        np.testing.assert_allclose(image.prediction.proposals, image.gt_boxes, atol=1e-3)
        seen.append(image.index)

    found = evaluate(model, data, config, observe=observe).box_accuracy()
    assert seen == [0, 1, 2, 4]
    assert found is not None and found["best_proposal"]["both"]["0.5:0.95"].share == 1
    nowhere = {
        "image": tf.zeros([1, 48, 72, 3]),
        "image_size": tf.constant([[72.0, 48.0]]),
        "queries": tf.zeros([1, 1, 3], tf.int32),
    }
    with pytest.raises(UserError, match="TRAIN.USE_GT needs true boxes"):
        model(nowhere)
