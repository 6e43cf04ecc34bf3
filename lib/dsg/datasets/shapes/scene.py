"""Scenes for `shapes`: which solids lie where on a plane, how the camera looks at them, which relations hold.

World coordinates are metres, z up, the plane at z = 0. The camera stands at negative y and looks along y, a
little down; both jitter from scene to scene. Left, right, front and behind are decided on the plane, seen
from the camera, as CLEVR does: not in the picture, where a far object is also a high one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

COLOURS = {
    "blue": (42, 75, 215),
    "brown": (129, 74, 25),
    "cyan": (41, 208, 208),
    "gray": (104, 104, 104),
    "green": (29, 115, 20),
    "purple": (129, 38, 192),
    "red": (173, 35, 35),
    "yellow": (255, 238, 51),
}
OTHER_COLOURS = {
    "black": (22, 22, 22),
    "blue": (42, 75, 215),
    "gray": (104, 104, 104),
    "magenta": (226, 44, 150),
    "olive": (112, 122, 20),
    "orange": (242, 130, 18),
    "red": (173, 35, 35),
    "white": (236, 236, 236),
}
"""Another set of colours, which shares three words with `COLOURS`."""
PALETTES = {"clevr": COLOURS, "other": OTHER_COLOURS}
MATERIALS = ("metal", "rubber")
SHAPES = ("cube", "cylinder", "sphere")


def objects_of(palette: str) -> tuple[str, ...]:
    """The categories of solids in the colours of a palette."""
    colours = PALETTES[palette]
    return tuple(f"{colour}_{m}_{shape}" for colour in colours for m in MATERIALS for shape in SHAPES)


OBJECTS = objects_of("clevr")
PREDICATES = ("behind", "front", "left", "right")

LARGE, SMALL = 0.78, 0.46  # radius of a sphere and of a cylinder; a cube has this half diagonal
FIELD = (3.7, 2.9)  # solids are placed with |x| and |y| below these
GAP = 0.2  # between two solids, at least
MARGIN = 0.35  # two solids differ by more than this along both directions, so that every relation can be seen


@dataclass(frozen=True)
class Solid:
    """A sphere, cube or cylinder that stands on the plane."""

    colour: str
    material: str
    shape: str
    radius: float
    x: float
    y: float
    angle: float  # about the vertical, radians

    @property
    def name(self) -> str:
        """`<colour>_<material>_<shape>`."""
        return f"{self.colour}_{self.material}_{self.shape}"

    @property
    def category(self) -> int:
        """Index of its name in `OBJECTS`."""
        return OBJECTS.index(self.name)

    @property
    def half_extent(self) -> tuple[float, float]:
        """Half of its extent along its own x and y, and along z."""
        if self.shape == "cube":
            return self.radius / math.sqrt(2), self.radius / math.sqrt(2)
        return self.radius, self.radius

    @property
    def centre(self) -> tuple[float, float, float]:
        """Where its middle is."""
        return self.x, self.y, self.half_extent[1]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera; pixel (column u, row v) of its picture looks along forward + a right - b up."""

    position: np.ndarray  # float64 [3]
    right: np.ndarray  # unit vectors, [3] each
    up: np.ndarray
    forward: np.ndarray
    focal: float  # pixels
    width: int
    height: int


@dataclass(frozen=True)
class Scene:
    """Everything that a picture shows."""

    solids: tuple[Solid, ...]
    camera: Camera
    lamps: np.ndarray  # float64 [3, 3]: positions of key, fill and back lamp
    brightness: float  # of the plane, around 1


def sample_scene(rng: np.random.Generator, size: tuple[int, int], objects: tuple[int, int]) -> Scene:
    """A random scene.

    Args:
        rng: all randomness comes from here.
        size: width and height of the picture in pixels.
        objects: smallest and largest number of solids.

    Returns:
        A scene of at least two solids less than asked for only if they do not fit. Most categories occur more
        than once.
    """
    camera = _sample_camera(rng, *size)
    number = int(rng.integers(objects[0], objects[1] + 1))
    palette = _sample_palette(rng, number)
    solids: list[Solid] = []
    for position in range(number):
        solid = _place(rng, palette[position], solids, camera)
        if solid is not None:
            solids.append(solid)
    lamps = np.array([[4.2, -4.6, 7.4], [-6.0, -3.4, 4.6], [-2.4, 5.6, 6.2]]) + rng.uniform(-0.8, 0.8, (3, 3))
    return Scene(tuple(solids), camera, lamps, float(rng.uniform(0.92, 1.08)))


def relations(scene: Scene) -> list[tuple[int, int, int]]:
    """All relations (subject index, predicate, object index) of a scene: the subject is behind, in front,
    left, right of the object.

    Ordered by predicate, then object, then subject.
    """
    ground = np.array([[solid.x, solid.y] for solid in scene.solids])
    ahead, right = scene.camera.forward[:2], scene.camera.right[:2]
    depth, side = ground @ (ahead / np.linalg.norm(ahead)), ground @ (right / np.linalg.norm(right))
    along = {"behind": depth, "front": -depth, "left": -side, "right": side}
    found = []
    for predicate, name in enumerate(PREDICATES):
        place = along[name]
        obj, subject = np.nonzero(place[None, :] - place[:, None] > 0)
        found += [(int(s), predicate, int(o)) for s, o in zip(subject, obj)]
    return found


def project(camera: Camera, points: np.ndarray) -> np.ndarray:
    """Picture coordinates (column, row) [n, 2] of points [n, 3]; the middle of the first pixel is at 0.5."""
    local = points - camera.position
    depth = local @ camera.forward
    column = camera.width / 2 + camera.focal * (local @ camera.right) / depth
    row = camera.height / 2 - camera.focal * (local @ camera.up) / depth
    return np.stack([column, row], axis=1)


def corners(solid: Solid) -> np.ndarray:
    """The 8 corners [8, 3] of the upright box around a solid."""
    flat, high = solid.half_extent
    cosine, sine = math.cos(solid.angle), math.sin(solid.angle)
    signs = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)], float)
    local = signs * [flat, flat, high]
    turned = np.stack(
        [local[:, 0] * cosine - local[:, 1] * sine, local[:, 0] * sine + local[:, 1] * cosine, local[:, 2]],
        axis=1,
    )
    return turned + solid.centre


def _sample_camera(rng: np.random.Generator, width: int, height: int) -> Camera:
    position = np.array([0.0, -9.6, 5.3]) + rng.uniform(-0.4, 0.4, 3)
    target = np.array([0.0, 0.0, 0.25]) + rng.uniform(-0.15, 0.15, 3)
    forward = target - position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    # The whole field stays in view whatever the aspect ratio; 3:2 pictures have the lens of CLEVR.
    focal = 35 / 32 * min(width, 1.5 * height)
    return Camera(position, right, np.cross(right, forward), forward, focal, width, height)


def recoloured(scene: Scene, palette: str) -> Scene:
    """The scene in the colours of another palette, each in the place of the one that stands there."""
    other = dict(zip(COLOURS, PALETTES[palette]))
    return replace(scene, solids=tuple(replace(solid, colour=other[solid.colour]) for solid in scene.solids))


def _sample_palette(rng: np.random.Generator, number: int) -> list[int]:
    """A category for each solid, out of so few that most come more than once."""
    kinds = int(rng.integers(2, max(2, -(-2 * number // 3)) + 1))
    palette = rng.choice(len(OBJECTS), kinds, replace=False)
    drawn = np.concatenate([palette, rng.choice(palette, max(number - kinds, 0))])[:number]
    return [int(category) for category in rng.permutation(drawn)]


def _place(rng: np.random.Generator, category: int, others: list[Solid], camera: Camera) -> Solid | None:
    """A solid of that category where it fits, or None after many attempts."""
    colour, material, shape = OBJECTS[category].split("_")
    radius = LARGE if rng.random() < 0.5 else SMALL
    axes = np.stack([camera.right[:2], camera.forward[:2]])
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    for _ in range(100):
        x, y = rng.uniform(-1, 1, 2) * FIELD
        solid = Solid(colour, material, shape, radius, float(x), float(y), float(rng.uniform(0, math.pi / 2)))
        apart = all(
            math.hypot(x - other.x, y - other.y) > radius + other.radius + GAP
            and np.abs(axes @ [x - other.x, y - other.y]).min() > MARGIN
            for other in others
        )
        if apart and _in_view(solid, camera):
            return solid
    return None


def _in_view(solid: Solid, camera: Camera) -> bool:
    places = project(camera, corners(solid))
    size = np.array([camera.width, camera.height])
    return bool((places > 0.01 * size).all() and (places < 0.99 * size).all())
