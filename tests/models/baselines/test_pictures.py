"""The page of maps: a row a query, darker where there is no attention, outlines around the true cells."""

from __future__ import annotations

import numpy as np

from dsg.models.baselines.pictures import SIDE, map_page
from dsg.models.baselines.scores import true_maps
from dsg.visualize.canvas import SUBJECT_COLOUR
from tests.small_dataset import VOCABULARY, make_record


def test_a_page_shows_attention_and_truth(tmp_path) -> None:
    record = make_record(tmp_path, 1, (48, 64))
    image = np.full((224, 224, 3), 200, np.uint8)
    truth = true_maps(record, "rr")
    maps = (np.zeros((len(record.queries), 196)), np.ones((len(record.queries), 196)))
    iou = (np.zeros(len(record.queries)), np.zeros(len(record.queries)))
    page = map_page(image, record, VOCABULARY, maps, truth, iou)
    assert page.dtype == np.uint8 and page.shape[1] > 2 * SIDE and page.shape[0] > 2 * SIDE
    middle = page.shape[1] // 2
    dark, light = page[:, :middle], page[:, middle:]
    assert (dark == 50).all(-1).sum() > SIDE**2 / 2 and (light == 200).all(-1).sum() > SIDE**2 / 2
    assert (dark == SUBJECT_COLOUR).all(-1).sum() > 50
