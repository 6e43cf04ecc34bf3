"""Pictures of `shapes` scenes: ray casting with soft shadows and, on metal, one reflection.

Solids are drawn on a grid finer than the picture, each only where its box lies, and averaged; the plane,
which is smooth, is drawn at the picture's own resolution. Light is linear until the last step.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dsg.datasets.shapes.geometry import Vector, crossing, normals
from dsg.datasets.shapes.scene import COLOURS, OTHER_COLOURS, Camera, Scene, Solid, corners, project

GAMMA = 2.2
ALBEDO = {
    name: (np.array(colour, np.float32) / 255) ** np.float32(GAMMA)
    for name, colour in {**COLOURS, **OTHER_COLOURS}.items()
}
PLANE = np.array([0.47, 0.46, 0.45], np.float32)  # its colour, linear RGB
SKY = np.array([0.05, 0.05, 0.055], np.float32)  # what metal mirrors where there is nothing
LAMP_POWER = np.array([0.95, 0.26, 0.20], np.float32)  # key, fill, back
LAMP_SOFTNESS = (0.30, 0.60)  # of the shadows of key and fill: width of the rim per distance
AMBIENT, AMBIENT_UP = np.float32(0.13), np.float32(0.10)
STRIPS = ((-0.9, 0.55), (-2.45, 0.45), (1.9, 0.25))  # upright lights that only metal shows: azimuth, strength
BYTES = np.clip(255 * np.linspace(0, 1, 4097) ** (1 / GAMMA) + 0.5, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class View:
    """Which solid is seen where, on the fine grid."""

    scene: Scene
    factor: int  # points of the fine grid per pixel, along one side
    owner: np.ndarray  # int8 [H*factor, W*factor]: position of the solid, -1 the plane
    distance: np.ndarray  # float32, along the ray; infinite on the plane
    windows: list[tuple[slice, slice]]  # rows and columns that each solid can touch
    shown: np.ndarray  # float64 [number of solids]: share of each solid that nothing hides
    whole: list[np.ndarray]  # bool, of each window: where its solid would be seen with nothing before it


def look(scene: Scene, factor: int = 2) -> View:
    """Casts one ray for each point of the fine grid."""
    camera = scene.camera
    shape = camera.height * factor, camera.width * factor
    owner, distance = np.full(shape, -1, np.int8), np.full(shape, np.inf, np.float32)
    windows, whole = [], []
    for position, solid in enumerate(scene.solids):
        window = _window(camera, solid, factor)
        enter, leave = crossing(solid, _origin(camera), _rays(camera, factor, window))
        hit = enter < leave
        nearer = hit & (enter < distance[window])
        owner[window][nearer] = position
        distance[window][nearer] = enter[nearer]
        windows.append(window)
        whole.append(hit)
    seen = np.bincount(owner.ravel() + 1, minlength=len(scene.solids) + 1)[1:]
    points = [int(hit.sum()) for hit in whole]
    return View(scene, factor, owner, distance, windows, seen / np.maximum(points, 1), whole)


def visible_boxes(view: View) -> np.ndarray:
    """int64 [number of solids, 4] x1 y1 x2 y2 in pixels, ends exclusive: the visible extents; zeros where
    nothing is seen.
    """
    boxes = np.zeros((len(view.windows), 4), np.int64)
    for position, (x, y, covered) in enumerate(visible_masks(view)):
        ys, xs = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
        if len(ys):
            boxes[position] = x + xs[0], y + ys[0], x + xs[-1] + 1, y + ys[-1] + 1
    return boxes


def visible_masks(view: View) -> list[tuple[int, int, np.ndarray]]:
    """What is seen of each solid: column and row of a window of the picture, and bool [h, w] in it.

    A pixel belongs to a solid that covers at least half of it.
    """
    factor, masks = view.factor, []
    for position, (rows, columns) in enumerate(view.windows):
        mask = (view.owner[rows, columns] == position).astype(np.float32)
        masks.append((columns.start // factor, rows.start // factor, _average(mask, factor) >= 0.5))
    return masks


def draw(view: View) -> np.ndarray:
    """The picture: uint8 [H, W, 3], blue green red."""
    camera, factor = view.scene.camera, view.factor
    picture = _draw_plane(view.scene)
    light = np.zeros((*view.owner.shape, 3), np.float32)
    for position, window in enumerate(view.windows):
        mask = view.owner[window] == position
        if mask.any():
            directions = tuple(axis[mask] for axis in _rays(camera, factor, window))
            light[window][mask] = _draw_solid(view.scene, position, directions, view.distance[window][mask])
    covered = _average((view.owner >= 0).astype(np.float32), factor)[..., None]
    picture = picture * (1 - covered) + _average(light, factor)
    return BYTES[(np.clip(picture, 0, 1) * 4096).astype(np.int32)][..., ::-1]


def _draw_plane(scene: Scene) -> np.ndarray:
    """The plane with its shadows, linear light [H, W, 3]."""
    camera = scene.camera
    direction = _rays(camera, 1, (slice(0, camera.height), slice(0, camera.width)))
    origin = _origin(camera)
    distance = origin[2] / np.maximum(-direction[2], np.float32(0.02))
    points = origin[0] + distance * direction[0], origin[1] + distance * direction[1], np.zeros_like(distance)
    light = _plane_light(scene, points)
    return light[..., None] * PLANE


def _plane_light(scene: Scene, points: Vector, shadows: bool = True) -> np.ndarray:
    up = (np.float32(0), np.float32(0), np.float32(1))
    diffuse, _ = _lighting(scene, points, up, None, -1 if shadows else None)
    if shadows:
        for solid in scene.solids:  # little light reaches the plane beside a solid
            gap = (
                np.hypot(points[0] - np.float32(solid.x), points[1] - np.float32(solid.y))
                - solid.half_extent[0]
            )
            diffuse *= 1 - np.float32(0.42) * np.exp(np.maximum(gap, 0) * np.float32(-2.6 / solid.radius))
    return diffuse * np.float32(scene.brightness)


def _draw_solid(scene: Scene, position: int, direction: Vector, distance: np.ndarray) -> np.ndarray:
    """Linear light [n, 3] of points of one solid, seen along `direction` at `distance`."""
    solid, origin = scene.solids[position], _origin(scene.camera)
    points = tuple(origin[axis] + distance * direction[axis] for axis in range(3))
    normal = normals(solid, points)
    mirror = _reflect(direction, normal)
    diffuse, gloss = _lighting(
        scene, points, normal, mirror, position, sharpness=90 if solid.material == "metal" else 12
    )
    colour = ALBEDO[solid.colour]
    if solid.material == "rubber":
        return (
            diffuse[:, None] * (np.float32(0.95) * colour + np.float32(0.012))
            + np.float32(0.05) * gloss[:, None]
        )
    facing = np.abs(_dot(direction, normal))
    fresnel = (1 - facing) ** 4
    tint = colour + (1 - colour) * (np.float32(0.35) * fresnel)[:, None]
    seen = _mirrored_light(scene, position, points, mirror)
    return (
        tint * seen * np.float32(1.3)
        + colour * diffuse[:, None] * np.float32(0.2)
        + (np.float32(0.6) + np.float32(0.4) * colour) * gloss[:, None] * np.float32(1.1)
    )


def _lighting(
    scene: Scene,
    points: Vector,
    normal: Vector,
    mirror: Vector | None,
    position: int | None,
    sharpness: int = 12,
) -> tuple[np.ndarray, np.ndarray]:
    """Diffuse light and gloss at points; `position` is the solid itself, -1 the plane, None to leave out
    shadows.
    """
    diffuse = AMBIENT + AMBIENT_UP * normal[2] + np.zeros_like(points[0])
    gloss = np.zeros_like(points[0])
    for number, (lamp, power) in enumerate(zip(scene.lamps.astype(np.float32), LAMP_POWER)):
        to_lamp = tuple(lamp[axis] - points[axis] for axis in range(3))
        squared = _dot(to_lamp, to_lamp)
        reach = np.sqrt(squared)
        to_lamp = tuple(axis / reach for axis in to_lamp)
        strength = power * np.float32(70) / squared  # a lamp at the usual distance has its nominal power
        if position is not None and number < len(LAMP_SOFTNESS):
            strength = strength * _unshadowed(scene, points, to_lamp, position, LAMP_SOFTNESS[number])
        diffuse += strength * np.maximum(_dot(normal, to_lamp), 0)
        if mirror is not None:
            gloss += strength * np.maximum(_dot(mirror, to_lamp), 0) ** sharpness
    return diffuse, gloss


def _unshadowed(scene: Scene, points: Vector, to_lamp: Vector, position: int, softness: float) -> np.ndarray:
    """Share of a lamp that is seen from points.

    A ray that grazes a solid is inside it for a short way only; measured against the distance to the solid
    this way is what makes the rim of a shadow soft, and softer away from the solid.
    """
    share = np.ones(np.broadcast(*points, *to_lamp).shape, np.float32)
    for other, solid in enumerate(scene.solids):
        if other == position:
            continue  # a convex solid shades itself by turning away
        near = _may_cross(solid, points, to_lamp)
        starts, ways = (tuple(axis[near] for axis in vector) for vector in (points, to_lamp))
        enter, leave = crossing(solid, starts, ways)
        inside = np.maximum(leave - np.maximum(enter, 0), 0)
        if solid.shape != "cube":  # the way through something round grows like a square root
            inside = inside * inside * np.float32(0.5 / solid.radius)
        hidden = np.clip(inside / (np.float32(softness) * np.maximum(enter, 0) + np.float32(0.04)), 0, 1)
        share[near] *= 1 - hidden * hidden * (3 - 2 * hidden)
    return share


def _may_cross(solid: Solid, points: Vector, direction: Vector) -> np.ndarray:
    """Which rays come near enough to the solid's centre to meet it; few do, and the rest is spared."""
    flat, high = solid.half_extent
    reach = np.float32(1.01 * np.sqrt(2 * flat * flat + high * high))
    apart = tuple(np.float32(centre) - axis for centre, axis in zip(solid.centre, points))
    along = _dot(apart, direction)
    return (_dot(apart, apart) - along * along < reach * reach) & (along > -reach)


def _mirrored_light(scene: Scene, position: int, points: Vector, mirror: Vector) -> np.ndarray:
    """What a mirror at points shows: other solids, the plane, lamps; linear light [n, 3]."""
    down = np.maximum(-mirror[2], np.float32(0.02))
    distance = points[2] / down
    spot = points[0] + distance * mirror[0], points[1] + distance * mirror[1], np.zeros_like(distance)
    fading = np.exp(-distance / np.float32(2.6))[:, None]
    plane = _plane_light(scene, spot, shadows=False)[:, None] * PLANE * fading + SKY * (1 - fading)
    glow = np.zeros_like(distance)
    for lamp, power in zip(scene.lamps, LAMP_POWER):
        toward = (lamp / np.linalg.norm(lamp)).astype(np.float32)
        glow += power * np.exp(14 * (_dot(mirror, tuple(toward)) - 1))
    flat = np.sqrt(mirror[0] ** 2 + mirror[1] ** 2) + np.float32(1e-6)
    strips = np.zeros_like(distance)
    for azimuth, power in STRIPS:
        along = (mirror[0] * np.float32(np.cos(azimuth)) + mirror[1] * np.float32(np.sin(azimuth))) / flat
        strips += np.float32(power) * np.exp(40 * (along - 1)) * flat
    above = np.maximum(mirror[2], 0)[:, None]
    sky = SKY * (1 + 2 * above) + np.float32(0.8) * glow[:, None]
    result = np.where((mirror[2] < 0)[:, None], plane, sky) + strips[:, None]
    nearest = np.where(mirror[2] < 0, distance, np.inf)
    for other, solid in enumerate(scene.solids):
        if other == position:
            continue
        enter, leave = crossing(solid, points, mirror)
        hit = (enter < leave) & (enter > 0) & (enter < nearest)
        if hit.any():
            where = tuple(points[axis][hit] + enter[hit] * mirror[axis][hit] for axis in range(3))
            diffuse, _ = _lighting(scene, where, normals(solid, where), None, None)
            result[hit] = diffuse[:, None] * ALBEDO[solid.colour]
            nearest[hit] = enter[hit]
    return result


def _window(camera: Camera, solid: Solid, factor: int) -> tuple[slice, slice]:
    """Rows and columns of the fine grid, whole pixels, that hold a solid."""
    places = project(camera, corners(solid))
    low = np.maximum(np.floor(places.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(places.max(axis=0)).astype(int), [camera.width, camera.height])
    return slice(low[1] * factor, high[1] * factor), slice(low[0] * factor, high[0] * factor)


def _rays(camera: Camera, factor: int, window: tuple[slice, slice]) -> Vector:
    """Unit directions through the points of a window of the fine grid."""
    rows, columns = (np.arange(part.start, part.stop, dtype=np.float32) for part in window)
    across = ((columns + 0.5) / factor - camera.width / 2) / camera.focal
    down = ((rows + 0.5) / factor - camera.height / 2) / camera.focal
    across, down = across.astype(np.float32)[None, :], down.astype(np.float32)[:, None]
    shorten = 1 / np.sqrt(1 + across * across + down * down)
    axes = zip(camera.forward, camera.right, camera.up)
    x, y, z = (
        (np.float32(ahead) + across * np.float32(right) - down * np.float32(up)) * shorten
        for ahead, right, up in axes
    )
    return x, y, z


def _origin(camera: Camera) -> Vector:
    x, y, z = camera.position.astype(np.float32)
    return x, y, z


def _average(grid: np.ndarray, factor: int) -> np.ndarray:
    """Means over the points of each pixel."""
    height, width = grid.shape[0] // factor, grid.shape[1] // factor
    return grid if factor == 1 else cv2.resize(grid, (width, height), interpolation=cv2.INTER_AREA)


def _dot(first: Vector, second: Vector) -> np.ndarray:
    return np.asarray(first[0] * second[0] + first[1] * second[1] + first[2] * second[2])


def _reflect(direction: Vector, normal: Vector) -> Vector:
    twice = 2 * _dot(direction, normal)
    x, y, z = (direction[axis] - twice * normal[axis] for axis in range(3))
    return x, y, z
