"""One picture of `shapes`: its scene, what is seen of it, and its relationships.

Picture k of a split depends on the seed, the split, k, the size, the range of objects and the palette alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dsg.datasets.shapes.render import View, draw, look, visible_boxes
from dsg.datasets.shapes.scene import Scene, objects_of, recoloured, relations, sample_scene
from dsg.errors import UserError

CLEVR = "clevr"  # the palette of CLEVR's colours
IMAGE_FOLDERS = {"train": "CLEVR_v1.0/images/train", "test": "CLEVR_v1.0/images/val"}
LEAST_SHOWN = 0.4  # of each solid; a scene in which one is hidden more is drawn again
LEAST_SIDE = 0.03  # of the picture's height: the smallest side of a visible box
ATTEMPTS = 200


def make_picture(
    split: str, number: int, settings: dict[str, Any]
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """One picture, uint8 [H, W, 3] blue green red, and its relationships in the format of the release.

    Raises:
        UserError: scenes with that many objects do not fit into pictures of that size.
    """
    view, boxes = make_view(split, number, settings)
    return draw(view), relationships_of(view.scene, boxes, objects_of(settings.get("palette", CLEVR)))


def make_view(split: str, number: int, settings: dict[str, Any]) -> tuple[View, np.ndarray]:
    """What one picture shows, not drawn, and the box of each solid, int64 [n, 4].

    Raises:
        UserError: scenes with that many objects do not fit into pictures of that size.
    """
    rng = np.random.default_rng([settings["seed"], list(IMAGE_FOLDERS).index(split), number])
    palette = settings.get("palette", CLEVR)
    return sample_view(
        *(rng, tuple(settings["size"]), tuple(settings["objects"])),
        lambda scene: recoloured(scene, palette) if palette != CLEVR else scene,
    )


def sample_view(
    rng: np.random.Generator,
    size: tuple[int, int],
    objects: tuple[int, int],
    paint: Callable[[Scene], Scene],
) -> tuple[View, np.ndarray]:
    """A random scene in which enough is seen of every solid, and the box of each, int64 [n, 4].

    Args:
        rng: all randomness comes from here.
        size: width and height of the picture.
        objects: smallest and largest number of solids.
        paint: gives a scene its colours.

    Raises:
        UserError: scenes with that many objects do not fit into pictures of that size.
    """
    for _ in range(ATTEMPTS):
        scene = sample_scene(rng, size, objects)
        if len(scene.solids) >= objects[0]:
            view = look(paint(scene))
            boxes = visible_boxes(view)
            if _all_seen(view, boxes):
                return view, boxes
    raise UserError(
        f"{objects[0]} to {objects[1]} objects do not fit into images of {size[0]} x {size[1]}: ask for fewer"
    )


def picture_name(split: str, number: int) -> str:
    """The name of a picture's file."""
    return f"shapes_{split}_{number:06d}.png"


def _all_seen(view: View, boxes: np.ndarray) -> bool:
    sides = boxes[:, 2:] - boxes[:, :2]
    least = max(LEAST_SIDE * view.scene.camera.height, 2)
    return bool((view.shown >= LEAST_SHOWN).all() and (sides >= least).all())


def relationships_of(scene: Scene, boxes: np.ndarray, objects: Sequence[str]) -> list[dict[str, Any]]:
    """All relationships of a scene in the format of the release; `boxes` int64 [n, 4] of its solids."""
    entities = []
    for solid, (x1, y1, x2, y2) in zip(scene.solids, boxes.tolist()):
        entities.append({"category": objects.index(solid.name), "bbox": [y1, y2, x1, x2]})
    return [
        {"predicate": predicate, "subject": entities[subject], "object": entities[obj]}
        for subject, predicate, obj in relations(scene)
    ]
