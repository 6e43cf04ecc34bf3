"""`generate_shapes`: a data set of pictures of solids on a plane, in the layout of the CLEVR release, of any
size, with the files of detectors beside it (`instances`).

Picture k of a split depends on the seed, the split, k, the size and the range of objects: not on how many
pictures are generated or by how many processes. The folder appears under its name only when it is complete.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from dsg.datasets.shapes.completion import add_instances
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
from dsg.errors import UserError

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
    if _is_there(folder, settings, force):
        if not has_instances(folder):
            add_instances(folder)
        return folder
    partial = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        _write_dataset(partial, settings, _worker_count(workers), progress)
        partial.chmod(0o755)
        _exchange(partial, folder)
    except OSError as error:
        place = error.filename or folder
        raise UserError(
            f"{place}: cannot be written ({error.strerror or error}); nothing was changed"
        ) from None
    finally:
        if partial is not None and partial.exists():
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def _is_there(folder: Path, settings: dict[str, Any], force: bool) -> bool:
    """Whether the folder holds exactly this data set; refuses to touch what is not ours or not the same."""
    if not folder.is_dir():
        if folder.exists():
            raise UserError(f"{folder}: a file, not a folder; give another folder for the data set")
        return False
    if not any(folder.iterdir()):
        return False
    file = folder / SETTINGS_FILE
    try:
        present = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        present = None
    if not isinstance(present, dict):
        raise UserError(
            f"{folder}: not empty, and not generated shapes (no {SETTINGS_FILE}); name another folder"
        )
    if force:
        return False
    if present == settings:
        return True
    other = [
        f"{key} {present.get(key)} instead of {settings[key]}"
        for key in settings
        if present.get(key) != settings[key]
    ]
    raise UserError(
        f"{folder}: already exists with other settings ({', '.join(other) or 'unknown ones'}); "
        "replace it with --force, or name another folder"
    )


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
    with bar, contextlib.closing(_results(tasks, workers)) as results:
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


def _exchange(partial: Path, folder: Path) -> None:
    """Gives the finished folder its name; an earlier folder of that name is removed only after that."""
    old = partial.with_name(f"{partial.name}-old")
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _results(tasks: list[Task], workers: int) -> Generator[Result, None, None]:
    """What `_write_picture` gives for each task, in their order."""
    if workers == 1 or len(tasks) < 16:
        yield from map(_write_picture, tasks)
        return
    # Forking is quick, but not safe once TensorFlow has started its threads.
    quick = "fork" in multiprocessing.get_all_start_methods() and "tensorflow" not in sys.modules
    context = multiprocessing.get_context("fork" if quick else "spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_start_worker)
    try:
        # One by one: after an interruption only what was begun is waited for. To end the processes instead
        # makes the pool of Python 3.9 and 3.10 print a traceback.
        yield from pool.map(_write_picture, tasks)
    except BrokenProcessPool:
        raise UserError("shapes: a worker process ended (out of memory?); try fewer workers") from None
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted, and ends the pool
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # not what the parent does then
    cv2.setNumThreads(1)  # the processes share the processors already


def _write_picture(task: Task) -> Result:
    split, number, settings, folder = task
    view, boxes = make_view(split, number, settings)
    objects = objects_of(settings.get("palette", CLEVR))
    name = picture_name(split, number)
    _, encoded = cv2.imencode(".png", draw(view), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    (Path(folder) / IMAGE_FOLDERS[split] / name).write_bytes(encoded.tobytes())
    return split, name, relationships_of(view.scene, boxes, objects), solids_of(view, objects)


def _worker_count(workers: int | None) -> int:
    if workers is not None:
        return max(workers, 1)
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")
