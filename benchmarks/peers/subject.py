"""What both sides see: pictures, objects for a training step, and where they lie. NumPy alone."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.peers.settings import PeerSettings

PICTURES, WEIGHTS = "pictures.npz", "weights.pth"


class Subject(NamedTuple):
    """A picture, a smaller one, and the objects in the first."""

    picture: np.ndarray  # uint8 [H, W, 3], R, G, B
    compared: np.ndarray  # uint8 [h, w, 3]
    boxes: np.ndarray  # float32 [G, 4]
    classes: np.ndarray  # int64 [G], from 1


def make_subject(settings: PeerSettings) -> Subject:
    """Pictures of noise and rectangles, always the same."""
    rng = np.random.default_rng(0)
    size = np.array([settings.width, settings.height])
    sides = rng.uniform(0.1, 0.5, (settings.objects, 2)) * size
    corners = rng.uniform(0, 1, (settings.objects, 2)) * (size - sides)
    boxes = np.round(np.concatenate([corners, corners + sides], 1)).astype(np.float32)
    return Subject(
        _picture(rng, settings.height, settings.width),
        _picture(rng, *settings.compared),
        boxes,
        np.arange(1, settings.objects + 1),
    )


def masks_of(subject: Subject) -> np.ndarray:
    """The mask of each object, which fills its box: uint8 [G, H, W]."""
    masks = np.zeros((len(subject.boxes), *subject.picture.shape[:2]), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, subject.boxes.astype(int)):
        mask[y1:y2, x1:x2] = 1
    return masks


def write_subject(subject: Subject, folder: Path) -> None:
    """For `read_subject`."""
    np.savez(folder / PICTURES, **subject._asdict())


def read_subject(folder: Path) -> Subject:
    """What `write_subject` wrote."""
    with np.load(folder / PICTURES) as file:
        return Subject(**{name: file[name] for name in Subject._fields})


def _picture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    picture = np.full((height, width, 3), 118.0)
    for cell in (48, 12, 1):  # detail at several scales
        noise = rng.standard_normal((height // cell + 1, width // cell + 1, 3)) * 15.0
        picture += np.repeat(np.repeat(noise, cell, 0), cell, 1)[:height, :width]
    for _ in range(24):
        y, x = rng.integers(0, height - 8), rng.integers(0, width - 8)
        tall, wide = rng.integers(8, max(9, height // 2)), rng.integers(8, max(9, width // 2))
        picture[y : y + tall, x : x + wide] += rng.uniform(-90, 90, 3)
    return np.clip(picture, 0, 255).astype(np.uint8)
