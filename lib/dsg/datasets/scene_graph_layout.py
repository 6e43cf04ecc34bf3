"""Where a data set of scene graphs lies, and which of its files is what.

    vg150/  VG-SGG-with-attri.h5  VG-SGG-dicts-with-attri.json, or VG-SGG.h5  VG-SGG-dicts.json
            image_data.json
            images/, VG_100K/ and VG_100K_2/, or VisualGenome/JPEGImages beside vg150
            zero_shot_triplets.npy          may be missing
            auxiliary/                      masks, in COCO's layout; or the folder coco beside vg150
            embeddings/glove_mean_vg[.npy], glove_mean_coco[.npy], glove.*.txt    may be missing:
                                            then GloVe's files of the folder glove beside vg150 count

`shapes150` and a folder of your own have the same files.
"""

from __future__ import annotations

import difflib
import os
import shlex
from pathlib import Path
from typing import NamedTuple

from dsg.datasets.catalogue import folder_of
from dsg.datasets.formats.exchange.table import refuse_foreign
from dsg.datasets.formats.vg150 import Vg150Files
from dsg.datasets.formats.vg150_triplets import ZERO_SHOT
from dsg.datasets.remedies import fetch_command
from dsg.errors import UserError

VG150, SHAPES150 = "vg150", "shapes150"
NAMES = (VG150, SHAPES150)
GRAPH_FILES = {
    "VG-SGG-with-attri.h5": "VG-SGG-dicts-with-attri.json",
    "VG-SGG.h5": "VG-SGG-dicts.json",
}
"""The file of graphs and its dictionary; the first that there is counts."""
IMAGE_DATA = "image_data.json"
VISUAL_GENOME = "../VisualGenome/JPEGImages"  # where `dsg fetch visualgenome` puts the images
IMAGES = ("images", "VG_100K", "VG_100K_2", f"{VISUAL_GENOME}/VG_100K", f"{VISUAL_GENOME}/VG_100K_2")
AUXILIARY, TRUE_MASKS, EMBEDDINGS = "auxiliary", "true_masks", "embeddings"
GLOVE = "glove"
NAME_WIDTH = 300  # numbers a word of GloVe's file that names are compared by


class GraphSource(NamedTuple):
    """A data set of scene graphs."""

    label: str
    folder: Path
    files: Vg150Files

    @property
    def zero_shot(self) -> Path:
        """The file of zero-shot triplets, which may be missing."""
        return self.folder / ZERO_SHOT

    @property
    def auxiliary(self) -> Path:
        """The folder of the data set with masks, for `load_instances`."""
        return auxiliary_folder(self.folder)

    def name_vectors(self, masks: bool = False) -> Path:
        """The file with a vector for each category, or each of the auxiliary set's.

        Raises:
            UserError: it is missing.
        """
        name, place = _mean_vectors(masks), self.folder / EMBEDDINGS
        for path in (place / f"{name}.npy", place / name):
            if path.is_file():
                return path
        fetch = fetch_command(GLOVE, self.folder.parent)
        raise UserError(
            f"{place}: has no {name}.npy and no {name}; the release has it, or `{fetch}` what it is computed "
            "from (data/README.md)"
        )

    @property
    def has_name_vectors(self) -> bool:
        """Whether both of these files are there."""
        files = [self.folder / EMBEDDINGS / _mean_vectors(masks) for masks in (False, True)]
        return all(path.is_file() or path.with_name(f"{path.name}.npy").is_file() for path in files)

    def glove(self, width: int) -> Path | None:
        """GloVe's text file with so many numbers a word, the data set's own or of the folder `glove` beside
        it; None if there is none.
        """
        places = (self.folder / EMBEDDINGS, self.folder.parent / GLOVE)
        return next((path for place in places for path in sorted(place.glob(f"glove*.{width}d.txt"))), None)


def _mean_vectors(masks: bool) -> str:
    return "glove_mean_coco" if masks else "glove_mean_vg"


def auxiliary_folder(folder: Path) -> Path:
    """The folder of the data set with masks that belongs to a data set of graphs; it may be missing."""
    own = folder / AUXILIARY
    return own if own.is_dir() else folder.parent / "coco"


def is_graph_folder(folder: Path) -> bool:
    """Whether a folder is that of a data set of scene graphs."""
    return any((folder / name).is_file() for name in GRAPH_FILES)


def find_graphs(name: str | os.PathLike[str], data_dir: Path) -> GraphSource:
    """A data set of scene graphs by its name or folder.

    Args:
        name: one of `NAMES`, whatever the case, or a folder, also one in `data_dir`.
        data_dir: the data folder, or the data set's own.

    Raises:
        UserError: there is no such data set, or a file of it is missing.
    """
    text = os.fspath(name)
    label = known_name(text)
    folder = folder_of(text, data_dir) if label is None else _known_folder(label, data_dir)
    if folder is None:
        refuse_foreign(Path(text), VG150)
        close = difflib.get_close_matches(text.lower(), NAMES, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(NAMES)}, or a folder's path"
        raise UserError(f"unknown data set {text!r}: {hint}")
    graphs = next((file for file in GRAPH_FILES if (folder / file).is_file()), None)
    if graphs is None:
        refuse_foreign(folder, VG150)
        raise UserError(f"{folder}: no scene graphs; {' or '.join(GRAPH_FILES)} is looked for")
    for file in (GRAPH_FILES[graphs], IMAGE_DATA):
        if not (folder / file).is_file():
            raise UserError(f"{folder}: has {graphs} but no {file}; put it beside it")
    files = Vg150Files(folder / graphs, folder / GRAPH_FILES[graphs], folder / IMAGE_DATA, folder / IMAGES[0])
    return GraphSource(label or folder.resolve().name, folder, files)


def known_name(text: str) -> str | None:
    """The name of `NAMES` that is meant, if it is one."""
    plain = text.lower().replace("_", "").replace("-", "")
    return plain if plain in NAMES else None


def advice(label: str, data_dir: Path) -> str:
    """How a missing data set is had."""
    if label == SHAPES150:
        return f"`dsg shapes {shlex.quote(str(data_dir / label))} --graphs` generates it"
    with_attributes, without = (" and ".join(pair) for pair in GRAPH_FILES.items())
    return (
        f"`{fetch_command(label, data_dir)}` fetches {without} and {IMAGE_DATA}; or put {with_attributes} "
        "there (data/README.md)"
    )


def _known_folder(label: str, data_dir: Path) -> Path:
    same = sorted(data_dir.iterdir()) if data_dir.is_dir() else []
    folder = next((path for path in same if path.name.lower() == label and path.is_dir()), None)
    if folder is not None:
        return folder
    if is_graph_folder(data_dir):
        return data_dir
    raise UserError(f"data set {label!r} is missing: {data_dir / label}; {advice(label, data_dir)}")
