"""Which of many predicates hold between the solids of a scene, and how much people like to say each.

    near                  the ground between them is narrow
    left of ... in front of   as in `shapes`: on the plane, seen from the camera
    beside                near, and about as far from the camera
    far from              most of the plane lies between
    touching              as near as solids get
    larger than ...       by their radius
    hiding, hidden by     one covers a part of the other in the picture
    in shadow of          between the strongest lamp and it
    mirrored in           close to a metal one
    aligned with          two cubes turned alike
    matching              the same category

A few are true of most pairs and are what people say of them, the rest are rare: as in Visual Genome.
"""

from __future__ import annotations

import math

import numpy as np

from dsg.datasets.shapes.render import View
from dsg.datasets.shapes.scene import Scene

LIKING = {
    "aligned with": 9.0,
    "behind": 14.0,
    "beside": 8.0,
    "far from": 6.0,
    "hidden by": 4.0,
    "hiding": 8.0,
    "in front of": 9.0,
    "in shadow of": 6.0,
    "larger than": 4.0,
    "left of": 12.0,
    "matching": 4.0,
    "mirrored in": 3.0,
    "near": 40.0,
    "right of": 5.0,
    "smaller than": 3.0,
    "touching": 4.0,
}
"""How much people like to say each predicate where it holds, in proportion."""
PREDICATES = tuple(sorted(LIKING))

NEAR = 1.6  # metres of ground between two solids
BESIDE = 0.7  # difference of their distances from the camera
FAR = 3.6
TOUCHING = 0.4
MIRRORED = 0.8
ALIGNED = math.radians(8)


def holding(view: View, labels: np.ndarray) -> np.ndarray:
    """Which predicates hold: bool [n, n, P] by subject, object and number in `PREDICATES`.

    Args:
        view: of the scene of n solids.
        labels: int [n], their categories.
    """
    scene, count = view.scene, len(view.scene.solids)
    radius = np.array([solid.radius for solid in scene.solids])
    metal = np.array([solid.material == "metal" for solid in scene.solids])
    places = np.array([[solid.x, solid.y] for solid in scene.solids])
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1) - radius[:, None] - radius[None]
    right, depth = _seen_from_camera(scene, places)
    hiding = _hiding(view)
    truths = {
        "aligned with": _aligned(scene),
        "behind": depth > 0,
        "beside": (apart < NEAR) & (abs(depth) < BESIDE),
        "far from": apart > FAR,
        "hidden by": hiding.T,
        "hiding": hiding,
        "in front of": depth < 0,
        "in shadow of": _shadowed(scene, places, radius),
        "larger than": radius[:, None] > 1.2 * radius[None],
        "left of": right < 0,
        "matching": labels[:, None] == labels[None],
        "mirrored in": (apart < MIRRORED) & metal[None],
        "near": apart < NEAR,
        "right of": right > 0,
        "smaller than": 1.2 * radius[:, None] < radius[None],
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
    """Which solid (row) covers points that the other would be seen at: bool [n, n]."""
    count = len(view.windows)
    result = np.zeros((count, count), bool)
    for hidden, whole in enumerate(view.whole):
        owners = view.owner[view.windows[hidden]][whole]
        shares = np.bincount(owners[owners >= 0], minlength=count) / max(int(whole.sum()), 1)
        result[:, hidden] = shares > 0.05
    return result & ~np.eye(count, dtype=bool)


def _shadowed(scene: Scene, places: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Which solid (row) stands where the strongest lamp is behind the other (column), and near it."""
    to_lamp = scene.lamps[0, :2] - places  # [n, 2]
    to_lamp = to_lamp / np.linalg.norm(to_lamp, axis=1, keepdims=True)
    offset = places[None] - places[:, None]  # [n, n, 2]: from the row's to the column's
    along = (offset * to_lamp[:, None]).sum(-1)
    across = np.abs(offset[..., 0] * to_lamp[:, None, 1] - offset[..., 1] * to_lamp[:, None, 0])
    return (along > 0) & (along < radius[:, None] + 2.5 * radius[None]) & (across < 0.7 * radius[None])


def _aligned(scene: Scene) -> np.ndarray:
    cubes = np.array([solid.shape == "cube" for solid in scene.solids])
    angles = np.array([solid.angle for solid in scene.solids])
    turn = np.abs(angles[:, None] - angles[None]) % (math.pi / 2)  # a cube looks the same after a quarter
    return cubes[:, None] & cubes[None] & (np.minimum(turn, math.pi / 2 - turn) < ALIGNED)
