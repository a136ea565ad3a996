"""Garments cut from the base mesh's tights helper: a knitted jumper, shirt, blazer and cardigan."""

from __future__ import annotations

from collections import Counter

import numpy as np

from bake.basemesh import BaseMesh, Face, Points
from bake.blender import Material, MeshObject, Nodes
from bake.identity import Colour
from bake.landmarks import Landmarks
from bake.surface import unit


def knit_material(colour: Colour) -> Material:
    """Ribbed wool with fuzz."""
    nodes = Nodes("knit")
    shader = nodes.principled
    mapping = nodes.add("ShaderNodeMapping", {"Scale": (1, 1, 0.3)})
    nodes.set(mapping, "Vector", nodes.position())
    ribs = nodes.add("ShaderNodeTexWave", {"Scale": 12.0, "Distortion": 0.8, "Detail": 3.0}, bands_direction="X")
    nodes.set(ribs, "Vector", mapping.outputs[0])
    fuzz = nodes.noise(55)
    relief = nodes.math("ADD", nodes.math("MULTIPLY", ribs.outputs["Fac"], 0.6), nodes.math("MULTIPLY", fuzz, 0.8))
    nodes.set(shader, "Normal", nodes.bump(relief, 0.55, 0.02))
    nodes.set(shader, "Base Color", nodes.mix(fuzz, tuple(0.7 * c for c in colour), tuple(1.3 * c for c in colour)))
    shader.inputs["Roughness"].default_value = 0.85
    shader.inputs["Sheen Weight"].default_value = 0.5
    shader.inputs["Sheen Roughness"].default_value = 0.4
    return nodes.material


class Neckline:
    """Height of a round neck opening over the body, dm."""

    def __init__(self, marks: Landmarks, drop: float = 0.0) -> None:
        self._neck = marks.neck
        self._drop = drop

    def height(self, points: Points) -> Points:
        x, z = np.abs(points[:, 0]), points[:, 2] - self._neck[2]
        slope = -0.18 * np.clip((z - 0.1) / 0.7, -1, 1) - 0.10 * np.clip(z - 0.5, 0, 1)
        return self._neck[1] - 0.02 - self._drop * np.clip(z / 0.4, 0, 1) + slope + 0.10 * np.clip(x - 0.55, 0, 1)


def _open_edges(faces: list[Face]) -> list[tuple[int, int]]:
    seen: Counter[frozenset[int]] = Counter()
    for face in faces:
        for first, second in zip(face, face[1:] + face[:1], strict=True):
            seen[frozenset((first, second))] += 1
    return [tuple(sorted(edge)) for edge, count in seen.items() if count == 1 and len(edge) == 2]


def _loop(edges: list[tuple[int, int]]) -> list[int]:
    """The vertices of a closed chain of edges, in order."""
    beside: dict[int, list[int]] = {}
    for first, second in edges:
        beside.setdefault(first, []).append(second)
        beside.setdefault(second, []).append(first)
    loop = [edges[0][0]]
    previous = -1
    while len(loop) <= len(beside):
        following = [vertex for vertex in beside[loop[-1]] if vertex != previous]
        if not following or following[0] == loop[0]:
            break
        previous = loop[-1]
        loop.append(following[0])
    return loop


def dress_jumper(mesh: BaseMesh, vertices: Points, marks: Landmarks, colour: Colour) -> list[MeshObject]:
    """A jumper with a rolled collar."""
    line = Neckline(marks)
    below = vertices[:, 1] - line.height(vertices)
    faces = [
        face
        for face in mesh.faces_of("helper-tights")
        if min(vertices[index][1] for index in face) > 3.2 and np.mean([below[index] for index in face]) < 0
    ]
    rim = [
        edge
        for edge in _open_edges(faces)
        if vertices[edge[0]][1] > marks.neck[1] - 0.6 and abs(vertices[edge[0]][0]) < 1.0
    ]
    cut = vertices.copy()
    on_rim = sorted({vertex for edge in rim for vertex in edge})
    cut[on_rim, 1] = line.height(cut[on_rim])
    material = knit_material(colour)
    cloth = MeshObject("jumper", cut, faces, material, subdivisions=2)
    thickness = cloth.object.modifiers.new("thickness", "SOLIDIFY")
    thickness.thickness, thickness.offset = 0.06, 1.0
    points, quads = _collar_roll(cut[_loop(rim)])
    return [cloth, MeshObject("collar", points, quads, material, subdivisions=1)]


def _collar_roll(rim: Points, around: int = 14, along: int = 120) -> tuple[Points, list[Face]]:
    """A soft tube along a smoothed rim."""
    smooth = rim.copy()
    for _ in range(6):
        smooth = (np.roll(smooth, 1, 0) + 2 * smooth + np.roll(smooth, -1, 0)) / 4
    closed = np.vstack([smooth, smooth[:1]])
    at = np.linspace(0, len(smooth), along, endpoint=False)
    path = np.stack([np.interp(at, np.arange(len(closed)), closed[:, axis]) for axis in range(3)], 1)
    outwards = unit((path - path.mean(0)) * [1, 0, 1])
    path = path + outwards * 0.045
    angle = 2 * np.pi * np.arange(around) / around
    points = path[:, None] + outwards[:, None] * (0.042 * np.cos(angle))[None, :, None]
    points[..., 1] += 0.03 + 0.085 * np.sin(angle)
    faces = [
        (
            i * around + j,
            i * around + (j + 1) % around,
            (i + 1) % along * around + (j + 1) % around,
            (i + 1) % along * around + j,
        )
        for i in range(along)
        for j in range(around)
    ]
    return points.reshape(-1, 3), faces
