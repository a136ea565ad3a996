"""The few things the studio asks of Blender: objects from arrays, moved vertices, strands, shader nodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from bake.basemesh import Face, Points

Material = Any
Socket = Any


def to_blender(points: Points) -> Points:
    """MakeHuman axes (x, y up, z to the camera) as Blender axes (x, y away from the camera, z up)."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1)


class MeshObject:
    """A Blender mesh made of some faces of a vertex array; `move` sets new places for the same array.

    Textures may hold on to the attribute "rest": the places at the start.
    """

    def __init__(
        self,
        name: str,
        vertices: Points,
        faces: Iterable[Face],
        material: Material,
        *,
        subdivisions: int = 0,
        uv: tuple[Points, Iterable[Face]] | None = None,
        attributes: dict[str, NDArray[np.float64]] | None = None,
    ) -> None:
        faces = list(faces)
        self._used = np.array(sorted({index for face in faces for index in face}))
        place = {int(old): new for new, old in enumerate(self._used)}
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata(
            to_blender(vertices[self._used]).tolist(), [], [[place[index] for index in face] for face in faces]
        )
        if uv is not None:
            layer = mesh.uv_layers.new(name="uv")
            corners = np.array([uv[0][index] for face in uv[1] for index in face], np.float32)
            layer.data.foreach_set("uv", corners.ravel())
        for key, values in (attributes or {}).items():
            attribute = mesh.attributes.new(key, "FLOAT", "POINT")
            attribute.data.foreach_set("value", np.ascontiguousarray(values[self._used], np.float32))
        rest = mesh.attributes.new("rest", "FLOAT_VECTOR", "POINT")
        rest.data.foreach_set("vector", to_blender(vertices[self._used]).astype(np.float32).ravel())
        mesh.polygons.foreach_set("use_smooth", [True] * len(mesh.polygons))
        mesh.materials.append(material)
        self.object = bpy.data.objects.new(name, mesh)
        bpy.context.scene.collection.objects.link(self.object)
        if subdivisions:
            modifier = self.object.modifiers.new("subdivision", "SUBSURF")
            modifier.levels = 1
            modifier.render_levels = subdivisions

    def move(self, vertices: Points) -> None:
        """Take the places of this object's vertices from the whole array."""
        mesh = self.object.data
        mesh.vertices.foreach_set("co", to_blender(vertices[self._used]).astype(np.float32).ravel())
        mesh.update()


class Strands:
    """Hair curves: points (n, k, 3), greatest radius in dm; they are thinner at the root and the tip."""

    def __init__(
        self,
        name: str,
        points: Points,
        radius: float,
        material: Material,
        *,
        tip: float = 0.25,
        thickness: NDArray[np.float64] | None = None,
    ) -> None:
        """`tip` is the share of the radius left at the tip; `thickness` a factor per strand (n,)."""
        count, steps = points.shape[:2]
        curves = bpy.data.hair_curves.new(name)
        curves.add_curves([steps] * count)
        along = np.linspace(0, 1, steps)
        profile = (0.55 + 0.45 * np.clip(along / 0.15, 0, 1)) * (1 + (tip - 1) * along) * radius
        factors = np.ones(count) if thickness is None else thickness
        attribute = curves.attributes.get("radius") or curves.attributes.new("radius", "FLOAT", "POINT")
        attribute.data.foreach_set("value", np.outer(factors, profile).astype(np.float32).ravel())
        curves.materials.append(material)
        self.object = bpy.data.objects.new(name, curves)
        bpy.context.scene.collection.objects.link(self.object)
        self.move(points)

    def move(self, points: Points) -> None:
        """Set new places, same shape as at the start."""
        curves = self.object.data
        curves.attributes["position"].data.foreach_set("vector", to_blender(points).astype(np.float32).ravel())
        curves.update_tag()


class Nodes:
    """Short forms for building a shader tree of one material."""

    def __init__(self, name: str, *, empty: bool = False, on_rest: bool = False) -> None:
        """`on_rest`: procedural textures stick to the mesh as it moves, by the attribute "rest" of `MeshObject`."""
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        if empty:
            self.tree.nodes.clear()
        self._on_rest = on_rest
        self._coordinates: Socket | None = None

    @property
    def principled(self) -> Any:
        return self.tree.nodes["Principled BSDF"]

    def add(self, kind: str, inputs: dict[str, Any] | None = None, **settings: Any) -> Any:
        """A node; `inputs` are values or sockets by input name, settings are the node's properties."""
        node = self.tree.nodes.new(kind)
        for key, value in settings.items():
            setattr(node, key, value)
        for key, value in (inputs or {}).items():
            self.set(node, key, value)
        return node

    def set(self, node: Any, key: str | int, value: Any) -> None:
        """Give an input a number, a colour or another node's output."""
        socket = node.inputs[key]
        if hasattr(value, "is_linked"):
            self.tree.links.new(value, socket)
        elif isinstance(value, tuple | list) and len(value) == 3 and len(socket.default_value) == 4:
            socket.default_value = (*value, 1)
        else:
            socket.default_value = value

    def position(self) -> Socket:
        """Place of the shaded point, Blender axes, dm."""
        if self._coordinates is None:
            if self._on_rest:
                self._coordinates = self.add("ShaderNodeAttribute", attribute_name="rest").outputs["Vector"]
            else:
                self._coordinates = self.add("ShaderNodeTexCoord").outputs["Object"]
        return self._coordinates

    def attribute(self, name: str) -> Socket:
        return self.add("ShaderNodeAttribute", attribute_name=name).outputs["Fac"]

    def noise(self, scale: float, detail: float = 3, roughness: float = 0.6, at: Socket | None = None) -> Socket:
        """Fractal noise around 0.5; scale in cycles per dm."""
        node = self.add("ShaderNodeTexNoise", {"Scale": scale, "Detail": detail, "Roughness": roughness})
        self.set(node, "Vector", at if at is not None else self.position())
        return node.outputs["Fac"]

    def math(self, operation: str, first: Any, second: Any = 0.0, *, clamp: bool = False) -> Socket:
        node = self.add("ShaderNodeMath", operation=operation, use_clamp=clamp)
        self.set(node, 0, first)
        self.set(node, 1, second)
        return node.outputs[0]

    def ramp(self, value: Any, start: float, end: float) -> Socket:
        """Smooth step of a value from 0 at `start` to 1 at `end` (end may be below start)."""
        node = self.add("ShaderNodeMapRange", interpolation_type="SMOOTHSTEP")
        low, high, to_low, to_high = (start, end, 0.0, 1.0) if start < end else (end, start, 1.0, 0.0)
        for key, number in (("From Min", low), ("From Max", high), ("To Min", to_low), ("To Max", to_high)):
            node.inputs[key].default_value = number
        self.set(node, "Value", value)
        return node.outputs["Result"]

    def mix(self, share: Any, first: Any, second: Any, blend: str = "MIX") -> Socket:
        """Colours mixed by a share 0–1."""
        node = self.add("ShaderNodeMix", data_type="RGBA", blend_type=blend)
        for index, value in ((0, share), (6, first), (7, second)):
            self.set(node, index, value)
        return node.outputs[2]

    def total(self, *terms: Any) -> Socket:
        """The sum of sockets and numbers."""
        result = terms[0]
        for term in terms[1:]:
            result = self.math("ADD", result, term)
        return result

    def bump(self, height: Socket, strength: float, distance: float) -> Socket:
        """A normal from a height map; distance in dm."""
        node = self.add("ShaderNodeBump", {"Strength": strength, "Distance": distance, "Height": height})
        return node.outputs["Normal"]


def plain_material(
    name: str,
    colour: Sequence[float],
    roughness: float,
    *,
    scatter: float = 0.0,
    radius: Sequence[float] = (1, 0.4, 0.25),
) -> Material:
    """A one-colour Principled material; `scatter` is the subsurface scale in dm."""
    nodes = Nodes(name)
    shader = nodes.principled
    shader.inputs["Base Color"].default_value = (*colour, 1)
    shader.inputs["Roughness"].default_value = roughness
    if scatter:
        shader.inputs["Subsurface Weight"].default_value = 1
        shader.inputs["Subsurface Radius"].default_value = tuple(radius)
        shader.inputs["Subsurface Scale"].default_value = scatter
    return nodes.material
