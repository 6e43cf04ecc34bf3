"""PASCAL VOC's layout: a list of images in `ImageSets`, an XML file and a JPEG for each.

    VOC2007/  Annotations/000005.xml  ImageSets/Main/trainval.txt  JPEGImages/000005.jpg

The file's pixels count from 1 and a box includes its last one. Here they count from 0 and x2 - x1 is the
width: x1 and y1 are one less than in the file, x2 and y2 are the same (`kit_boxes` of `dsg.metrics.voc_ap`
goes back).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from dsg.datasets.formats.instances import LONGEST_SIDE, Instances, InstanceSet, clipped_box, is_plain_name
from dsg.errors import UserError
from dsg.runtime.text import read_text

CLASSES = (
    *(
        "__background__",
        "aeroplane",
        "bicycle",
        "bird",
        "boat",
        "bottle",
        "bus",
        "car",
        "cat",
        "chair",
        "cow",
    ),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train"),
    "tvmonitor",
)
LARGEST_FILE = 10_000_000  # bytes; the kit's largest has 30 kB
FLAG = re.compile(r"(?<!\s)\s+(-1|0|1)$")
"""Behind a name in the lists of a single class: whether the image shows it."""
CORNERS = ("xmin", "ymin", "xmax", "ymax")


class _Unreadable(Exception):
    """An annotation that is left out, as (reason, detail)."""


def read_voc(
    folder: str | Path,
    split: str,
    classes: Sequence[str] = CLASSES,
) -> InstanceSet:
    """The images that `ImageSets/Main/<split>.txt` lists, with their objects, difficult ones included.

    Images whose annotation is missing, not XML or without a size, and objects of an unknown class or without
    a box in the image are left out and counted.

    Args:
        folder: `VOC2007`, or one with its layout.
        split: `trainval`, `test`, ...
        classes: names by number, the background first.

    Raises:
        UserError: there is no such list, or it is empty.
    """
    folder = Path(folder)
    result = InstanceSet(tuple(classes), [])
    for name in image_names(list_file(folder, split)):
        try:
            result.images.append(_read_image(folder, name, result))
        except _Unreadable as error:
            result.skip(error.args[0], name, error.args[1])
    if not result.images:
        raise UserError(f"{folder}: no image of {split} can be read; {result.summary()}".replace("\n", ";"))
    return result


def classes_of(folder: str | Path, split: str) -> tuple[str, ...]:
    """The names of the objects in the images of a list, sorted, the background first.

    Raises:
        UserError: there is no such list, or no object in its images.
    """
    folder, names = Path(folder), set()
    for name in image_names(list_file(folder, split)):
        try:
            root = _root(folder / "Annotations" / f"{name}.xml")
        except _Unreadable:
            continue
        names |= {_label(thing) for thing in root.iter("object")}
    names -= {"", CLASSES[0]}
    if not names:
        raise UserError(f"{folder / 'Annotations'}: no object with a name in the images of {split}")
    return (CLASSES[0], *sorted(names))


def read_classes(path: Path) -> tuple[str, ...]:
    """The names of a text file with one a line, the background first, whether it is listed or not.

    Raises:
        UserError: the file cannot be read, names no class, or names one twice.
    """
    names = [line.strip() for line in read_text(path).split("\n") if line.strip()]
    names = [name for name in names if name not in (CLASSES[0], "background")]
    twice = next((name for name, number in Counter(names).items() if number > 1), None)
    if not names or twice is not None:
        reason = f"names {twice!r} twice" if names else "names no class"
        raise UserError(f"{path}: {reason}; write the name of each class in a line of its own")
    return (CLASSES[0], *names)


def list_file(folder: Path, split: str) -> Path:
    """The file that lists the images of a split."""
    return folder / "ImageSets" / "Main" / f"{split}.txt"


def image_names(path: Path) -> list[str]:
    """The images of a list, each once.

    Raises:
        UserError: it cannot be read, is empty, or a name leads out of the folder.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such list of images; is {path.parents[2]} a folder like VOC2007?")
    lines = [line.strip() for line in read_text(path).split("\n") if line.strip()]
    names = list(dict.fromkeys(FLAG.sub("", line) for line in lines))
    for name in names:
        if not is_plain_name(name):
            raise UserError(f"{path}: {name[:60]!r} is not the name of an image in JPEGImages")
    if not names:
        raise UserError(f"{path}: lists no images")
    return names


def _read_image(folder: Path, name: str, result: InstanceSet) -> Instances:
    root = _root(folder / "Annotations" / f"{name}.xml")
    width, height = (_number(root, f"size/{side}") for side in ("width", "height"))
    if width is None or height is None or min(width, height) < 1 or max(width, height) > LONGEST_SIDE:
        raise _Unreadable("annotation without size", "")
    width, height = int(width), int(height)
    boxes, classes, difficult = [], [], []
    for thing in root.iter("object"):
        label = _label(thing)
        corners = [_number(thing, f"bndbox/{corner}") for corner in CORNERS]
        if label not in result.classes[1:]:
            result.skip("object of an unknown class", name, label[:40])
            continue
        if any(corner is None for corner in corners):
            result.skip("object without a box", name, label)
            continue
        x1, y1, x2, y2 = (corner for corner in corners if corner is not None)
        stated = (x1 - 1, y1 - 1, x2, y2)
        result.stated.append((*stated, width, height))
        box = clipped_box(stated, width, height)
        if box is None:
            result.skip("box outside its image", name, label)
            continue
        if box != stated:
            result.skip("part of a box outside its image", name, label)
        boxes.append(box)
        classes.append(result.classes.index(label))
        difficult.append((thing.findtext("difficult") or "0").strip() == "1")
    return Instances(
        *(name, folder / "JPEGImages" / f"{name}.jpg", width, height),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        classes=np.array(classes, np.int32),
        difficult=np.array(difficult, bool),
        crowd=np.zeros(len(boxes), bool),
    )


def _label(thing: ElementTree.Element) -> str:
    return (thing.findtext("name") or "").strip()


def _root(path: Path) -> ElementTree.Element:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise _Unreadable("annotation too large", f"{path.stat().st_size:,} bytes")
        content = path.read_bytes()
    except OSError as error:
        raise _Unreadable("annotation missing", error.strerror or "") from error
    # Entities can grow without end or name other files; a file in UTF-16 could hide them from this look.
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"\0" in content:
        raise _Unreadable("annotation with a document type, which VOC's have not", "")
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise _Unreadable("annotation that is not XML", str(error)[:60]) from error
    if root.tag != "annotation":
        raise _Unreadable("annotation that is not VOC's", root.tag[:40])
    return root


def _number(node: ElementTree.Element, path: str) -> float | None:
    try:
        value = float(node.findtext(path) or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
