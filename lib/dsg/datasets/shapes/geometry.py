"""Where rays meet solids: the analytic half of the `shapes` renderer.

Rays are a pair of origin and unit direction, each a tuple of three float32 arrays (x, y, z) or numbers that
broadcast together; every function works on as many rays at once as the arrays hold.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dsg.datasets.shapes.scene import Solid

Vector = tuple[Any, Any, Any]  # x, y, z: float32 arrays or numbers
BEVEL = 0.13  # of the half extent: this much of a face beside its edges is shaded as if it were rounded


def crossing(solid: Solid, origin: Vector, direction: Vector) -> tuple[np.ndarray, np.ndarray]:
    """Distances at which rays enter and leave a solid; entering after leaving means that they pass it."""
    start, step = _to_local(solid, origin), _turn(solid, direction)
    flat, high = (np.float32(extent) for extent in solid.half_extent)
    if solid.shape == "sphere":
        return _quadratic(
            step[0] * step[0] + step[1] * step[1] + step[2] * step[2],
            start[0] * step[0] + start[1] * step[1] + start[2] * step[2],
            start[0] * start[0] + start[1] * start[1] + start[2] * start[2] - flat * flat,
        )
    enter, leave = _slab(start[2], step[2], high)
    if solid.shape == "cylinder":
        sides = [
            _quadratic(
                step[0] * step[0] + step[1] * step[1],
                start[0] * step[0] + start[1] * step[1],
                start[0] * start[0] + start[1] * start[1] - flat * flat,
            )
        ]
    else:
        sides = [_slab(start[0], step[0], flat), _slab(start[1], step[1], flat)]
    for first, last in sides:
        enter, leave = np.maximum(enter, first), np.minimum(leave, last)
    return enter, leave


def normals(solid: Solid, points: Vector) -> Vector:
    """Unit normals at points on the surface; rounded a little towards the edges of cubes and cylinders."""
    x, y, z = _to_local(solid, points)
    flat, high = solid.half_extent
    if solid.shape == "sphere":
        return x / flat, y / flat, z / high
    if solid.shape == "cylinder":
        radial = np.sqrt(x * x + y * y) + np.float32(1e-6)
        outward = _bevelled(radial / flat)
        nx, ny, nz = x / radial * outward, y / radial * outward, _bevelled(z / high)
    else:
        nx, ny, nz = _turn(solid, (_bevelled(x / flat), _bevelled(y / flat), _bevelled(z / high)), back=True)
    length = np.sqrt(nx * nx + ny * ny + nz * nz) + np.float32(1e-6)
    return nx / length, ny / length, nz / length


def _bevelled(along: np.ndarray) -> np.ndarray:
    """How far a coordinate (1 on the face) reaches into the rim, with its sign."""
    return np.sign(along) * np.maximum(np.abs(along) - np.float32(1 - BEVEL), 0)


def _quadratic(a: Any, b: Any, c: Any) -> tuple[np.ndarray, np.ndarray]:
    """Between which t the value a t^2 + 2 b t + c is negative."""
    a = np.maximum(a, np.float32(1e-9))
    root = np.sqrt(np.maximum(b * b - a * c, 0))
    missed = np.float32(1e6) * (b * b - a * c < 0)
    return (-b - root) / a + missed, (-b + root) / a - missed


def _slab(start: Any, step: Any, half: np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Between which t a coordinate is within -half..half."""
    step = np.where(np.abs(step) < 1e-6, np.float32(1e-6), step)
    first, second = (-half - start) / step, (half - start) / step
    return np.minimum(first, second), np.maximum(first, second)


def _to_local(solid: Solid, points: Vector) -> Vector:
    x, y, z = solid.centre
    moved = points[0] - np.float32(x), points[1] - np.float32(y), points[2] - np.float32(z)
    return _turn(solid, moved)


def _turn(solid: Solid, vector: Vector, back: bool = False) -> Vector:
    """A direction in the solid's own axes, or back from them; only cubes need it."""
    if solid.shape != "cube":
        return vector
    cosine, sine = np.float32(math.cos(solid.angle)), np.float32(math.sin(solid.angle) * (-1 if back else 1))
    x, y, z = vector
    return x * cosine + y * sine, y * cosine - x * sine, z
