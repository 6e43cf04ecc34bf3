"""What `dsg detect` does: finds the objects of images, draws them, writes and prints them.

TensorFlow, which takes seconds to load, is loaded when the first image has been read.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dsg.apps.ask.answered import output_folder
from dsg.apps.ask.scenes import Scene, image_files, own_scenes
from dsg.errors import UserError
from dsg.models.detector.objects import DetectedObjects
from dsg.models.kinds import check_snapshot_detects
from dsg.runtime.devices import parse_gpus, select_devices
from dsg.runtime.files import write_text
from dsg.runtime.logs import console_messages
from dsg.runtime.progress import Progress
from dsg.visualize.canvas import save_png

LOG = logging.getLogger("dsg")


def detect(
    snapshot: Path,
    pictures: Sequence[Path],
    *,
    folder: Path | None,
    threshold: float = 0.5,
    limit: int = 100,
    by_object: bool = False,
    as_json: bool = False,
    backbone: str = "",
    devices: str = "",
) -> None:
    """Find the objects of every picture.

    Args:
        snapshot: of a trained detector, or another program's file, see
            `dsg.models.detector.trained.load_detector`.
        pictures: files, or folders of them. One that cannot be read is reported, and left out.
        folder: for `<name>_detections.png` and `.json`; None writes nothing.
        threshold: lowest score of an object.
        limit: at most so many objects an image, the best.
        by_object: draw each object in a colour of its own.
        as_json: print JSON and nothing else; messages go to standard error.
        backbone: of a TensorFlow 1 checkpoint.
        devices: `cpu` or a GPU's number; empty: what TensorFlow takes.

    Raises:
        UserError: something cannot be read or written. If some of several images cannot be read it comes
            after the others' objects.
    """
    parse_gpus(devices or "cpu")
    check_snapshot_detects(snapshot, backbone)
    unreadable: list[str] = []
    results: list[dict[str, Any]] = []
    messages = console_messages("stderr") if as_json else contextlib.nullcontext()
    with output_folder(folder, "another"), messages:
        files = image_files(pictures)
        scenes = own_scenes(files, (), unreadable)
        first = next(scenes, None)
        if first is None:
            raise UserError(
                unreadable[0] if len(unreadable) == 1 else f"none of the {len(unreadable)} images can be read"
            )
        if devices:
            select_devices(devices)
        count = 0
        with Progress("detect", len(files)) if len(files) > 1 else contextlib.nullcontext() as progress:
            for scene, objects in _detected(
                snapshot, backbone, itertools.chain([first], scenes), threshold, limit
            ):
                count += 1
                entry = {"image": scene.name, "file": scene.file, **objects.to_json()}
                if folder is not None:
                    _write(folder, scene, objects, entry, by_object)
                if as_json:
                    results.append(entry)
                else:
                    _show(scene, objects, in_full=len(files) == 1)
                if progress is not None:
                    progress.advance()
    if as_json:
        print(json.dumps(results, indent=1))
    elif folder is not None:
        LOG.info("pictures and JSON: %s", folder)
    if unreadable:
        count += len(unreadable)
        raise UserError(f"{len(unreadable)} of {count} images cannot be read, for example {unreadable[0]}")


def _detected(
    snapshot: Path, backbone: str, scenes: Iterable[Scene], threshold: float, limit: int
) -> Iterator[tuple[Scene, DetectedObjects]]:
    """Scenes with their objects, no more of them in memory than are looked at together."""
    from dsg.models.detector.trained import load_detector

    trained = load_detector(snapshot, backbone)
    left = iter(scenes)
    while together := list(itertools.islice(left, trained.config.test.ims_per_batch)):
        for scene, objects in zip(together, trained.detect([scene.image for scene in together])):
            yield scene, objects.chosen(threshold, limit)


def _write(
    folder: Path, scene: Scene, objects: DetectedObjects, entry: dict[str, Any], by_object: bool
) -> None:
    picture = objects.draw(scene.image[:, :, ::-1], by_object=by_object)
    save_png(picture, folder / f"{scene.name}_detections.png")
    write_text(folder / f"{scene.name}_detections.json", json.dumps(entry, indent=1))


def _show(scene: Scene, objects: DetectedObjects, *, in_full: bool) -> None:
    """A line for each object of a single image; of several images a line each."""
    counts = collections.Counter(objects.names)
    summary = ", ".join(f"{count} {name}" for name, count in counts.most_common()) or "nothing"
    if not in_full:
        LOG.info("%s: %s", scene.name, summary)
        return
    if not objects.names:
        LOG.info("%s: nothing that is certain enough; --threshold shows less certain objects", scene.name)
    width = max(map(len, objects.names), default=0)
    for name, score, box in zip(objects.names, objects.scores, objects.boxes):
        LOG.info("%s  %.2f  [%s]", name.ljust(width), score, " ".join(f"{side:.0f}" for side in box))
