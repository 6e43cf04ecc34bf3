"""`generate_shapes`: a data set of pictures of solids on a plane, in the layout of the CLEVR release, of any
size.

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
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from dsg.datasets.shapes.render import View, draw, look, visible_boxes
from dsg.datasets.shapes.scene import PREDICATES, Scene, objects_of, recoloured, relations, sample_scene
from dsg.errors import UserError

CLEVR = "clevr"  # the palette of CLEVR's colours
VERSION = 1  # of the pictures: raised when the same settings give other ones
SETTINGS_FILE = "shapes.json"
IMAGE_FOLDERS = {"train": "CLEVR_v1.0/images/train", "test": "CLEVR_v1.0/images/val"}
LEAST_SHOWN = 0.4  # of each solid; a scene in which one is hidden more is drawn again
LEAST_SIDE = 0.03  # of the picture's height: the smallest side of a visible box
ATTEMPTS = 200

Task = tuple[str, int, dict[str, Any], str]  # split, number of the picture, settings, folder
Result = tuple[str, str, list[dict[str, Any]]]  # split, name of the picture, relationships


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
    settings = _settings(train, test, size, seed, objects, palette)
    if _is_there(folder, settings, force):
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


def make_picture(
    split: str, number: int, settings: dict[str, Any]
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """One picture, uint8 [H, W, 3] blue green red, and its relationships in the format of the release.

    Raises:
        UserError: scenes with that many objects do not fit into pictures of that size.
    """
    rng = np.random.default_rng([settings["seed"], list(IMAGE_FOLDERS).index(split), number])
    fewest, most = settings["objects"]
    palette = settings.get("palette", CLEVR)
    for _ in range(ATTEMPTS):
        scene = sample_scene(rng, tuple(settings["size"]), (fewest, most))
        if len(scene.solids) >= fewest:
            view = look(recoloured(scene, palette) if palette != CLEVR else scene)
            boxes = visible_boxes(view)
            if _all_seen(view, boxes):
                return draw(view), _annotation(view.scene, boxes, objects_of(palette))
    width, height = settings["size"]
    raise UserError(f"{fewest} to {most} objects do not fit into images of {width} x {height}: ask for fewer")


def _all_seen(view: View, boxes: np.ndarray) -> bool:
    sides = boxes[:, 2:] - boxes[:, :2]
    least = max(LEAST_SIDE * view.scene.camera.height, 2)
    return bool((view.shown >= LEAST_SHOWN).all() and (sides >= least).all())


def _annotation(scene: Scene, boxes: np.ndarray, objects: Sequence[str]) -> list[dict[str, Any]]:
    entities = []
    for solid, (x1, y1, x2, y2) in zip(scene.solids, boxes.tolist()):
        entities.append({"category": objects.index(solid.name), "bbox": [y1, y2, x1, x2]})
    return [
        {"predicate": predicate, "subject": entities[subject], "object": entities[obj]}
        for subject, predicate, obj in relations(scene)
    ]


def _settings(
    train: int, test: int, size: tuple[int, int], seed: int, objects: tuple[int, int], palette: str
) -> dict[str, Any]:
    if train < 1 or test < 1:
        raise UserError(f"shapes: {train} train and {test} test images; each split needs at least one")
    if min(size) < 48 or max(size) > 4096:
        raise UserError(f"shapes: images of {size[0]} x {size[1]}; sides must be from 48 to 4096 pixels")
    if not 2 <= objects[0] <= objects[1] <= 10:
        raise UserError(
            f"shapes: {objects[0]} to {objects[1]} objects; give 2 to 10, the smaller number first"
        )
    if seed < 0:
        raise UserError(f"shapes: seed {seed}; it must not be negative")
    return {
        "version": VERSION,
        "train": train,
        "test": test,
        "size": list(size),
        "seed": seed,
        "objects": list(objects),
        **({"palette": palette} if palette != CLEVR else {}),  # older data sets do not say theirs
    }


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
    bar = tqdm(total=len(tasks), desc="generating shapes", unit="image", disable=not progress)
    # The results are closed, and so the pool ended, before anyone removes the folder.
    with bar, contextlib.closing(_results(tasks, workers)) as results:
        for split, name, relationships in results:
            annotations[split][name] = relationships
            bar.update()
    width, height = settings["size"]
    for split, content in annotations.items():
        _write_json(folder / f"annotations_{split}.json", content)
        sizes = {name: {"width": width, "height": height} for name in content}
        _write_json(folder / f"{split}_image_metadata.json", sizes)
    _write_json(folder / "objects.json", objects_of(settings.get("palette", CLEVR)))
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
    picture, relationships = make_picture(split, number, settings)
    name = f"shapes_{split}_{number:06d}.png"
    _, encoded = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    (Path(folder) / IMAGE_FOLDERS[split] / name).write_bytes(encoded.tobytes())
    return split, name, relationships


def _worker_count(workers: int | None) -> int:
    if workers is not None:
        return max(workers, 1)
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")
