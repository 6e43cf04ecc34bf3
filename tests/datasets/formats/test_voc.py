"""PASCAL VOC's folders, good and bad."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dsg.datasets.formats.voc import CLASSES, classes_of, image_names, read_classes, read_voc
from dsg.errors import UserError
from dsg.metrics.voc_ap import kit_boxes


def thing(name: str, box: tuple, difficult: int = 0) -> str:
    corners = "".join(f"<{c}>{v}</{c}>" for c, v in zip(("xmin", "ymin", "xmax", "ymax"), box))
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"
    difficult_tag = f"<difficult>{difficult}</difficult>"
    return f"<object><name>{name}</name>{difficult_tag}<bndbox>{corners}</bndbox>{part}</object>"


def annotation(*things: str, size: str = "<size><width>100</width><height>80</height></size>") -> str:
    return f"<annotation><filename>../../etc/x.jpg</filename>{size}{''.join(things)}</annotation>"


def folder(tmp_path: Path, files: dict[str, str | bytes], split: str | None = None) -> Path:
    root = tmp_path / "VOC2007"
    for part in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (root / part).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (root / "Annotations" / f"{name}.xml").write_bytes(
            content.encode() if isinstance(content, str) else content
        )
    (root / "ImageSets/Main/trainval.txt").write_text("\n".join(files) + "\n" if split is None else split)
    return root


GOOD = annotation(thing("dog", (1, 1, 50, 40)), thing("person", (10.5, 2, 100, 80), 1))


def test_an_image_and_its_objects(tmp_path: Path) -> None:
    data = read_voc(folder(tmp_path, {"000005": GOOD, "000007": annotation()}), "trainval")
    first, second = data.images
    assert first.name == "000005" and first.path == tmp_path / "VOC2007/JPEGImages/000005.jpg"
    assert (first.width, first.height) == (100, 80)
    assert np.array_equal(first.boxes, np.array([[0, 0, 50, 40], [9.5, 1, 100, 80]], np.float32))
    assert [CLASSES[number] for number in first.classes] == ["dog", "person"]
    assert first.difficult.tolist() == [False, True] and not first.crowd.any()
    assert second.boxes.shape == (0, 4) and not data.skipped
    assert data.summary() == "2 images, 2 objects of 20 classes"


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>' + GOOD.replace("dog", "&b;")
BAD_IMAGES = {
    "annotation without size": annotation(size=""),
    "annotation that is not XML": GOOD[:-20],
    "annotation that is not VOC's": "<html></html>",
    "annotation with a document type": BOMB,
}


@pytest.mark.parametrize("reason", BAD_IMAGES)
def test_bad_images_are_left_out_and_counted(reason: str, tmp_path: Path) -> None:
    data = read_voc(folder(tmp_path, {"good": GOOD, "bad": BAD_IMAGES[reason]}), "trainval")
    assert [image.name for image in data.images] == ["good"]
    assert [key for key in data.skipped if key.startswith(reason)] and "bad" in data.summary()


def test_entities_in_another_encoding_and_large_files_are_left_out(tmp_path: Path) -> None:
    files = {"good": GOOD, "utf16": BOMB.encode("utf-16"), "large": GOOD + " " * 10_000_000}
    data = read_voc(folder(tmp_path, files, "good\nutf16\nlarge\nabsent\n"), "trainval")
    assert len(data.images) == 1 and sum(map(len, data.skipped.values())) == 3
    assert data.skipped["annotation missing"] == [("absent", "No such file or directory")]


def test_bad_objects_are_left_out_and_counted(tmp_path: Path) -> None:
    things = [
        thing("unicorn", (1, 1, 5, 5)),
        thing("dog", (200, 1, 300, 40)),
        thing("dog", (30, 30, 20, 40)),
        thing("dog", ("x", 1, 2, 3)),
        thing("dog", ("nan", 1, 2, 3)),
        "<object><name>cat</name></object>",
        thing("cat", (90, 70, 120, 90)),
    ]
    data = read_voc(folder(tmp_path, {"a": annotation(*things)}), "trainval")
    assert np.array_equal(data.images[0].boxes, [[89, 69, 100, 80]])
    assert {reason: len(cases) for reason, cases in data.skipped.items()} == {
        "object of an unknown class": 1,
        "box outside its image": 2,
        "object without a box": 3,
        "part of a box outside its image": 1,
    }


def test_lists_that_are_missing_empty_or_lead_out(tmp_path: Path) -> None:
    root = folder(tmp_path, {"a": GOOD}, "")
    with pytest.raises(UserError, match=r"trainval\.txt: lists no images"):
        read_voc(root, "trainval")
    with pytest.raises(UserError, match=r"test\.txt: no such list of images"):
        read_voc(root, "test")
    folder(tmp_path, {"a": GOOD}, "../../secret\n")
    with pytest.raises(UserError, match="is not the name of an image"):
        read_voc(root, "trainval")
    folder(tmp_path, {"a": annotation(size="")})
    with pytest.raises(UserError, match="no image of trainval can be read.*without size") as caught:
        read_voc(root, "trainval")
    assert "\n" not in str(caught.value)


def test_names_in_a_list(tmp_path: Path) -> None:
    path = tmp_path / "dog_train.txt"
    path.write_bytes(b"\xef\xbb\xbf000005 -1\r\n000007  1\r\n\r\nmy photo\r\n000005  0\r\n")
    assert image_names(path) == ["000005", "000007", "my photo"]


def test_a_box_of_one_pixel_and_the_way_back_to_the_kit(tmp_path: Path) -> None:
    data = read_voc(folder(tmp_path, {"a": annotation(thing("dog", (3, 4, 3, 4)))}), "trainval")
    assert data.images[0].boxes.tolist() == [[2, 3, 3, 4]]
    assert kit_boxes(data.images[0].boxes).tolist() == [[3, 4, 3, 4]]


def test_classes_are_those_of_the_annotations(tmp_path: Path) -> None:
    files = {"a": annotation(thing("owl", (1, 1, 5, 5)), thing(" cat ", (1, 1, 5, 5))), "bad": "<x>"}
    root = folder(tmp_path, files)
    assert classes_of(root, "trainval") == ("__background__", "cat", "owl")
    folder(tmp_path, {"a": annotation()})
    with pytest.raises(UserError, match="no object with a name in the images of trainval"):
        classes_of(root, "trainval")


def test_classes_are_those_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_text("__background__\n\nowl\n traffic light \n")
    assert read_classes(path) == ("__background__", "owl", "traffic light")
    for text, reason in (("\n", "names no class"), ("a\nb\na\n", "names 'a' twice")):
        path.write_text(text)
        with pytest.raises(UserError, match=reason):
            read_classes(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="save it as UTF-8"):
        read_classes(path)
    path.write_bytes(b"\xef\xbb\xbfowl\r\ncat\r\n")  # as some editors of Windows have it
    assert read_classes(path) == ("__background__", "owl", "cat")
