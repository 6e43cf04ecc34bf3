"""COCO's instance annotations, good and bad, and the real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsg.datasets.formats.coco_instances import read_coco
from dsg.datasets.formats.segmentations import decode
from dsg.errors import UserError
from tests.shared import needs_shared, shared_path

SQUARE = [[10, 10, 30, 10, 30, 25, 10, 25]]


def document() -> dict[str, Any]:
    objects = [
        {"image_id": 7, "category_id": 18, "bbox": [10, 10, 20, 15], "iscrowd": 0, "segmentation": SQUARE},
        {
            "image_id": 7,
            "category_id": 1,
            "bbox": [0, 0, 60, 50],
            "iscrowd": 1,
            "segmentation": {"size": [50, 60], "counts": [0, 3000]},
        },
    ]
    return {
        "images": [
            {"id": 7, "file_name": "7.jpg", "width": 60, "height": 50},
            {"id": 9, "file_name": "9.jpg", "width": 30, "height": 20},
        ],
        "annotations": objects,
        "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}],
    }


def write(tmp_path: Path, content: Any) -> Path:
    (tmp_path / "annotations").mkdir(exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "annotations" / "instances_val2017.json").write_text(text)
    return tmp_path


def test_images_objects_and_classes(tmp_path: Path) -> None:
    data = read_coco(write(tmp_path, document()), "val2017")
    assert data.classes == ("__background__", "person", "dog") and not data.skipped
    image, empty = data.images
    assert image.path == tmp_path / "val2017" / "7.jpg" and (image.width, image.height) == (60, 50)
    assert np.array_equal(image.boxes, np.array([[10, 10, 30, 25], [0, 0, 60, 50]], np.float32))
    assert image.classes.tolist() == [2, 1] and image.crowd.tolist() == [False, True]
    assert image.segmentations[0] == SQUARE and len(empty.boxes) == 0


def broken(**changes: Any) -> dict[str, Any]:
    content = document()
    content["annotations"].append({**content["annotations"][0], **changes})
    return content


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image_id": 8}, "object of an unknown image"),
        ({"image_id": [7]}, "object of an unknown image"),
        ({"category_id": 2}, "object of an unknown category"),
        ({"category_id": {}}, "object of an unknown category"),
        ({"bbox": [70, 60, 5, 5]}, "object without a box in its image"),
        ({"bbox": [1, 1, 0, 5]}, "object without a box in its image"),
        ({"bbox": [1, 1, 5]}, "object without a box in its image"),
        ({"bbox": None}, "object without a box in its image"),
        ({"bbox": [10**400, 1, 5, 5]}, "object without a box in its image"),
        ({"bbox": [1, True, 5, 5]}, "object without a box in its image"),
        ({"segmentation": [[1, 1, 5, 5]]}, "object with a bad segmentation"),
        ({"segmentation": {"size": [60, 50], "counts": [3000]}}, "object with a bad segmentation"),
    ],
)
def test_bad_objects_are_left_out_and_counted(changes: dict, reason: str, tmp_path: Path) -> None:
    data = read_coco(write(tmp_path, broken(**changes)), "val2017")
    assert len(data.images[0].boxes) == 2
    assert list(data.skipped) == [reason] and len(data.skipped[reason]) == 1
    assert reason in data.summary()


@pytest.mark.parametrize("segmentation", [None, [], {}])
def test_an_object_without_a_mask_keeps_its_box(segmentation: Any, tmp_path: Path) -> None:
    data = read_coco(write(tmp_path, broken(segmentation=segmentation)), "val2017")
    assert len(data.images[0].boxes) == 3 and not data.skipped
    assert data.images[0].segmentations[2] is None


def test_an_image_in_a_folder_and_an_id_that_two_images_have(tmp_path: Path) -> None:
    content = document()
    content["images"] += [
        {"id": 10, "file_name": "part/a.jpg", "width": 30, "height": 20},
        {"id": 10, "file_name": "b.jpg", "width": 30, "height": 20},
    ]
    data = read_coco(write(tmp_path, content), "val2017")
    assert [image.name for image in data.images] == ["7.jpg", "9.jpg", "part/a.jpg"]
    assert data.skipped == {"image whose id another image has": [("b.jpg", "")]}


def test_numbers_in_other_spellings(tmp_path: Path) -> None:
    content = document()
    content["images"][0].update(id="7", width=60.0, height="50")
    content["annotations"][0].update(image_id=7.0, category_id="18")
    content["categories"][0]["id"] = 18.0
    data = read_coco(write(tmp_path, content), "val2017")
    assert not data.skipped and data.images[0].classes.tolist() == [2, 1]
    assert (data.images[0].width, data.images[0].height) == (60, 50)


def test_a_box_is_cut_to_its_image(tmp_path: Path) -> None:
    data = read_coco(write(tmp_path, broken(bbox=[50, 40, 20, 20.5])), "val2017")
    assert np.array_equal(data.images[0].boxes[2], [50, 40, 60, 50])


@pytest.mark.parametrize(
    "image",
    [
        *({"id": 8}, {"id": 8, "file_name": "a"}, 5),
        {"id": 8, "file_name": "a", "width": 10**400, "height": 3},
        *(
            {"id": 8, "file_name": name, "width": 3, "height": 3}
            for name in ("../x.jpg", "/x.jpg", "a/../x.jpg", "a\\x.jpg", "", "a//x.jpg", "a\0.jpg", "a\nb", 5)
        ),
    ],
)
def test_bad_images_are_left_out(image: Any, tmp_path: Path) -> None:
    content = document()
    content["images"].append(image)
    data = read_coco(write(tmp_path, content), "val2017")
    assert len(data.images) == 2 and sum(map(len, data.skipped.values())) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not readable as JSON"),
        ("[" * 100_000, "not readable as JSON"),
        ([], "not COCO's annotations"),
        ({"images": [], "annotations": []}, "not COCO's annotations"),
        ({**document(), "categories": []}, "the list of categories is empty"),
        ({**document(), "categories": [{"id": "x", "name": "y"}]}, "a category without id or name"),
        ({**document(), "categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}, "share an id"),
        ({**document(), "images": []}, "no images that can be used$"),
        ({**document(), "images": [{"id": 1, "file_name": "a"}]}, r"can be used \(1 x image without size\)"),
    ],
)
def test_bad_files_are_one_line(content: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        read_coco(write(tmp_path, content), "val2017")
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_coco(tmp_path, "val2017")


@needs_shared("data", "coco")
@pytest.mark.parametrize(("split", "count"), [("train2017", 55), ("val2017", 18)])
def test_real_annotations(split: str, count: int) -> None:
    data = read_coco(shared_path("data", "coco"), split)
    assert len(data.images) == count and len(data.classes) == 81 and not data.skipped
    assert data.classes[1] == "person" and data.classes[-1] == "toothbrush"
    assert all(image.path.is_file() for image in data.images)
    assert any(image.crowd.any() for image in data.images) or split == "val2017"


@needs_shared("data", "coco")
def test_real_masks_and_boxes_agree() -> None:
    """But for a few pixels: polygons are drawn by hand."""
    pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
    for image in read_coco(shared_path("data", "coco"), "train2017").images[:5]:
        for box, segmentation, crowd in zip(image.boxes, image.segmentations, image.crowd):
            rows, columns = np.nonzero(decode(segmentation, image.height, image.width, image.name))
            extent = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert crowd or np.abs(extent - box).max() <= 3, (image.name, extent, box)
