"""Where each data set lies: its folder under the data folder, its image folders, how it is obtained.

A data set that is not in the catalogue is any folder with the same files; its images are looked for in the
folders of `ANY_IMAGES`, then where the catalogue's data sets have theirs.
"""

from __future__ import annotations

import difflib
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from dsg.datasets.formats.exchange.table import refuse_foreign
from dsg.datasets.formats.referring import annotation_file
from dsg.datasets.remedies import fetch_command
from dsg.errors import UserError

FILES = (
    "annotations_train.json",
    "annotations_test.json",
    "train_image_metadata.json",
    "test_image_metadata.json",
    "objects.json",
    "predicates.json",
)
# Tried in this order where a data set's own folders do not hold an image; {split} is train or test.
ANY_IMAGES = ("images/{split}", "images", "{split}", ".")

ENDINGS = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG", ".webp", ".bmp", ".tif", ".tiff", ".gif")

LEADS_OUT = "image name leads out of the folder"
"""Why an image is left out whose name `leads_out`."""


@dataclass(frozen=True)
class Entry:
    """One data set of the catalogue."""

    folder: str  # under the data folder
    train_images: tuple[str, ...]  # under the data set's folder, in the order in which they are searched
    test_images: tuple[str, ...]
    objects: int  # how many names the vocabulary has
    predicates: int


_VG_IMAGES = ("JPEGImages/VG_100K", "JPEGImages/VG_100K_2")
CATALOGUE = {
    "visualgenome": Entry("VisualGenome", _VG_IMAGES, _VG_IMAGES, 100, 70),
    "vrd": Entry("VRD", ("sg_dataset/sg_train_images",), ("sg_dataset/sg_test_images",), 100, 70),
    "clevr": Entry("clevr", ("CLEVR_v1.0/images/train",), ("CLEVR_v1.0/images/val",), 48, 4),
    "shapes": Entry("shapes", ("CLEVR_v1.0/images/train",), ("CLEVR_v1.0/images/val",), 48, 4),
}


def advice(name: str, folder: Path, images: bool = False) -> str:
    """The command that makes a data set of the catalogue, or only its images, appear.

    Args:
        folder: the data folder, or the data set's own.
    """
    entry = CATALOGUE[name]
    own = folder.name.lower() == entry.folder.lower() and holds_annotations(folder)
    place = folder.parent if own else folder
    if name == "shapes":
        force = " --force" if images else ""
        return f"`dsg shapes {shlex.quote(str(place / name))}{force}` generates it"
    return f"`{fetch_command(name, place)}` fetches {'them' if images else 'it'}"


def find_dataset(name: str | os.PathLike[str], data_dir: Path) -> tuple[str, Path, Entry | None]:
    """A data set by its name or folder.

    A name of the catalogue is found as `data_dir` itself, if that holds annotations, or as the catalogue's
    folder in it; another name is a folder, given by its path or by its place in `data_dir`. Upper and lower
    case are the same.

    Returns:
        its name, its folder, and its entry of the catalogue (None for a folder of your own).

    Raises:
        UserError: there is no such data set, or its folder is not there.
    """
    text = os.fspath(name)
    known = _known_name(text)
    if known:
        return known, _known_folder(known, data_dir), CATALOGUE[known]
    folder = folder_of(text, data_dir)
    if folder is None:
        refuse_foreign(Path(text), "referring")
        close = difflib.get_close_matches(text.lower(), CATALOGUE, n=1)
        hint = (
            f"did you mean {close[0]!r}?"
            if close
            else f"known: {', '.join(CATALOGUE)}, or the path of a folder"
        )
        raise UserError(f"unknown data set {text!r}: {hint}")
    return folder.resolve().name, folder, None


def folder_of(text: str, data_dir: Path) -> Path | None:
    """The folder with that path, or of that name in `data_dir`; None if neither exists."""
    candidates = [Path(text), data_dir / text, _same_name(data_dir, text)]
    if holds_annotations(data_dir) and data_dir.resolve().name.lower() == text.lower():
        candidates.append(data_dir)
    return next((path for path in candidates if path is not None and os.path.isdir(path)), None)


def holds_annotations(folder: Path) -> bool:
    """Whether a folder is that of a data set."""
    return any(os.path.isfile(annotation_file(folder, split)) for split in ("train", "test", "validation"))


def leads_out(image: str) -> bool:
    """Whether an image's name in the annotations may lead to a file outside the data set's folder.

    Example:
        >>> [leads_out(name) for name in ("part/a.jpg", "a..b.jpg", "/dev/zero", "../a.jpg", "part/../a.jpg")]
        [False, False, True, True, True]
    """
    # Most names are plain: those of 100,000 images are looked at in a moment.
    return os.path.isabs(image) or (".." in image and ".." in Path(image).parts)


class ImageFolders:
    """Finds the image files of a split: the first folder that lists a name has it.

    Every folder is listed once, which is faster than asking the file system for every image.

    Args:
        folder: of the data set.
        entry: of the catalogue, None for a folder of your own.
        split: of which the images are.
        first: where images are looked for first, and expected; empty: where the catalogue says.
    """

    def __init__(self, folder: Path, entry: Entry | None, split: str, first: tuple[str, ...] = ()) -> None:
        own = () if entry is None else entry.test_images if split == "test" else entry.train_images
        own = first or own
        shared = tuple(pattern.format(split="test" if split == "test" else "train") for pattern in ANY_IMAGES)
        self._expected = folder / (own[0] if own else "images")
        candidates = dict.fromkeys(own + shared + _catalogued_images(split))
        self._folders = [path for path in (folder / part for part in candidates) if os.path.isdir(path)]
        self._listed: dict[Path, set[str]] = {}

    def path(self, name: str) -> Path:
        """The image's file; where it is in none of the folders, the place where it is expected.

        Args:
            name: one that does not lead out (`leads_out`).
        """
        parent, _, base = name.rpartition("/")  # names may have folders in them
        for folder in self._folders:
            if base in self._names(folder / parent if parent else folder):
                return folder / name
        return self._expected / name

    def path_of_stem(self, stem: str) -> Path:
        """The file of an image whose name has no ending; the JPEG file that is expected if there is none."""
        for folder in self._folders:
            names = self._names(folder)
            for ending in ENDINGS:
                if stem + ending in names:
                    return folder / (stem + ending)
        return self._expected / f"{stem}.jpg"

    def _names(self, folder: Path) -> set[str]:
        if folder not in self._listed:
            self._listed[folder] = _names_in(folder)
        return self._listed[folder]


def _names_in(folder: Path) -> set[str]:
    """The contents of a folder; empty if it does not exist or cannot be listed."""
    if not os.path.isdir(folder):  # which raises nothing, whatever name stands in the annotations
        return set()
    try:
        return set(os.listdir(folder))
    except OSError:  # not allowed, say: each of its images is missing, and is named
        return set()


def _catalogued_images(split: str) -> tuple[str, ...]:
    """The image folders of the whole catalogue: a copy of one of its data sets may be named by its path."""
    entries = CATALOGUE.values()
    return tuple(
        part for entry in entries for part in (entry.test_images if split == "test" else entry.train_images)
    )


def _known_name(text: str) -> str | None:
    plain = text.lower().replace("_", "").replace("-", "")
    return plain if plain in CATALOGUE else None


def _known_folder(name: str, data_dir: Path) -> Path:
    if holds_annotations(data_dir):
        return data_dir
    entry = CATALOGUE[name]
    exact = data_dir / entry.folder
    folder = exact if exact.is_dir() else _same_name(data_dir, entry.folder, name)
    if folder is None:
        files = ", ".join(FILES)
        raise UserError(
            f"data set {name!r} is missing: {exact} should contain {files}; {advice(name, data_dir)}"
            " (data/README.md)"
        )
    return folder


def _same_name(parent: Path, *names: str) -> Path | None:
    """The folder of that name in `parent`, whatever the case of its letters."""
    wanted = {name.lower() for name in names}
    if not parent.is_dir():
        return None
    return next(
        (path for path in sorted(parent.iterdir()) if path.name.lower() in wanted and path.is_dir()), None
    )
