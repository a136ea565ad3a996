"""A mesh as something that hair can grow on and rest against: dense points with smooth normals, and rays."""

from __future__ import annotations

import mathutils
import numpy as np
from mathutils.bvhtree import BVHTree
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from bake.basemesh import Face, Points

CELLS = 4  # samples along each side of a face


def unit(vectors: Points) -> Points:
    """Vectors of length one (zero vectors stay zero)."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def vertex_normals(vertices: Points, faces: list[Face]) -> Points:
    """Area-weighted normals (V,3); zero for vertices of no face."""
    quads = np.array([face if len(face) == 4 else (*face, face[2]) for face in faces])
    a, b, c, d = (vertices[quads[:, corner]] for corner in range(4))
    across = np.cross(c - a, d - b)
    normals = np.zeros_like(vertices)
    for corner in range(4):
        np.add.at(normals, quads[:, corner], across)
    return unit(normals)


class Surface:
    """Faces of a mesh, for looking up the nearest place of many points at once."""

    def __init__(self, vertices: Points, faces: list[Face]) -> None:
        normals = vertex_normals(vertices, faces)
        quads = np.array([face if len(face) == 4 else (*face, face[2]) for face in faces])
        steps = (np.arange(CELLS) + 0.5) / CELLS
        u, v = (grid.ravel()[None, :, None] for grid in np.meshgrid(steps, steps))

        def spread(values: Points) -> Points:
            a, b, c, d = (values[quads[:, corner]][:, None] for corner in range(4))
            return ((a * (1 - u) + b * u) * (1 - v) + (d * (1 - u) + c * u) * v).reshape(-1, 3)

        self.points = spread(vertices)
        self.normals = unit(spread(normals))
        self._tree = cKDTree(self.points)
        first, second = vertices[quads[:, 2]] - vertices[quads[:, 0]], vertices[quads[:, 3]] - vertices[quads[:, 1]]
        areas = np.linalg.norm(np.cross(first, second), axis=1) / 2
        self.areas = np.repeat(areas / CELLS**2, CELLS**2)

    def nearest(self, points: Points) -> tuple[Points, Points, NDArray[np.float64]]:
        """For points (n,3): the near places (n,3), their normals (n,3) and the signed heights above them (n,)."""
        index = self._tree.query(points)[1]
        normals = self.normals[index]
        height = np.einsum("ni,ni->n", points - self.points[index], normals)
        return points - normals * height[:, None], normals, height

    def scatter(self, count: int, density: NDArray[np.float64], rng: np.random.Generator) -> tuple[Points, Points]:
        """Random places and normals, distributed by area times `density` (one value per sample of this surface)."""
        weights = self.areas * density
        picked = rng.choice(len(weights), count, p=weights / weights.sum())
        size = np.sqrt(self.areas[picked])[:, None]
        jitter = rng.uniform(-0.5, 0.5, (count, 3)) * size
        normals = self.normals[picked]
        jitter -= normals * np.einsum("ni,ni->n", jitter, normals)[:, None]
        return self.points[picked] + jitter, normals


class FrontRays:
    """Rays from the camera's side straight onto faces, and nearest faces."""

    def __init__(self, vertices: Points, faces: list[Face]) -> None:
        self.faces = faces
        self._tree = BVHTree.FromPolygons([tuple(vertex) for vertex in vertices], faces)

    def hit(self, x: float, y: float) -> tuple[Points, Points, int] | None:
        """Place, normal and face index where a ray along −z at (x, y) meets the faces first."""
        place, normal, face, _ = self._tree.ray_cast(mathutils.Vector((x, y, 5)), mathutils.Vector((0, 0, -1)))
        return None if place is None else (np.array(place), np.array(normal), face)

    def nearest_face(self, point: Points) -> int:
        return self._tree.find_nearest(mathutils.Vector(point))[2]


class Bound:
    """Strands that follow one face each of a deforming mesh, rigidly."""

    def __init__(self, strands: Points, face_index: NDArray[np.int64], vertices: Points, faces: list[Face]) -> None:
        self._corners = np.array([faces[index][:3] for index in face_index])
        origin, axes = self._frames(vertices)
        self._local = np.einsum("nij,nki->nkj", axes, strands - origin[:, None])

    def at(self, vertices: Points) -> Points:
        """The strands on the deformed mesh."""
        origin, axes = self._frames(vertices)
        return np.einsum("nij,nkj->nki", axes, self._local) + origin[:, None]

    def _frames(self, vertices: Points) -> tuple[Points, Points]:
        a, b, c = (vertices[self._corners[:, corner]] for corner in range(3))
        along = unit(b - a)
        normal = unit(np.cross(b - a, c - a))
        return a, np.stack([along, np.cross(normal, along), normal], -1)
