"""Which of many predicates hold between the solids of a scene, and how much people like to say each.

    near                  the ground between them is narrow
    behind, in front of   as in `shapes`, on the plane, seen from the camera: where that is what differs most
    left of, right of     the same across
    beside                near, and as far from the camera
    far from              most of the plane lies between
    touching              as near as solids get
    larger than ...       of the same shape and almost touching
    hiding, hidden by     one covers a good part of the other in the picture
    in shadow of          between the strongest lamp and it
    mirrored in           close to a metal one
    aligned with          two cubes turned alike, near
    matching              the same category, near

Places are true of most pairs and are what is said of them; the rest is true of few pairs, and is what is
said where it is. So a few predicates are frequent and many rare, as in Visual Genome, and the rare ones can
be known.
"""

from __future__ import annotations

import math

import numpy as np

from dsg.datasets.shapes.render import View
from dsg.datasets.shapes.scene import Scene

LIKING = {
    "aligned with": 200.0,
    "behind": 16.0,
    "beside": 60.0,
    "far from": 30.0,
    "hidden by": 80.0,
    "hiding": 100.0,
    "in front of": 12.0,
    "in shadow of": 150.0,
    "larger than": 120.0,
    "left of": 12.0,
    "matching": 120.0,
    "mirrored in": 110.0,
    "near": 40.0,
    "right of": 8.0,
    "smaller than": 120.0,
    "touching": 100.0,
}
"""How much people like to say each predicate where it holds, in proportion: the more, the more it says."""
PREDICATES = tuple(sorted(LIKING))

NEAR = 1.6  # metres of ground between two solids
BESIDE = 0.4  # difference of their distances from the camera
FAR = 4.5
TOUCHING = 0.26
MIRRORED = 0.3
COMPARED = 0.6
LARGER = 1.2  # times the radius
HIDDEN = 0.25  # share of what would be seen
ALIGNED = math.radians(5)


def holding(view: View, labels: np.ndarray) -> np.ndarray:
    """Which predicates hold: bool [n, n, P] by subject, object and number in `PREDICATES`.

    Args:
        view: of the scene of n solids.
        labels: int [n], their categories.
    """
    scene, count = view.scene, len(view.scene.solids)
    radius = np.array([solid.radius for solid in scene.solids])
    metal = np.array([solid.material == "metal" for solid in scene.solids])
    shape = np.array([solid.shape for solid in scene.solids])
    places = np.array([[solid.x, solid.y] for solid in scene.solids])
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1) - radius[:, None] - radius[None]
    right, depth = _seen_from_camera(scene, places)
    near, hiding = apart < NEAR, _hiding(view)
    compared = (shape[:, None] == shape[None]) & (apart < COMPARED)
    larger = compared & (radius[:, None] > LARGER * radius[None])
    truths = {
        "aligned with": _aligned(scene) & near,
        "behind": depth > abs(right),
        "beside": near & (abs(depth) < BESIDE),
        "far from": apart > FAR,
        "hidden by": hiding.T,
        "hiding": hiding,
        "in front of": -depth > abs(right),
        "in shadow of": _shadowed(scene, places, radius),
        "larger than": larger,
        "left of": -right > abs(depth),
        "matching": (labels[:, None] == labels[None]) & near,
        "mirrored in": (apart < MIRRORED) & metal[None],
        "near": near,
        "right of": right > abs(depth),
        "smaller than": larger.T,
        "touching": apart < TOUCHING,
    }
    stacked = np.stack([np.broadcast_to(truths[name], (count, count)) for name in PREDICATES], -1)
    return stacked & ~np.eye(count, dtype=bool)[..., None]


def _seen_from_camera(scene: Scene, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far each solid (row) is right of each other, and behind it: float64 [n, n] twice."""
    axes = np.stack([scene.camera.right[:2], scene.camera.forward[:2]])
    right, depth = axes / np.linalg.norm(axes, axis=1, keepdims=True) @ places.T
    return right[:, None] - right[None], depth[:, None] - depth[None]


def _hiding(view: View) -> np.ndarray:
    """Which solid (row) covers a good part of the points that the other would be seen at: bool [n, n]."""
    count = len(view.windows)
    result = np.zeros((count, count), bool)
    for hidden, whole in enumerate(view.whole):
        owners = view.owner[view.windows[hidden]][whole]
        shares = np.bincount(owners[owners >= 0], minlength=count) / max(int(whole.sum()), 1)
        result[:, hidden] = shares > HIDDEN
    return result & ~np.eye(count, dtype=bool)


def _shadowed(scene: Scene, places: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Which solid (row) stands where the strongest lamp is behind the other (column), and near it."""
    to_lamp = scene.lamps[0, :2] - places  # [n, 2]
    to_lamp = to_lamp / np.linalg.norm(to_lamp, axis=1, keepdims=True)
    offset = places[None] - places[:, None]  # [n, n, 2]: from the row's to the column's
    along = (offset * to_lamp[:, None]).sum(-1)
    across = np.abs(offset[..., 0] * to_lamp[:, None, 1] - offset[..., 1] * to_lamp[:, None, 0])
    return (along > 0) & (along < radius[:, None] + 2.5 * radius[None]) & (across < 0.5 * radius[None])


def _aligned(scene: Scene) -> np.ndarray:
    cubes = np.array([solid.shape == "cube" for solid in scene.solids])
    angles = np.array([solid.angle for solid in scene.solids])
    turn = np.abs(angles[:, None] - angles[None]) % (math.pi / 2)  # a cube looks the same after a quarter
    return cubes[:, None] & cubes[None] & (np.minimum(turn, math.pi / 2 - turn) < ALIGNED)
