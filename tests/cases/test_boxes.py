"""Boxes and sizes against images: check, train and the converters say the same, before anything is done with
data that cannot be learned from."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from dsg.datasets import load_dataset
from dsg.errors import UserError
from tests.cases.inputs import HEIGHT, WIDTH, change_boxes, coco, dataset, noise, relations, write

SIZE = {"width": WIDTH, "height": HEIGHT}


def refused(folder, split="train"):
    with pytest.raises(UserError) as caught:
        load_dataset(folder, split)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def check_and_train_refuse(folder, tmp_path, program, *words):
    """Check says that it is unusable, training does not begin, and both say the same."""
    done = program("check", folder, "--output", tmp_path / "out")
    assert done.status == 1, done
    assert "NOT usable" in done.out
    for word in words:
        assert word in done.out, (word, done.out)
    done = program("train", "--imdb", folder, "--net", "mini", "--output", tmp_path / "out")
    done.refused(*words)
    assert not list((tmp_path / "out").glob("mini/*/*/*.npz"))


# 3: sizes


@pytest.mark.parametrize("size", [{"width": 200.0, "height": 150.0}, {"width": "200", "height": 150}])
def test_whole_numbers_are_sizes(size, tmp_path):
    data = load_dataset(dataset(tmp_path / "a", size=lambda: size, images=False), "train")
    assert {(record.width, record.height) for record in data.records} == {(WIDTH, HEIGHT)}
    assert not data.skipped


@pytest.mark.parametrize(
    "size", [{"width": 200.5, "height": 150}, {"width": 0, "height": 150}, {"width": -200, "height": 1}]
)
def test_other_sizes_are_shown(size, tmp_path):
    message = refused(dataset(tmp_path / "a", size=lambda: size, images=False))
    assert "10" in message and str(size["width"]) in message and "width and height" in message


def test_metadata_of_names_without_ending(tmp_path, program):
    folder = dataset(tmp_path / "mine", key=lambda name: name[:-4])
    message = refused(folder)
    assert "image without a size" in message and "'im0.jpg'" in message and "'im0'" in message
    check_and_train_refuse(folder, tmp_path, program, "image without a size", "'im0'")


def test_absolute_names(tmp_path, program):
    folder = dataset(tmp_path / "mine", name="/data/upload/im{}.jpg", images=False)
    assert "leads out of the folder" in refused(folder) and "/data/upload/im0.jpg" in refused(folder)
    check_and_train_refuse(folder, tmp_path, program, "leads out of the folder", "/data/upload/im0.jpg")


def test_all_reasons_are_counted(tmp_path):
    """Half of the images have no size, the others have one that makes no sense."""
    folder = dataset(tmp_path / "mine", train=20, images=False)
    sizes = {f"im{n}.jpg": {"width": -1, "height": 3} for n in range(10)}
    write(folder / "train_image_metadata.json", sizes)
    message = refused(folder)
    assert "image without a size: 10" in message and "image without a valid width and height: 9" in message


def test_an_empty_file_says_so(tmp_path):
    assert "empty" in refused(dataset(tmp_path / "mine", train=0, images=False))


# 8: boxes in other units


def normalised(box):
    y1, y2, x1, x2 = box
    return [y1 / HEIGHT, y2 / HEIGHT, x1 / WIDTH, x2 / WIDTH]


def test_boxes_from_0_to_1(tmp_path, program):
    folder = dataset(tmp_path / "mine", change=normalised)
    words = "smaller than a pixel", "width and height"
    check_and_train_refuse(folder, tmp_path, program, *words)
    assert "test" in refused(folder, "test")


def test_points_instead_of_boxes(tmp_path):
    folder = dataset(
        tmp_path / "mine", change=lambda box: [box[0], box[0] + 0.5, box[2], box[2] + 0.5], images=False
    )
    assert "smaller than a pixel" in refused(folder)


def test_converting_boxes_from_0_to_1(tmp_path, program):
    sides = (WIDTH, HEIGHT, WIDTH, HEIGHT)
    boxes = coco(change_boxes(lambda box: [value / side for value, side in zip(box, sides)]))
    done = program(
        *("convert", "coco", write(tmp_path / "b.json", boxes), write(tmp_path / "r.csv", relations())),
        tmp_path / "out",
    )
    done.refused("b.json", "smaller than a pixel", "12 of 12", "width and height")
    assert not (tmp_path / "out").exists()


def test_small_boxes_are_boxes(tmp_path):
    """Pictures of a few pixels with things of two."""
    folder = dataset(
        tmp_path / "mine", change=lambda box: [box[0] / 10, box[0] / 10 + 3, box[2] / 10, box[2] / 10 + 3]
    )
    assert len(load_dataset(folder, "train")) == 10


# 9: corners in place of width and height, and other orders


def corners(box):
    return [box[0], box[1], box[0] + box[2], box[1] + box[3]]


def convert(program, tmp_path, boxes, *options):
    return program(
        *("convert", "coco", write(tmp_path / "b.json", boxes), write(tmp_path / "r.csv", relations())),
        *(tmp_path / "out", *options),
    )


def test_corners_in_place_of_width_and_height(tmp_path, program):
    done = convert(program, tmp_path, coco(change_boxes(corners)))
    done.refused("b.json", "8 of 12", "leave their image", "[x1, y1, x2, y2]")
    assert not (tmp_path / "out").exists()


def test_boxes_that_are_cut_are_counted(tmp_path, program):
    def change(content):
        content["annotations"][0]["bbox"] = [-20, 10, 50, 40]
        content["annotations"][4]["bbox"] = [150, 10, 70, 40]

    done = convert(program, tmp_path, coco(change))
    done.went_well("cut at the border: 2 of 12 boxes (17 %)", "im1.jpg")


def test_a_pixel_too_far_is_no_mistake(tmp_path, program):
    def change(content):
        content["annotations"][0]["bbox"] = [-0.5, 10, 50, 40]

    assert "cut at the border" not in convert(program, tmp_path, coco(change)).went_well()


def test_sizes_exchanged(tmp_path, program):
    def change(content):
        for image in content["images"]:
            image.update(width=100, height=200)
        for place, entry in enumerate(content["annotations"]):
            entry["bbox"] = ([10, 10, 30, 40], [5, 20, 150, 60], [120, 10, 30, 40])[place % 3]

    done = convert(program, tmp_path, coco(change))
    done.refused("leave their image", "width and height")


def test_another_order_of_the_four_numbers(tmp_path, program):
    """[xmin, ymin, xmax, ymax] where [ymin, ymax, xmin, xmax] is expected."""
    folder = dataset(tmp_path / "mine", change=lambda b: [b[2], b[0], b[3], b[1]])
    check_and_train_refuse(folder, tmp_path, program, "[ymin, ymax, xmin, xmax]")


def test_most_boxes_leave_their_image(tmp_path, program):
    folder = dataset(tmp_path / "mine", change=lambda box: [3 * side for side in box])
    check_and_train_refuse(folder, tmp_path, program, "leave their image")


def test_check_counts_boxes_that_leave_their_image(tmp_path, program):
    folder = dataset(tmp_path / "mine", shift=85)
    done = program("check", folder, "--output", tmp_path / "out")
    done.went_well("box partly outside the image", "boxes that leave their image, %")


# 28: sizes from the pictures


@pytest.mark.parametrize(
    "size", [dict, lambda: None, lambda: {"width": None, "height": None}, lambda: {"id": 3}]
)
def test_metadata_without_sizes(size, tmp_path, program):
    folder = dataset(tmp_path / "mine", size=size)
    data = load_dataset(folder, "train")
    assert {(record.width, record.height) for record in data.records} == {(WIDTH, HEIGHT)}
    assert "sizes read from the images: 12" in data.summary()
    program("check", folder, "--output", tmp_path / "out").went_well("usable", "sizes read from the images")


def test_metadata_without_sizes_and_without_pictures(tmp_path):
    message = refused(dataset(tmp_path / "mine", size=dict, images=False))
    assert "width and height" in message and "no image to read it from" in message


def test_a_turned_picture_has_the_size_that_is_seen(tmp_path):
    folder = dataset(tmp_path / "mine", size=dict, name="im{}.jpg")
    for number in range(12):
        upright = Image.new("RGB", (HEIGHT, WIDTH))
        exif = Image.Exif()
        exif[0x0112] = 6
        upright.save(folder / "images" / f"im{number}.jpg", exif=exif)
    data = load_dataset(folder, "train")
    assert {(record.width, record.height) for record in data.records} == {(WIDTH, HEIGHT)}


def test_coco_images_without_sizes(tmp_path, program):
    def change(content):
        for image in content["images"]:
            del image["width"], image["height"]

    for number in range(1, 5):
        noise(tmp_path / "photos" / f"im{number}.jpg", number)
    convert(program, tmp_path, coco(change)).refused("width and height", "--images")
    done = convert(program, tmp_path, coco(change), "--images", tmp_path / "photos")
    done.went_well("4 image sizes read from the files")
    assert json.loads((tmp_path / "out" / "train_image_metadata.json").read_text())["im1.jpg"] == SIZE


def test_coco_images_with_whole_floats(tmp_path, program):
    def change(content):
        for image in content["images"]:
            image.update(width=float(WIDTH), height=str(HEIGHT))

    convert(program, tmp_path, coco(change)).went_well()
    assert json.loads((tmp_path / "out" / "train_image_metadata.json").read_text())["im1.jpg"] == SIZE


# 24: boxes from outlines


def test_boxes_from_polygons(tmp_path, program):
    def change(content):
        for entry in content["annotations"]:
            x, y, w, h = entry.pop("bbox")
            outline = [x, y, x + w, y + h / 2, x + w / 2, y + h]
            entry["segmentation"] = [outline[:], [x, y, x + 1, y, x + 1, y + 1]]

    convert(program, tmp_path / "plain", coco()).went_well()
    convert(program, tmp_path, coco(change)).went_well("12 boxes from outlines")
    for file in (tmp_path / "out").glob("*.json"):
        assert json.loads(file.read_text()) == json.loads(
            (tmp_path / "plain" / "out" / file.name).read_text()
        )


def test_boxes_from_masks(tmp_path, program):
    """Uncompressed run lengths, columns first, as the COCO format has crowds."""

    def change(content):
        for entry in content["annotations"]:
            x, y, w, h = entry.pop("bbox")
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            mask[y : y + h, x : x + w] = 1
            flat = mask.T.reshape(-1)
            ends = np.flatnonzero(np.diff(flat)) + 1
            counts = np.diff([0, *ends, len(flat)]).tolist()
            entry["segmentation"] = {
                "size": [HEIGHT, WIDTH],
                "counts": counts if not flat[0] else [0, *counts],
            }

    convert(program, tmp_path / "plain", coco()).went_well()
    convert(program, tmp_path, coco(change)).went_well("12 boxes from outlines")
    for file in (tmp_path / "out").glob("*.json"):
        assert json.loads(file.read_text()) == json.loads(
            (tmp_path / "plain" / "out" / file.name).read_text()
        )


@pytest.mark.parametrize(
    "outline", [None, [], [[1, 2]], [[1, 2, "a", 4, 5, 6]], {"counts": "PPYo1", "size": [1, 1]}, 7]
)
def test_outlines_without_a_box(outline, tmp_path, program):
    def change(content):
        del content["annotations"][3]["bbox"]
        content["annotations"][3]["segmentation"] = outline

    convert(program, tmp_path, coco(change)).refused("annotations, entry 3", "bbox")


def test_no_picture_is_decoded_for_its_size(tmp_path, monkeypatch):
    folder = dataset(tmp_path / "mine", size=dict)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    assert len(load_dataset(folder, "test")) == 4
