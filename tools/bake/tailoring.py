"""Pattern pieces as arrays: body pieces cut from the tights helper, collars, bands, lapels and buttons. No Blender."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
from scipy.spatial import cKDTree

from bake.basemesh import BaseMesh, Face, Points
from bake.surface import Surface, unit, vertex_normals

Piece = tuple[Points, list[Face]]
Line = Callable[[Points], Points]  # height of a neckline over points (n,3), dm


def body_piece(mesh: BaseMesh, vertices: Points, line: Line, away: float) -> tuple[Points, list[Face], Points]:
    """The upper body below a neckline, `away` dm off the skin layer; also the ordered rim of the neck opening (k,3)."""
    base = vertices.copy()
    tights = [face for face in mesh.faces_of("helper-tights") if min(base[index][1] for index in face) > 3.2]
    base += vertex_normals(base, tights) * away
    points, faces = refine(*refine(base, tights))
    below = points[:, 1] - line(points)
    kept = [face for face in faces if np.mean(below[list(face)]) < 0]
    rim = _loop([edge for edge in _open_edges(kept) if points[edge[0], 1] > 4.0 and abs(below[edge[0]]) < 0.15])
    points[rim, 1] = line(points[rim])
    return points, kept, points[rim]


def refine(vertices: Points, faces: list[Face]) -> Piece:
    """Every quad into four."""
    points = list(vertices)
    known: dict[frozenset[int], int] = {}

    def between(*corners: int) -> int:
        key = frozenset(corners)
        if key not in known:
            known[key] = len(points)
            points.append(vertices[list(corners)].mean(0))
        return known[key]

    finer: list[Face] = []
    for face in faces:
        middle = between(*face)
        for index, corner in enumerate(face):
            following, before = face[(index + 1) % len(face)], face[index - 1]
            finer.append((corner, between(corner, following), middle, between(before, corner)))
    return np.array(points), finer


def _open_edges(faces: list[Face]) -> list[tuple[int, int]]:
    seen: Counter[frozenset[int]] = Counter()
    for face in faces:
        for first, second in zip(face, face[1:] + face[:1], strict=True):
            seen[frozenset((first, second))] += 1
    return [tuple(edge) for edge, count in seen.items() if count == 1 and len(edge) == 2]


def _loop(edges: list[tuple[int, int]]) -> list[int]:
    """The vertices of the longest chain of edges, in order."""
    beside: dict[int, list[int]] = {}
    for first, second in edges:
        beside.setdefault(first, []).append(second)
        beside.setdefault(second, []).append(first)
    left = set(beside)
    longest: list[int] = []
    while left:
        start = next((vertex for vertex in left if len(beside[vertex]) == 1), next(iter(left)))
        chain = [start]
        left.discard(start)
        while following := [vertex for vertex in beside[chain[-1]] if vertex in left]:
            chain.append(following[0])
            left.discard(following[0])
        longest = max(longest, chain, key=len)
    return longest


def around_neck(rim: Points, count: int = 160) -> Points:
    """A smooth closed rim (count,3), starting at the front and turning to x > 0, then behind the neck."""
    centre = rim.mean(0)
    angle = np.arctan2(rim[:, 0] - centre[0], rim[:, 2] - centre[2])
    order = np.argsort(angle)
    angle, sorted_rim = angle[order], rim[order]
    at = np.linspace(0, 2 * np.pi, count, endpoint=False)
    wrapped = (at + np.pi) % (2 * np.pi) - np.pi
    ring = np.stack([np.interp(wrapped, angle, sorted_rim[:, axis], period=2 * np.pi) for axis in range(3)], 1)
    for _ in range(8):
        ring = (np.roll(ring, 1, 0) + 2 * ring + np.roll(ring, -1, 0)) / 4
    return ring


def grid_faces(rows: int, columns: int, *, closed: bool = False) -> list[Face]:
    """Quads of a grid of points stored row by row; `closed` joins the last row to the first."""
    return [
        (r * columns + c, r * columns + c + 1, (r + 1) % rows * columns + c + 1, (r + 1) % rows * columns + c)
        for r in range(rows if closed else rows - 1)
        for c in range(columns - 1)
    ]


def rolled_band(ring: Points, width: float, height: float) -> Piece:
    """A soft tube along a ring: the edge of a jumper."""
    outwards = unit((ring - ring.mean(0)) * [1, 0, 1])
    angle = np.linspace(0, 2 * np.pi, 15)
    points = ring[:, None] + outwards[:, None] * (0.02 + width * np.cos(angle))[None, :, None]
    points[..., 1] += 0.4 * height + height * np.sin(angle)
    return points.reshape(-1, 3), grid_faces(len(ring), len(angle), closed=True)


def turned_collar(
    ring: Points,
    under: Surface,
    *,
    gap: float,
    stand: float,
    fall: float,
    point: float,
    spread: float = 0.5,
    above: float = 0.022,
) -> Piece:
    """A shirt collar: a stand that rises from the neckline and a leaf folded over it.

    `gap` is half of the front opening in radians, `stand` and `fall` heights at the back and `point` how much longer
    the leaf is at the front, dm; `spread` leans the points outwards. The leaf rests `above` dm over `under`.
    """
    count = len(ring)
    angle = 2 * np.pi * np.arange(count) / count
    keep = (angle > gap) & (angle < 2 * np.pi - gap)
    base, angle = ring[keep], angle[keep]
    outwards = unit((base - ring.mean(0)) * [1, 0, 1])
    along = unit(np.gradient(base, axis=0))
    to_front = np.where(angle < np.pi, -1.0, 1.0)[:, None] * along
    front = np.clip((np.cos(angle) - 0.1) / 0.9, 0, 1) ** 1.6
    up = np.array([0, 1.0, 0])
    height = stand * (1 - 0.45 * front)
    fold = base + up * height[:, None] - outwards * 0.02
    length = fall + point * front**2
    lean = 0.42 + 0.15 * front
    tip = fold + outwards * (lean * length)[:, None] - up * (0.9 * length)[:, None]
    tip += to_front * (front**3 * (0.10 - 0.20 * spread))[:, None]
    rows = [base + (fold - base) * t for t in (0.0, 0.5, 0.9)]
    rows.append(fold + up * 0.022 + outwards * 0.012)
    leaf = fold + outwards * 0.035
    for t in np.linspace(0.05, 1, 9):
        part = leaf + (tip - leaf) * t
        _, normals, height = under.nearest(part)
        part = part + normals * np.clip(above - height, 0, 0.2)[:, None] * t
        rows.append(part)
    points = np.stack(rows, 1)
    return points.reshape(-1, 3), grid_faces(len(base), len(rows))


def on_front(under: Surface, x: Points, y: Points, above: float) -> Points:
    """Places (…,3) on the front of a surface at given x and y, `above` dm off it."""
    flat = np.stack([x.ravel(), y.ravel()], 1)
    facing = under.normals[:, 2] > 0.1
    points, normals = under.points[facing], under.normals[facing]
    distance, index = cKDTree(points[:, :2]).query(flat, k=6)
    weight = 1 / (distance + 0.01)
    weight /= weight.sum(1, keepdims=True)
    depth = (points[index, 2] * weight).sum(1)
    placed = np.column_stack([flat, depth]) + (normals[index] * weight[..., None]).sum(1) * above
    return placed.reshape(*x.shape, 3)


def strip(under: Surface, line: Points, inner: Points | float, outer: Points | float, above: float) -> Piece:
    """A band along a line (k,2) on the front: from `inner` to `outer` dm sideways (left of the way)."""
    at = np.linspace(0, len(line) - 1, 60)
    path = np.stack([np.interp(at, np.arange(len(line)), line[:, axis]) for axis in range(2)], 1)
    along = unit(np.gradient(path, axis=0))
    across = np.stack([-along[:, 1], along[:, 0]], 1)
    share = np.linspace(0, 1, 9)
    first = np.interp(at, np.linspace(0, len(line) - 1, np.size(inner)), np.atleast_1d(inner))
    last = np.interp(at, np.linspace(0, len(line) - 1, np.size(outer)), np.atleast_1d(outer))
    offset = first[:, None] + (last - first)[:, None] * share[None]
    flat = path[:, None] + across[:, None] * offset[..., None]
    points = on_front(under, flat[..., 0], flat[..., 1], above)
    for _ in range(2):
        points[1:-1] = (points[:-2] + 2 * points[1:-1] + points[2:]) / 4
    return points.reshape(-1, 3), grid_faces(len(path), len(share))


def button(centre: Points, radius: float) -> Piece:
    """A flat round button facing the camera."""
    rings = [(0.0, 0.012), (0.55, 0.010), (0.75, 0.016), (0.95, 0.013), (1.0, 0.0)]
    angle = np.linspace(0, 2 * np.pi, 21)
    points = np.array([[r * radius * np.cos(a), r * radius * np.sin(a), z] for a in angle for r, z in rings])
    return points + centre, grid_faces(len(angle), len(rings))


def ball(centre: Points, radius: float) -> Piece:
    """A sphere."""
    around, down = np.meshgrid(np.linspace(0, 2 * np.pi, 25), np.linspace(0, np.pi, 13), indexing="ij")
    unit_ball = np.stack([np.sin(down) * np.cos(around), np.cos(down), np.sin(down) * np.sin(around)], -1)
    return centre + radius * unit_ball.reshape(-1, 3), grid_faces(25, 13)
