"""Where a data set for detection lies, in which layout, and which of its lists is which split.

    VOC   VOCdevkit/VOC2007/{Annotations,ImageSets/Main,JPEGImages}
    COCO  coco/annotations/instances_train2017.json, coco/train2017/

A folder of your own has one of them; `train`, `val`, `trainval` and `test` are its lists (COCO's files may
have a year at their end, of which the latest is read). Images are looked for where the layout has them, in
`images/<list>/`, `images/`, and in the folders of the referring-relationships data sets.

    lists                    train               validation       test
    trainval, test (VOC)     trainval less ...   its last tenth   test
    train, val, test         train               val              test
    train, val (COCO)        train less ...      its last tenth   val
    train, test              train less ...      its last tenth   test

`pascal_voc` is VOC 2007, `pascal_voc_0712` both years' `trainval` and the `test` of 2007. The split trainval
is train and validation together.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from dsg.datasets.catalogue import CATALOGUE, advice, folder_of, holds_annotations
from dsg.datasets.formats.coco_instances import annotation_file
from dsg.datasets.formats.voc import CLASSES, list_file
from dsg.datasets.remedies import fetch_command
from dsg.errors import UserError

VOC, COCO = "voc", "coco"
VOC_YEARS = {"pascal_voc": ("2007",), "pascal_voc_0712": ("2007", "2012")}
FETCHED = (*VOC_YEARS, "coco")
NAMES = (*FETCHED, "shapes")
LISTS = ("train", "val", "trainval", "test")
COCO_FILE = re.compile(r"instances_(train|val|validation|valid|trainval|test)(\d*)\.json")
LAYOUTS = (
    "annotations/instances_train.json as COCO has, or Annotations/ and ImageSets/Main/ as VOC has "
    "(docs/detector.md)"
)


class List(NamedTuple):
    """A list of annotated images."""

    folder: Path
    name: str  # trainval, train2017


class Source(NamedTuple):
    """A data set for detection."""

    label: str
    folder: Path
    layout: str  # VOC or COCO
    lists: Mapping[str, tuple[List, ...]]  # by LISTS, those that there are; the names of the data set's files
    classes: tuple[str, ...] | None  # with the background; None: as the files say


class Choice(NamedTuple):
    """What a split is read from."""

    lists: tuple[List, ...]
    cut: bool  # train and validation are cut from them


def find_instances(name: str | os.PathLike[str], data_dir: Path, layout: str = "") -> Source:
    """A data set for detection by its name or folder.

    Args:
        name: one of `NAMES`, whatever the case, or a folder, also one in `data_dir`.
        data_dir: the data folder, or the data set's own.
        layout: VOC or COCO; empty: COCO's where a folder has both.

    Raises:
        UserError: there is no such data set, its folder is not there, or it has neither layout.
    """
    text = os.fspath(name)
    label = next((known for known in NAMES if _plain(known) == _plain(text)), None)
    if label in VOC_YEARS:
        return _pascal_voc(label, data_dir)
    folder = folder_of(text, data_dir) if label is None else _own_or_below(label, data_dir)
    if folder is None:
        raise UserError(_missing(text, label, data_dir))
    return _own(label or folder.resolve().name, folder, layout)


def for_detection_alone(name: str, data_dir: Path) -> bool:
    """Whether a name or folder is that of a data set without relations."""
    folder = folder_of(name, data_dir)
    if folder is not None and holds_annotations(folder):
        return False
    plain = _plain(name)
    if any(_plain(known) == plain for known in FETCHED):
        return True
    return folder is not None and bool(coco_lists(folder) or voc_lists(folder))


def choose(source: Source, split: str) -> Choice:
    """The lists of a split.

    Raises:
        UserError: the data set has none for it.
    """
    lists = source.lists
    test = "test" if "test" in lists else "val"
    whole = "trainval" if "trainval" in lists and ("test" in lists or "train" not in lists) else "train"
    apart = whole == "train" and test == "test" and "val" in lists
    name = {"test": test, "validation": "val" if apart else whole}.get(split, whole)
    if name not in lists:
        raise UserError(
            f"{source.folder}: no list of images for {split} ({name}); it has {', '.join(lists) or 'none'} "
            "(docs/detector.md)"
        )
    chosen = lists[name]
    if split == "trainval" and apart:
        chosen += lists["val"]
    return Choice(chosen, cut=not apart and split in ("train", "validation"))


def data_folder(folder: Path) -> Path:
    """The data folder in which one of the data sets of `FETCHED` lies.

    Example:
        >>> str(data_folder(Path("data/VOCdevkit/VOC2007"))), str(data_folder(Path("data/coco")))
        ('data', 'data')
    """
    parents = [folder, *folder.parents]
    kit = next((parent for parent in parents if parent.name.startswith("VOCdevkit")), None)
    return (kit or folder).parent


def _pascal_voc(label: str, data_dir: Path) -> Source:
    folders = []
    for year in VOC_YEARS[label]:
        parents = (data_dir / "VOCdevkit", data_dir / f"VOCdevkit{year}", data_dir)
        own = (data_dir,) if data_dir.resolve().name == f"VOC{year}" else ()
        places = [*(parent / f"VOC{year}" for parent in parents), *own]
        folder = next((place for place in places if place.is_dir()), None)
        if folder is None:
            raise UserError(
                f"data set {label!r} is missing: {places[0]} should contain Annotations, ImageSets and "
                f"JPEGImages; `{fetch_command(label, data_dir)}` fetches it (data/README.md)"
            )
        folders.append(folder)
    lists = {
        "trainval": tuple(List(folder, "trainval") for folder in folders),
        "test": (List(folders[0], "test"),),
    }
    return Source(label, folders[0] if len(folders) == 1 else folders[0].parent, VOC, lists, CLASSES)


def _own(label: str, folder: Path, layout: str) -> Source:
    _complete_shapes(folder)
    lists = {COCO: coco_lists(folder), VOC: voc_lists(folder)}
    layouts = [name for name in (COCO, VOC) if lists[name] and layout in ("", name)]
    if not layouts:
        why = f"no annotations for detection: {LAYOUTS} are looked for"
        inside = next((path.name for path in sorted(folder.glob("VOC20*")) if voc_lists(path)), "")
        if inside:
            why = f"contains {inside}: give {folder / inside}, or this folder as --data with pascal_voc"
        elif holds_annotations(folder):
            why = f"a data set of referring relationships; a detector needs {LAYOUTS}"
        raise UserError(f"{folder}: {why}")
    classes = CLASSES if layouts[0] == VOC and re.match(r"VOC20\d\d", folder.resolve().name) else None
    return Source(label, folder, layouts[0], lists[layouts[0]], classes)


def _complete_shapes(folder: Path) -> None:
    """Add what detectors read to shapes that an earlier version generated."""
    if (folder / "shapes.json").is_file() and not coco_lists(folder):
        from dsg.datasets.shapes.completion import add_instances

        add_instances(folder)


def voc_lists(folder: Path) -> dict[str, tuple[List, ...]]:
    """The lists of a folder in VOC's layout; none in another folder."""
    if not (folder / "Annotations").is_dir():
        return {}
    return {name: (List(folder, name),) for name in LISTS if list_file(folder, name).is_file()}


def coco_lists(folder: Path) -> dict[str, tuple[List, ...]]:
    """The lists of a folder in COCO's layout, of the latest year; none in another folder."""
    try:
        names = sorted(path.name for path in annotation_file(folder, "").parent.iterdir())
    except OSError:
        return {}
    lists: dict[str, tuple[List, ...]] = {}
    for match in filter(None, map(COCO_FILE.fullmatch, names)):  # later years come later
        name = match[1] if match[1] in LISTS else "val"
        lists[name] = (List(folder, match[1] + match[2]),)
    return {name: lists[name] for name in LISTS if name in lists}


def _own_or_below(label: str, data_dir: Path) -> Path | None:
    """The folder of a known data set: the data folder itself, or the folder of that name in it."""
    own = data_dir.resolve().name.lower() == label or not (data_dir / label).is_dir()
    if own and (coco_lists(data_dir) or (label == "shapes" and (data_dir / "shapes.json").is_file())):
        return data_dir
    same = sorted(data_dir.iterdir()) if data_dir.is_dir() else []
    return next((path for path in same if path.name.lower() == label and path.is_dir()), None)


def _missing(text: str, label: str | None, data_dir: Path) -> str:
    if label == "shapes":
        return f"data set 'shapes' is missing: {data_dir / 'shapes'}; {advice('shapes', data_dir)}"
    if label is not None:
        return (
            f"data set {label!r} is missing: {data_dir / label} should contain annotations/"
            f"instances_train2017.json and train2017; `{fetch_command(label, data_dir)}` fetches it "
            "(data/README.md)"
        )
    known = f"known: {', '.join(NAMES)}, or the path of a folder"
    if _plain(text) in CATALOGUE:
        return f"data set {text!r} has relationships, and detectors learn from objects with boxes; {known}"
    close = difflib.get_close_matches(text.lower(), NAMES, n=1)
    return f"unknown data set {text!r}: {f'did you mean {close[0]!r}?' if close else known}"


def _plain(name: str) -> str:
    """A data set's name in the spelling in which names are compared."""
    return name.lower().replace("_", "").replace("-", "")
