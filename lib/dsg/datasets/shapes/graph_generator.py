"""`generate_graphs`: the data set `shapes150`, scene graphs in VG150's files and masks of other pictures.

Picture k of a kind depends on the seed, the kind, k, the size and the range of objects. The folder appears
under its name only when it is complete.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, Optional

import cv2
from tqdm import tqdm

from dsg.datasets.formats.vg150_writing import write_json
from dsg.datasets.shapes.folder import is_there, mapped, new_folder, worker_count
from dsg.datasets.shapes.graph_files import image_file, write_graphs, write_masks, write_words
from dsg.datasets.shapes.graphs import (
    GRAPH_OBJECTS,
    GRAPHS,
    KINDS,
    MASK_OBJECTS,
    MASKS,
    Graph,
    annotate,
    make_graph_view,
)
from dsg.datasets.shapes.instances import Solid, annotated
from dsg.datasets.shapes.render import draw
from dsg.datasets.shapes.settings import settings_of
from dsg.errors import UserError

SETTINGS_FILE = "shapes150.json"
VERSION = 2  # of the pictures and what is said of them: raised when the same settings give other ones
JPEG_QUALITY = 95
Task = tuple[str, int, dict[str, Any], str]  # kind, number of the picture, settings, folder
Result = tuple[str, list[Solid], Optional[Graph]]


def generate_graphs(
    folder: str | os.PathLike[str],
    *,
    train: int = 6000,
    test: int = 400,
    masks: int = 800,
    size: tuple[int, int] = (192, 128),
    seed: int = 0,
    workers: int | None = None,
    objects: tuple[int, int] = (4, 8),
    force: bool = False,
    progress: bool = True,
) -> Path:
    """Generates the data set, or finds that it is already there.

    Args:
        folder: the data set's own folder, such as data/shapes150.
        train, test: how many pictures with graphs; the first tenth of train is for validation.
        masks: how many auxiliary pictures with masks to learn from; a quarter as many more are for measuring.
        size: width and height in pixels.
        seed: another seed, other pictures.
        workers: processes; None: as many as there are processors.
        objects: smallest and largest number of solids in a picture.
        force: replace a data set that was generated with other settings.
        progress: show how far it is, and the time left.

    Returns:
        The folder, with the files of `dsg.datasets.shapes.graph_files` and the settings in shapes150.json.

    Raises:
        UserError: a setting is invalid; the folder holds something else; it cannot be written.
    """
    folder = Path(folder).resolve()  # a link stays a link, and what it points to is replaced
    common = settings_of(train, test, size, seed, objects, "clevr")
    if masks < 1:
        raise UserError(f"shapes: {masks} images with masks; at least one is needed")
    settings = {**common, "version": VERSION, "masks_train": masks, "masks_val": -(-masks // 4)}
    if not is_there(folder, SETTINGS_FILE, settings, force):
        with new_folder(folder) as partial:
            _write_dataset(partial, settings, worker_count(workers), progress)
    return folder


def _write_dataset(folder: Path, settings: dict[str, Any], workers: int, progress: bool) -> None:
    for kind in KINDS:
        (folder / image_file(kind, 0)).parent.mkdir(parents=True, exist_ok=True)
    tasks: list[Task] = [
        (kind, number, settings, str(folder)) for kind in KINDS for number in range(settings[kind])
    ]
    solids: dict[str, list[list[Solid]]] = {kind: [] for kind in KINDS}
    graphs: dict[str, list[Graph]] = {kind: [] for kind in GRAPHS}
    bar = tqdm(total=len(tasks), desc="generating shapes150", unit="image", disable=not progress)
    # The results are closed, and so the pool ended, before anyone removes the folder.
    with bar, contextlib.closing(mapped(_write_picture, tasks, workers)) as results:
        for kind, seen, graph in results:
            solids[kind].append(seen)
            if graph is not None:
                graphs[kind].append(graph)
            bar.update()
    write_graphs(folder, graphs, settings["size"])
    write_masks(folder, solids, settings["size"])
    write_words(folder, settings["seed"])
    write_json(folder / SETTINGS_FILE, settings)


def _write_picture(task: Task) -> Result:
    kind, number, settings, folder = task
    view, boxes, names = make_graph_view(kind, number, settings)
    _, encoded = cv2.imencode(".jpg", draw(view), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    (Path(folder) / image_file(kind, number)).write_bytes(encoded.tobytes())
    objects = MASK_OBJECTS if kind in MASKS else GRAPH_OBJECTS
    seen = annotated(view, [objects.index(name) + 1 for name in names])
    return kind, seen, None if kind in MASKS else annotate(kind, number, view, boxes, names, settings)
