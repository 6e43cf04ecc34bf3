"""The objects of an image as programs get them: names, scores, boxes and masks, without TensorFlow."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np

from dsg.boxes.paste import placed_masks
from dsg.datasets.formats.segmentations import encode
from dsg.visualize.detections import draw_detections

VERSION = 1
"""Of the JSON that `to_json` makes; it grows where a program that reads the old one would be misled."""


@dataclass(frozen=True, eq=False)
class DetectedObject:
    """One object."""

    name: str  # of its class
    score: float  # probability of the class
    box: tuple[float, float, float, float]  # x1 y1 x2 y2 in pixels of the image, no +1
    mask: np.ndarray | None  # bool [height, width]; None if the detector has no masks


@dataclass(frozen=True, eq=False)
class DetectedObjects(Sequence[DetectedObject]):
    """The D objects that a detector finds in an image, best first: a sequence of `DetectedObject`, and
    arrays.

    Boxes and masks are in pixels of the image, upright by its EXIF orientation.
    """

    width: int  # of the image
    height: int
    boxes: np.ndarray  # float32 [D, 4]: x1 y1 x2 y2, no +1
    names: tuple[str, ...]  # of the classes
    classes: np.ndarray  # int32 [D]: class k is `vocabulary.objects[k - 1]`
    scores: np.ndarray  # float32 [D], descending
    cells: np.ndarray | None  # float32 [D, 28, 28]: probability of the mask in each cell of the box

    @property
    def masks(self) -> np.ndarray | None:
        """The pixels of each object, bool [D, height, width]; None if the detector has no masks.

        For many objects in a large image they take much memory: iterating makes one mask at a time.
        """
        if self.cells is None:
            return None
        masks = np.zeros((len(self), self.height, self.width), bool)
        for mask, pixels in zip(masks, self._masks()):
            mask[:] = pixels
        return masks

    def chosen(self, threshold: float, limit: int) -> DetectedObjects:
        """The best `limit` objects whose score is at least `threshold`."""
        return self._rows(slice(min(int((self.scores >= threshold).sum()), limit)))

    def to_json(self, *, masks: bool = True) -> dict[str, Any]:
        """Plain data for `json.dump`; `masks` are COCO's run lengths, `{"size": [h, w], "counts": text}`."""
        objects: list[dict[str, Any]] = [
            {"class": name, "score": round(float(score), 4), "box": [round(float(side), 2) for side in box]}
            for name, score, box in zip(self.names, self.scores, self.boxes)
        ]
        if masks and self.cells is not None:
            for entry, pixels in zip(objects, self._masks()):
                entry["mask"] = encode(pixels)
        return {"version": VERSION, "width": self.width, "height": self.height, "objects": objects}

    def draw(self, image: np.ndarray, *, by_object: bool = False) -> np.ndarray:
        """The objects drawn on their image, uint8 [height, width, 3] in R, G, B order, in the colours of
        their classes or each in its own; see `dsg.visualize.detections.draw_detections`.
        """
        classes = None if by_object else self.classes
        return draw_detections(image, self.boxes, self.names, self.scores, self.cells, classes=classes)

    def __len__(self) -> int:
        return len(self.boxes)

    def __iter__(self) -> Iterator[DetectedObject]:
        masks = itertools.repeat(None) if self.cells is None else self._masks()
        for name, score, box, mask in zip(self.names, self.scores, self.boxes.tolist(), masks):
            yield DetectedObject(name, float(score), (box[0], box[1], box[2], box[3]), mask)

    @overload
    def __getitem__(self, index: int) -> DetectedObject: ...

    @overload
    def __getitem__(self, index: slice) -> DetectedObjects: ...

    def __getitem__(self, index: int | slice) -> DetectedObject | DetectedObjects:
        if isinstance(index, slice):
            return self._rows(index)
        place = range(len(self))[index]
        return next(iter(self._rows(slice(place, place + 1))))

    def _rows(self, rows: slice) -> DetectedObjects:
        parts = {name: getattr(self, name)[rows] for name in ("boxes", "names", "classes", "scores")}
        return replace(self, **parts, cells=None if self.cells is None else self.cells[rows])

    def _masks(self) -> Iterator[np.ndarray]:
        if self.cells is not None:
            for placed in placed_masks(self.cells, self.boxes, self.height, self.width):
                yield placed.pixels(self.height, self.width)
