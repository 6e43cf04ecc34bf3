"""The formats by name: how each is recognised, read and written."""

from __future__ import annotations

import difflib
import importlib
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from dsg.datasets.formats.exchange.annotation import Annotation
from dsg.errors import UserError
from dsg.runtime.text import read_json, read_text


@dataclass(frozen=True)
class Format:
    """A format; its module has `read(path, pictures)`, `write(path, annotation)` and `recognised`, those of
    them that it can.
    """

    title: str
    ending: str  # of its file; empty: it is a folder
    module: str

    def loaded(self) -> ModuleType:
        """Its module."""
        return importlib.import_module(self.module)


_HERE = "dsg.datasets.formats.exchange"
TRAINABLE = ("referring", "vg150")
"""What training reads: DSG and the baselines, and the grounded scene graphs."""
FORMATS: dict[str, Format] = {
    "referring": Format("the layout of data sets (data/README.md)", "", f"{_HERE}.referring"),
    "vg150": Format("VG150's HDF5 file, its dictionary and image_data.json", "", f"{_HERE}.vg150"),
    "coco": Format("COCO with rel_categories and rel_annotations", ".json", f"{_HERE}.coco"),
    "psg": Format("PSG's JSON", ".json", f"{_HERE}.psg"),
    "reltr": Format("RelTR's COCO files with rel.json", "", f"{_HERE}.reltr"),
    "label-studio": Format("Label Studio's JSON", ".json", f"{_HERE}.label_studio"),
    "gqa": Format("GQA's sceneGraphs.json", ".json", f"{_HERE}.gqa"),
    "open-images": Format("Open Images' relationships", ".csv", f"{_HERE}.open_images"),
    "visual-genome": Format("Visual Genome's own files", "", f"{_HERE}.visual_genome"),
    "sgbench": Format("SGBench's file of predictions", ".json", f"{_HERE}.sgbench"),
    "scene-graphs": Format("what `dsg graph` writes", "", f"{_HERE}.scene_graphs"),
}


def read_annotation(path: Path, name: str = "", pictures: Path | None = None) -> Annotation:
    """The annotation of a file or folder.

    Args:
        name: of its format; empty: it is recognised.
        pictures: the folder of the images, for sizes that the format lacks.

    Raises:
        UserError: it is missing, of an unknown format, or damaged.
    """
    chosen = known(name) if name else recognised(path)
    module = FORMATS[chosen].loaded()
    if not hasattr(module, "read"):
        raise UserError(f"{path}: {chosen} is written, not read; read are {', '.join(readable())}")
    return module.read(path, pictures)


def write_annotation(path: Path, annotation: Annotation, name: str) -> None:
    """Write an annotation in a format; not `referring`, which `dsg.apps.convert.writer` writes.

    Raises:
        UserError: it is not written, or it cannot be.
    """
    module = FORMATS[known(name)].loaded()
    if not hasattr(module, "write"):
        raise UserError(f"{path}: {name} is read, not written; written are {', '.join(writable())}")
    module.write(path, annotation)


def readable() -> list[str]:
    """The names of formats that are read."""
    return [name for name, one in FORMATS.items() if hasattr(one.loaded(), "read")]


def writable() -> list[str]:
    """The names of formats that are written."""
    return [name for name, one in FORMATS.items() if name == "referring" or hasattr(one.loaded(), "write")]


def known(name: str) -> str:
    """The name of a format as it is listed.

    Raises:
        UserError: there is no such format.
    """
    plain = name.lower().replace("_", "-")
    if plain in FORMATS:
        return plain
    near = difflib.get_close_matches(plain, FORMATS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(FORMATS)}"
    raise UserError(f"unknown format {name!r}: {hint}")


def recognised(path: Path) -> str:
    """The format of a file or folder, by what it holds.

    Raises:
        UserError: it is missing, or none is recognised.
    """
    if not os.path.exists(path):  # which raises nothing, whatever the name
        raise UserError(f"{path}: no such file or folder")
    if path.is_dir():
        content: Any = path
        ending = ""
    else:
        ending = ".csv" if path.suffix.lower() == ".csv" else ".json"
        content = read_text(path).partition("\n")[0] if ending == ".csv" else read_json(path)
    for name, one in FORMATS.items():
        module = one.loaded()
        fits = one.ending == ending or name == "scene-graphs"
        if fits and hasattr(module, "recognised") and module.recognised(content):
            return name
    raise UserError(f"{path}: of no format that is known; name it by --from: {', '.join(readable())}")


def target_format(path: Path, name: str = "") -> str:
    """The format that a file or folder is to be written in: as named, a folder's or a table's otherwise.

    Raises:
        UserError: several are possible, or there is no such format.
    """
    if name:
        return known(name)
    ending = path.suffix.lower() if path.suffix.lower() in (".json", ".csv") else ""
    names = [one for one in writable() if FORMATS[one].ending == ending]
    if not ending or len(names) == 1:
        return names[0]
    raise UserError(f"{path}: several formats have this ending; name one by --to: {', '.join(writable())}")


def refuse_foreign(path: Path, to: str) -> None:
    """Say, of a file or folder that is no data set but of a format that is read, how it becomes one.

    Args:
        to: the format that is needed, one of `TRAINABLE`.

    Raises:
        UserError: it is.
    """
    try:
        name = recognised(path)
    except UserError:
        return
    if name != to:
        words = shlex.join(["dsg", "convert", str(path)])
        more = "" if to == TRAINABLE[0] else f" --to {to}"
        raise UserError(
            f"{path}: {FORMATS[name].title}; `{words} FOLDER{more}` makes a data set of it (docs/formats.md)"
        )
