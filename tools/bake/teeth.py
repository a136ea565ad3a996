"""Teeth on an arch, gums around their necks, and the jaw's rigid movement."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bake.basemesh import Face, Points

# Widths and heights from the middle outwards, dm: two incisors, canine, two premolars, molar.
UPPER = ((0.084, 0.100), (0.066, 0.090), (0.076, 0.098), (0.070, 0.085), (0.068, 0.075), (0.095, 0.070))
LOWER = ((0.054, 0.085), (0.058, 0.088), (0.066, 0.095), (0.070, 0.085), (0.070, 0.078), (0.100, 0.070))
AROUND, DOWN = 20, 14


def _tooth(centre: Points, half: Points, turn: float, taper: float) -> tuple[Points, list[Face]]:
    """A rounded box (superellipsoid) with half sizes, turned about the vertical."""
    u, v = np.meshgrid(np.linspace(-np.pi, np.pi, AROUND, endpoint=False), np.linspace(-np.pi / 2, np.pi / 2, DOWN))

    def soft(values: Points) -> Points:
        return np.sign(values) * np.abs(values) ** 0.52

    x, y, z = soft(np.cos(v)) * soft(np.cos(u)), soft(np.sin(v)), soft(np.cos(v)) * soft(np.sin(u))
    x, z = x * half[0] * (1 + taper * y), z * half[2] * (1 - 0.25 * np.clip(-y, 0, 1))
    cosine, sine = math.cos(turn), math.sin(turn)
    points = np.stack([x * cosine + z * sine, y * half[1], z * cosine - x * sine], -1).reshape(-1, 3) + centre
    faces = [
        (
            row * AROUND + column,
            row * AROUND + (column + 1) % AROUND,
            (row + 1) * AROUND + (column + 1) % AROUND,
            (row + 1) * AROUND + column,
        )
        for row in range(DOWN - 1)
        for column in range(AROUND)
    ]
    return points, faces


def row_of_teeth(upper: bool, front: float, edge: float, bend: float = 3.7) -> tuple[Points, list[Face], Points]:
    """Teeth along the parabola z = front − bend·x². `edge` is the y of the biting edge.

    Returns vertices, faces and the neck of each tooth from left to right, (12,3).
    """
    x_axis = np.linspace(0, 0.5, 800)
    depth = front - bend * x_axis**2
    arc = np.r_[0, np.cumsum(np.hypot(np.diff(x_axis), np.diff(depth)))]
    vertices: list[Points] = []
    faces: list[Face] = []
    necks: list[tuple[float, float, float]] = []
    for side in (1, -1):
        walked = 0.0
        for number, (width, height) in enumerate(UPPER if upper else LOWER):
            x = float(np.interp(walked + width / 2, arc, x_axis))
            walked += width
            turn = math.atan(2 * bend * x) * 0.92
            shorter = 0.006 if upper and number == 1 else 0.0
            y = edge + height / 2 + shorter if upper else edge - height / 2
            centre = np.array([side * x, y, front - bend * x * x - 0.035])
            half = np.array([width * 0.5, height * 0.52, 0.042])
            points, quads = _tooth(centre, half, side * turn, -0.10 if upper else 0.10)
            offset = sum(len(part) for part in vertices)
            faces += [tuple(index + offset for index in quad) for quad in quads]
            vertices.append(points)
            necks.append((side * x, y + (height * 0.42 if upper else -height * 0.42), centre[2] - 0.005))
    return np.concatenate(vertices), faces, np.array(sorted(necks))


def gum(necks: Points, upper: bool) -> tuple[Points, list[Face]]:
    """A scalloped tube along the tooth necks."""
    around, along = 12, 90
    at = np.linspace(0, len(necks) - 1, along)
    path = np.stack([np.interp(at, np.arange(len(necks)), necks[:, axis]) for axis in range(3)], 1)
    sign = 1 if upper else -1
    angle = 2 * np.pi * np.arange(around) / around
    x = path[:, :1] * (1 + 0.012 * np.cos(angle))
    y = path[:, 1:2] + sign * (0.045 - 0.010 * np.cos(2 * np.pi * at)[:, None]) + 0.062 * np.sin(angle)
    z = path[:, 2:] + 0.050 * np.cos(angle)
    faces = [
        (i * around + j, i * around + (j + 1) % around, (i + 1) * around + (j + 1) % around, (i + 1) * around + j)
        for i in range(along - 1)
        for j in range(around)
    ]
    return np.stack([x, y, z], -1).reshape(-1, 3), faces


def rigid_motion(before: Points, after: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotation R and shift t with after ≈ before·Rᵀ + t (Kabsch)."""
    centre_before, centre_after = before.mean(0), after.mean(0)
    left, _, right = np.linalg.svd((before - centre_before).T @ (after - centre_after))
    flip = np.diag([1, 1, np.sign(np.linalg.det(right.T @ left.T))])
    rotation = right.T @ flip @ left.T
    return rotation, centre_after - rotation @ centre_before
