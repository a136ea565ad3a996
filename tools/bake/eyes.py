"""Eyeballs: a ball with iris dish and pupil, and a clear bulging cornea."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import bmesh
import bpy
import mathutils
import numpy as np

from bake.basemesh import BaseMesh, Points
from bake.blender import Material, Nodes, Socket, to_blender
from bake.identity import Colour

IRIS = 0.49  # radii, in units of the eyeball's
PUPIL = 0.19
CONVERGENCE = 1.2  # degrees each eye turns in, to look at the camera


def iris_material(iris: Colour, iris_scale: float) -> Material:
    """White with fine vessels; iris with fibres, collarette and dark rim. Object space: unit ball looking at −y."""
    nodes = Nodes("eye")
    split = nodes.add("ShaderNodeSeparateXYZ")
    nodes.set(split, 0, nodes.position())
    x, _, z = split.outputs
    radius = nodes.math("SQRT", nodes.math("ADD", nodes.math("MULTIPLY", x, x), nodes.math("MULTIPLY", z, z)))
    angle = nodes.math("ARCTAN2", z, x)
    outer = IRIS * iris_scale

    def polar(turns: float, rings: float) -> Socket:
        place = nodes.add("ShaderNodeCombineXYZ")
        nodes.set(place, 0, nodes.math("MULTIPLY", angle, turns))
        nodes.set(place, 1, nodes.math("MULTIPLY", radius, rings))
        return place.outputs[0]

    fibres = nodes.noise(3.4, 5, 0.7, polar(9.0, 3.0))
    streaks = nodes.noise(3.0, 3, 0.6, polar(3.5, 1.2))
    from_pupil = nodes.math("DIVIDE", nodes.math("SUBTRACT", radius, PUPIL), outer - PUPIL)
    dark, light = tuple(0.35 * c for c in iris), tuple(min(1.0, 2.3 * c) for c in iris)
    colour = nodes.mix(nodes.ramp(fibres, 0.36, 0.66), dark, light)
    colour = nodes.mix(
        nodes.math("MULTIPLY", nodes.ramp(streaks, 0.5, 0.72), 0.5),
        colour,
        tuple(min(1.0, c * m) for c, m in zip(iris, (3.2, 2.6, 1.9), strict=True)),
    )
    ragged = nodes.math("ADD", from_pupil, nodes.math("MULTIPLY", nodes.math("SUBTRACT", fibres, 0.5), 0.35))
    collarette = nodes.math("MULTIPLY", nodes.ramp(ragged, 0.42, 0.18), 0.55)
    colour = nodes.mix(collarette, colour, tuple(min(1.0, c * m) for c, m in zip(iris, (2.8, 2.0, 1.2), strict=True)))
    colour = nodes.mix(nodes.math("MULTIPLY", nodes.ramp(from_pupil, 0.70, 1.0), 0.92), colour, (0.012, 0.010, 0.010))
    colour = nodes.mix(nodes.ramp(radius, PUPIL + 0.02, PUPIL - 0.012), colour, (0.002, 0.002, 0.002))
    vessels = nodes.ramp(nodes.noise(2.6, 5, 0.75), 0.5, 0.75)
    white = nodes.mix(nodes.ramp(radius, 0.55, 1.0), (0.70, 0.665, 0.64), (0.60, 0.42, 0.38))
    white = nodes.mix(nodes.math("MULTIPLY", vessels, 0.45), white, (0.62, 0.44, 0.41))
    colour = nodes.mix(nodes.ramp(radius, outer + 0.03, outer - 0.03), white, colour)
    shader = nodes.principled
    nodes.set(shader, "Base Color", colour)
    shader.inputs["Roughness"].default_value = 0.4
    shader.inputs["Specular IOR Level"].default_value = 0.2
    shader.inputs["Subsurface Weight"].default_value = 0.3
    shader.inputs["Subsurface Radius"].default_value = (1, 0.6, 0.5)
    shader.inputs["Subsurface Scale"].default_value = 0.02
    return nodes.material


def clear_material(roughness: float = 0.14, strength: float = 1.0) -> Material:
    """Transparent with a near mirror on top (Fresnel): cornea and tear film.

    Not a perfect mirror: with some roughness the lamps themselves are sampled, so that few samples show catch-lights.
    """
    nodes = Nodes("clear", empty=True)
    fresnel = nodes.add("ShaderNodeFresnel", {"IOR": 1.40})
    share = nodes.math("MULTIPLY", fresnel.outputs[0], strength)
    clear = nodes.add("ShaderNodeBsdfTransparent")
    mirror = nodes.add("ShaderNodeBsdfGlossy", {"Roughness": roughness})
    mixed = nodes.add("ShaderNodeMixShader")
    nodes.set(mixed, 0, share)
    nodes.set(mixed, 1, clear.outputs[0])
    nodes.set(mixed, 2, mirror.outputs[0])
    output = nodes.add("ShaderNodeOutputMaterial")
    nodes.set(output, "Surface", mixed.outputs[0])
    return nodes.material


class Eye:
    """One eyeball with its cornea; `look` turns both."""

    def __init__(self, mesh: BaseMesh, vertices: Points, side: str, iris: Material, clear: Material) -> None:
        ball = vertices[mesh.ranges[f"helper-{side}-eye"]]
        self.radius = float(np.ptp(ball[:, 1])) / 2
        self.centre = (ball.max(0) + ball.min(0)) / 2
        self.centre[2] = ball[:, 2].max() - self.radius
        self._inward = -CONVERGENCE if side == "l" else CONVERGENCE
        self.ball = self._sphere("eye " + side, iris, 0.985, _dish)
        self.cornea = self._sphere("cornea " + side, clear, 1.0, _bulge)
        self.cornea.visible_shadow = False
        self.look(0, 0)

    def _sphere(self, name: str, material: Material, scale: float, profile: Callable[[float, float], float]) -> Any:
        shape = bmesh.new()
        bmesh.ops.create_uvsphere(shape, u_segments=64, v_segments=64, radius=1.0)
        quarter_turn = mathutils.Matrix.Rotation(math.radians(90), 3, "X")
        # poles to the front and back, so that the rings follow the iris
        bmesh.ops.rotate(shape, verts=shape.verts, cent=(0, 0, 0), matrix=quarter_turn)
        for vertex in shape.verts:
            radius = math.hypot(vertex.co.x, vertex.co.z)
            if vertex.co.y < 0:
                vertex.co.y = profile(radius, vertex.co.y)
        mesh = bpy.data.meshes.new(name)
        shape.to_mesh(mesh)
        shape.free()
        mesh.polygons.foreach_set("use_smooth", [True] * len(mesh.polygons))
        mesh.materials.append(material)
        made = bpy.data.objects.new(name, mesh)
        bpy.context.scene.collection.objects.link(made)
        made.location = to_blender(self.centre).tolist()
        made.scale = (self.radius * scale,) * 3
        return made

    def look(self, right: float, up: float) -> None:
        """Turn to `right` (of the image) and `up`, degrees."""
        for part in (self.ball, self.cornea):
            part.rotation_euler = (math.radians(-up), 0, math.radians(right + self._inward))


def _dish(radius: float, y: float) -> float:
    return y if radius >= IRIS else -math.sqrt(1 - IRIS**2) + 0.05 * (1 - (radius / IRIS) ** 2)


def _bulge(radius: float, y: float) -> float:
    edge = 0.62
    return y if radius >= edge else y - 0.085 * (1 - (radius / edge) ** 2)
