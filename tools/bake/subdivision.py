"""The smooth surface that Cycles renders of a coarse mesh, as vertices: fields must fit the picture, not the cage."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from bake.basemesh import Face, Points


class Subdivided:
    """Some faces of a vertex array, subdivided once onto the limit surface. It is hidden from renders."""

    def __init__(self, vertices: Points, faces: list[Face]) -> None:
        self._used = np.array(sorted({index for face in faces for index in face}))
        place = {int(old): new for new, old in enumerate(self._used)}
        mesh = bpy.data.meshes.new("subdivided")
        mesh.from_pydata(vertices[self._used].tolist(), [], [[place[index] for index in face] for face in faces])
        self._object = bpy.data.objects.new("subdivided", mesh)
        self._object.hide_render = True
        bpy.context.scene.collection.objects.link(self._object)
        modifier = self._object.modifiers.new("subdivision", "SUBSURF")
        modifier.levels = 1
        self.quads = self._evaluated()[1]
        """(F, 4): the faces, the same for all places of the vertices."""

    def at(self, vertices: Points) -> Points:
        """(V, 3): the surface for places of the whole array's vertices, or for any three values per vertex."""
        mesh = self._object.data
        mesh.vertices.foreach_set("co", vertices[self._used].astype(np.float32).ravel())
        mesh.update()
        return self._evaluated()[0]

    def _evaluated(self) -> tuple[Points, NDArray[np.int64]]:
        bpy.context.view_layer.update()
        shown = self._object.evaluated_get(bpy.context.evaluated_depsgraph_get())
        mesh = shown.to_mesh()
        points = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", points)
        corners = np.empty(len(mesh.loops), np.int32)
        mesh.loops.foreach_get("vertex_index", corners)
        shown.to_mesh_clear()
        return points.reshape(-1, 3).astype(np.float64), corners.reshape(-1, 4).astype(np.int64)
