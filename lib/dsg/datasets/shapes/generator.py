"""`generate_shapes`: a data set of pictures of solids on a plane, in the layout of the CLEVR release, of any
size, with the files of detectors beside it (`instances`).

Picture k of a split depends on the seed, the split, k, the size and the range of objects: not on how many
pictures are generated or by how many processes. The folder appears under its name only when it is complete.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from dsg.datasets.shapes.completion import add_instances
from dsg.datasets.shapes.folder import is_there, mapped, new_folder, worker_count
from dsg.datasets.shapes.instances import Solid, has_instances, solids_of, write_instances
from dsg.datasets.shapes.pictures import (
    CLEVR,
    IMAGE_FOLDERS,
    make_view,
    picture_name,
    relationships_of,
)
from dsg.datasets.shapes.render import draw
from dsg.datasets.shapes.scene import PREDICATES, objects_of
from dsg.datasets.shapes.settings import SETTINGS_FILE, settings_of

Task = tuple[str, int, dict[str, Any], str]  # split, number of the picture, settings, folder
Result = tuple[str, str, list[dict[str, Any]], list[Solid]]  # split, name, relationships, solids


def generate_shapes(
    folder: str | os.PathLike[str],
    *,
    train: int = 3000,
    test: int = 400,
    size: tuple[int, int] = (192, 128),
    seed: int = 0,
    workers: int | None = None,
    objects: tuple[int, int] = (3, 7),
    force: bool = False,
    progress: bool = True,
    palette: str = CLEVR,
) -> Path:
    """Generates the data set, or finds that it is already there.

    Args:
        folder: the data set's own folder, such as data/shapes.
        train, test: how many pictures.
        size: width and height in pixels.
        seed: another seed, other pictures.
        workers: processes; None: as many as there are processors.
        objects: smallest and largest number of solids in a picture.
        force: replace a data set that was generated with other settings.
        progress: show how far it is, and the time left.
        palette: of the solids' colours, one of `dsg.datasets.shapes.scene.PALETTES`.

    Returns:
        The folder, with annotations, metadata, vocabularies, images (PNG) and the settings in shapes.json.

    Raises:
        UserError: a setting is invalid; the folder holds something else; it cannot be written.
    """
    folder = Path(folder).resolve()  # a link stays a link, and what it points to is replaced
    settings = settings_of(train, test, size, seed, objects, palette)
    if is_there(folder, SETTINGS_FILE, settings, force):
        if not has_instances(folder):
            add_instances(folder)
        return folder
    with new_folder(folder) as partial:
        _write_dataset(partial, settings, worker_count(workers), progress)
    return folder


def _write_dataset(folder: Path, settings: dict[str, Any], workers: int, progress: bool) -> None:
    for images in IMAGE_FOLDERS.values():
        (folder / images).mkdir(parents=True)
    tasks: list[Task] = [
        (split, number, settings, str(folder)) for split in IMAGE_FOLDERS for number in range(settings[split])
    ]
    annotations: dict[str, dict[str, Any]] = {split: {} for split in IMAGE_FOLDERS}
    solids: dict[str, dict[str, list[Solid]]] = {split: {} for split in IMAGE_FOLDERS}
    bar = tqdm(total=len(tasks), desc="generating shapes", unit="image", disable=not progress)
    # The results are closed, and so the pool ended, before anyone removes the folder.
    with bar, contextlib.closing(mapped(_write_picture, tasks, workers)) as results:
        for split, name, relationships, seen in results:
            annotations[split][name] = relationships
            solids[split][name] = seen
            bar.update()
    width, height = settings["size"]
    for split, content in annotations.items():
        _write_json(folder / f"annotations_{split}.json", content)
        sizes = {name: {"width": width, "height": height} for name in content}
        _write_json(folder / f"{split}_image_metadata.json", sizes)
    objects = objects_of(settings.get("palette", CLEVR))
    write_instances(folder, solids, settings["size"], objects, IMAGE_FOLDERS)
    _write_json(folder / "objects.json", objects)
    _write_json(folder / "predicates.json", PREDICATES)
    _write_json(folder / SETTINGS_FILE, settings)


def _write_picture(task: Task) -> Result:
    split, number, settings, folder = task
    view, boxes = make_view(split, number, settings)
    objects = objects_of(settings.get("palette", CLEVR))
    name = picture_name(split, number)
    _, encoded = cv2.imencode(".png", draw(view), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    (Path(folder) / IMAGE_FOLDERS[split] / name).write_bytes(encoded.tobytes())
    return split, name, relationships_of(view.scene, boxes, objects), solids_of(view, objects)


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")
