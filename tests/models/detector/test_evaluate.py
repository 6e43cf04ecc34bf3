"""What an evaluation compares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dsg.datasets.detection import InstanceDataset
from dsg.datasets.formats.instances import Instances
from dsg.datasets.instance_layouts import VOC as VOC_LAYOUT
from dsg.datasets.records import Vocabulary
from dsg.metrics.detection_results import VOC, DetectionEvaluator
from dsg.metrics.voc_ap import ImageTruth, evaluate_class, kit_boxes, read_results
from dsg.models.detector.evaluate import Examined, compared, write_voc_files
from dsg.models.detector.predictions import Detected


@pytest.mark.parametrize("kind", ["crowd", "difficult"])
def test_neither_crowds_nor_difficult_objects_have_to_be_found(kind: str) -> None:
    none = np.zeros(2, bool)
    flags = {"crowd": none, "difficult": none, kind: np.array([False, True])}
    boxes = np.array([[10, 10, 40, 50], [60, 20, 90, 70]], np.float32)
    record = Instances("photo", Path("photo.png"), 100, 80, boxes, np.array([1, 1], np.int32), **flags)
    detected = Detected(boxes[:1], np.array([1], np.int32), np.array([0.9], np.float32))
    evaluator = DetectionEvaluator(("dog",), metric=VOC)
    evaluator.add_image(compared(Examined(0, record, detected), masks=False))
    results = evaluator.results(coco=False)
    assert results.objects == 1 and results.voc_ap == 1


def test_files_of_the_development_kit(tmp_path: Path) -> None:
    none = np.zeros(1, bool)
    boxes = np.array([[10, 10, 40, 50], [10, 12, 41, 50], [60, 20, 90, 70]], np.float32)
    evaluator, records = DetectionEvaluator(("dog", "cat/kitten", "owl"), metric=VOC), []
    for index, name in enumerate(("000007", "000011")):
        record = Instances(
            name, Path("x.jpg"), 100, 80, boxes[:1], np.array([1], np.int32), difficult=none, crowd=none
        )
        records.append(record)
        scores = np.array([0.9, 0.8, 0.7], np.float32) - np.float32(0.05 * index)
        detected = Detected(boxes + np.float32(index), np.array([1, 2, 1], np.int32), scores)
        evaluator.add_image(compared(Examined(index, record, detected), masks=False))
    results = evaluator.results(coco=False)
    vocabulary = Vocabulary(("dog", "cat/kitten", "owl"), ())
    dataset = InstanceDataset("pascal_voc", "test", tmp_path, vocabulary, records, layout=VOC_LAYOUT)
    write_voc_files(results, dataset, tmp_path / "voc")
    files = {path.name: path for path in (tmp_path / "voc").iterdir()}
    assert sorted(files) == [f"comp4_det_test_{name}.txt" for name in ("cat_kitten", "dog", "owl")]
    dogs = read_results(files["comp4_det_test_dog.txt"])
    assert files["comp4_det_test_dog.txt"].read_text().splitlines()[0] == "000007 0.900 11.0 11.0 40.0 50.0"
    assert dogs.images == ["000007", "000007", "000011", "000011"]
    truth = {record.name: ImageTruth(kit_boxes(record.boxes), none) for record in records}
    assert evaluate_class(truth, dogs).ap == results.classes[0].voc_ap  # the kit measures what was measured
    assert files["comp4_det_test_owl.txt"].read_text() == ""
