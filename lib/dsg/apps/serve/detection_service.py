"""Detecting on the page: an image is looked at once, and shown again at other thresholds."""

from __future__ import annotations

import collections
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dsg.api import Model
from dsg.apps.serve.detection_figure import detection_figure, object_list
from dsg.apps.serve.figure import timings_table
from dsg.apps.serve.upload import Limits, read_upload
from dsg.errors import UserError
from dsg.models.detector.objects import DetectedObjects

LOWEST = 0.05  # score of the objects that are kept for other thresholds
REMEMBERED = 32  # images
THRESHOLD = 0.5  # at first


@dataclass(frozen=True)
class ShownDetections:
    """What the page shows of an image, as HTML and as plain data."""

    figure: str
    listed: str
    timings: str
    data: dict[str, Any]


class Looked(NamedTuple):
    """An image's objects, and the seconds that the network took."""

    objects: DetectedObjects
    seconds: float


class DetectionService:
    """A detector, and the limits of the images that it is given."""

    def __init__(self, model: Model, limits: Limits) -> None:
        self.model, self.limits = model, limits
        self._turn = threading.Lock()  # one image at a time: each takes all processors
        self._looked: collections.OrderedDict[tuple[str, int, int], Looked] = collections.OrderedDict()

    def warm_up(self) -> None:
        """Look at an empty image, which makes the next one quicker."""
        self.model.detect(np.zeros((64, 64, 3), np.uint8))

    def detect(self, path: str | Path | None, threshold: float) -> ShownDetections:
        """The objects of an uploaded file whose score is at least `threshold`.

        Raises:
            UserError: the file is no image or too large, or the threshold is none; a message for people.
        """
        if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not 0 <= threshold <= 1:
            raise UserError("The lowest score is a number from 0 to 1.")
        started = time.perf_counter()
        image = read_upload(path, self.limits)
        read = time.perf_counter()
        objects, seconds = self._look(Path(str(path)), image)
        begun = time.perf_counter()
        objects = objects.chosen(threshold, len(objects))
        figure, listed = detection_figure(image, objects), object_list(objects)
        timings = {"reading": read - started, "network": seconds, "drawing": time.perf_counter() - begun}
        # Without waiting: the page's queue admits one request at a time, and its time is not known here.
        timings["together"] = sum(timings.values())
        data = {
            **objects.to_json(masks=False),
            "seconds": {name: round(value, 4) for name, value in timings.items()},
        }
        return ShownDetections(figure, listed, timings_table(timings), data)

    def _look(self, path: Path, image: np.ndarray) -> Looked:
        """What the network says of an image; of the last ones it is remembered."""
        status = path.stat()
        key = (str(path), status.st_size, status.st_mtime_ns)
        with self._turn:
            looked = self._looked.pop(key, None)
            if looked is None:
                begun = time.perf_counter()
                objects = self.model.detect(image[:, :, ::-1], threshold=LOWEST)
                looked = Looked(objects, time.perf_counter() - begun)
            self._looked[key] = looked  # the newest is the last
            if len(self._looked) > REMEMBERED:
                self._looked.popitem(last=False)
        return looked
