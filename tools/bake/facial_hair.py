"""Brows, lashes and beards: short strands that ride on the moving skin."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from bake.basemesh import Face, Points
from bake.identity import Beard, Brow
from bake.landmarks import Landmarks
from bake.skin import beard_area
from bake.surface import Bound, FrontRays, Surface, unit

BROW_STEPS, LASH_STEPS, BEARD_STEPS = 6, 7, 5


def brow_strands(vertices: Points, faces: list[Face], marks: Landmarks, brow: Brow) -> tuple[Points, Bound]:
    """Both brows. Hair stands up at the inner end, lies outwards along the arch, and thins towards the tail."""
    rng = np.random.default_rng(3)
    rays = FrontRays(vertices, faces)
    strands: list[list[Points]] = []
    owners: list[int] = []
    for side in (1, -1):
        along = rng.random(brow.strands) ** 0.9
        x, middle = brow_middle(along, marks, brow)
        across = rng.triangular(-0.5, 0, 0.5, brow.strands)
        thick = (0.056 * (1 - along) ** 0.5 * np.clip(along / 0.2, 0.5, 1) + 0.012) * brow.thickness * 1.45
        y = middle + across * thick
        angle = np.radians(
            66 - 52 * np.clip(along / 0.32, 0, 1) - 34 * np.clip((along - 0.5) / 0.5, 0, 1) - across * 44
        )
        angle += rng.normal(size=brow.strands) * 0.15
        length = (0.062 + 0.03 * rng.random(brow.strands)) * (1 - 0.3 * along) * brow.length
        for index in range(brow.strands):
            points, owner = _laid(rays, side, x[index], y[index], angle[index], length[index])
            if owner is not None:
                strands.append(points)
                owners.append(owner)
    laid = np.array(strands)
    return laid, Bound(laid, np.array(owners), vertices, faces)


def brow_middle(along: Points, marks: Landmarks, brow: Brow) -> tuple[Points, Points]:
    """x and y of the left brow's middle line, `along` 0 at the inner end to 1 at the tail."""
    rise = 0.046 * np.sin(np.clip(along / 0.66, 0, 1) * np.pi / 2) - 0.075 * np.clip((along - 0.62) / 0.38, 0, 1) ** 1.4
    rise = rise - 0.016 * np.clip(1 - along / 0.22, 0, 1)
    return marks.eye[0] - 0.195 + 0.415 * along, marks.eye[1] + 0.152 + brow.raised + brow.arch * rise


def _laid(
    rays: FrontRays, side: int, x: float, y: float, angle: float, length: float
) -> tuple[list[Points], int | None]:
    points: list[Points] = []
    owner: int | None = None
    for step in range(BROW_STEPS):
        t = step / (BROW_STEPS - 1)
        hit = rays.hit(side * x, y)
        if hit is None:
            return [], None
        place, normal, face = hit
        owner = face if owner is None else owner
        points.append(place + normal * (0.002 + 0.012 * math.sin(2.2 * t)))
        heading = angle - 0.5 * t
        x += math.cos(heading) * length / (BROW_STEPS - 1)
        y += math.sin(heading) * length / (BROW_STEPS - 1)
    return points, owner


def lid_margins(vertices: Points, faces: list[Face], marks: Landmarks) -> dict[int, tuple[Points, Points]]:
    """Upper and lower lid edges, inner to outer corner, per side (1 and −1), found by rays against lids and eyeball."""
    rays = FrontRays(vertices, faces)
    radius = marks.eye_radius
    edges: dict[int, tuple[Points, Points]] = {}
    for side in (1, -1):
        centre = marks.eye * [side, 1, 1]
        upper: list[Points] = []
        lower: list[Points] = []
        for x in centre[0] + side * radius * np.linspace(-1.35, 1.6, 90):
            rows = np.linspace(centre[1] - 1.15 * radius, centre[1] + 1.15 * radius, 161)
            bare = np.zeros(len(rows), bool)
            depth = np.zeros(len(rows))
            # just beside the ball the corner of the opening is still part of the lid edge
            corner = centre[2] - 0.02 if abs(x - centre[0]) < 1.12 * radius else -9.0
            for index, y in enumerate(rows):
                hit = rays.hit(x, y)
                skin = hit[0][2] if hit else -9.0
                inside = radius**2 - (x - centre[0]) ** 2 - (y - centre[1]) ** 2
                ball = centre[2] + math.sqrt(inside) if inside > 0 else corner
                bare[index], depth[index] = ball > skin, max(ball, skin)
            if bare.any():
                first, last = int(np.argmax(bare)), len(bare) - 1 - int(np.argmax(bare[::-1]))
                upper.append(np.array([x, rows[last], depth[min(last + 1, len(rows) - 1)] + 0.004]))
                lower.append(np.array([x, rows[first], depth[max(first - 1, 0)] + 0.004]))
        edges[side] = np.array(upper), np.array(lower)
    return edges


def lash_strands(
    vertices: Points, faces: list[Face], lids: dict[int, tuple[Points, Points]], length: float
) -> tuple[Points, Bound]:
    """Upper and lower lashes, rooted on the lid edges (as `lid_margins` finds them) and bound to the lid skin."""
    rng = np.random.default_rng(5)
    rays = FrontRays(vertices, faces)
    strands: list[Points] = []
    owners: list[int] = []
    for side, (upper, lower) in lids.items():
        for edge, up in ((upper, True), (lower, False)):
            for strand in _lashes_of(edge, side, up, length, rng):
                strands.append(strand)
                owners.append(rays.nearest_face(strand[0] + np.array([0, 0.012 if up else -0.012, 0])))
    made = np.array(strands)
    return made, Bound(made, np.array(owners), vertices, faces)


def _lashes_of(edge: Points, side: int, up: bool, length: float, rng: np.random.Generator) -> list[Points]:
    arc = np.r_[0, np.cumsum(np.linalg.norm(np.diff(edge, axis=0), axis=1))]
    arc /= arc[-1]
    lashes: list[Points] = []
    t = np.linspace(0, 1, LASH_STEPS)[:, None]
    for index in range(64 if up else 34):
        u = 0.08 + 0.90 * (index + rng.random() * 0.7) / (64 if up else 34)
        root = np.array([np.interp(u, arc, edge[:, axis]) for axis in range(3)])
        outwards = side * (u - 0.35) * (1.0 if up else 1.2)
        if up:
            size = length * (0.030 + 0.030 * math.sin(math.pi * min(1, u * 0.85))) * (0.75 + 0.35 * rng.random())
            heading = unit(np.array([outwards * 0.8, 0.10, 1.0]) + rng.normal(size=3) * 0.06)
            curl = np.array([outwards * 0.3, 0.70, -0.1])
        else:
            size = length * (0.015 + 0.010 * u) * (0.7 + 0.4 * rng.random())
            heading = unit(np.array([outwards, -0.45, 1.0]) + rng.normal(size=3) * 0.09)
            curl = np.array([0, -0.45, 0])
        lashes.append(root + heading * size * t + curl * size * t * t)
    return lashes


def beard_strands(
    vertices: Points, faces: list[Face], marks: Landmarks, beard: Beard, lips: NDArray[np.float64]
) -> tuple[Points, Bound]:
    """A short beard: strands that lean down and outwards on jaw, chin and upper lip.

    ``lips``: 0–1 for each vertex; the beard begins 3 to 6 mm beside them.
    """
    rng = np.random.default_rng(11)
    surface = Surface(vertices, faces)
    rays = FrontRays(vertices, faces)
    density = beard_area(surface.points, marks, beard.coverage)
    to_lips = cKDTree(vertices[lips > 0.4]).query(surface.points)[0]
    places, normals = surface.scatter(beard.strands, density * np.clip((to_lips - 0.03) / 0.03, 0, 1), rng)
    down = np.array([0, -1.0, 0.0]) + np.sign(places[:, :1]) * [[0.25, 0, 0]]
    heading = unit(normals * 0.6 + down * 0.8 + rng.normal(size=places.shape) * 0.25)
    length = beard.length * (0.5 + 0.7 * rng.random(len(places)))[:, None, None]
    t = np.linspace(0, 1, BEARD_STEPS)[None, :, None]
    bend = down[:, None] * 0.35 + rng.normal(size=(len(places), 1, 3)) * 0.25
    strands = places[:, None] + (heading[:, None] * t + bend * t * t) * length
    owners = np.array([rays.nearest_face(place) for place in places])
    return strands, Bound(strands, owners, vertices, faces)
