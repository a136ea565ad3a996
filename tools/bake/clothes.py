"""What people wear: jumper, open shirt, blazer over a top, cardigan over a shirt."""

from __future__ import annotations

import numpy as np

from bake.basemesh import BaseMesh, Points
from bake.blender import Material, MeshObject, plain_material
from bake.fabrics import cotton, knit, suiting
from bake.identity import Identity
from bake.landmarks import Landmarks
from bake.surface import Surface
from bake.tailoring import (
    Line,
    Piece,
    around_neck,
    ball,
    body_piece,
    button,
    on_front,
    rolled_band,
    strip,
    turned_collar,
)


def dress(mesh: BaseMesh, vertices: Points, marks: Landmarks, person: Identity) -> list[MeshObject]:
    """The garments of a person as objects."""
    tailor = Tailor(mesh, vertices, marks)
    garments = {"jumper": tailor.jumper, "shirt": tailor.shirt, "blazer": tailor.blazer, "cardigan": tailor.cardigan}
    garments[person.garment](person)
    if person.earrings:
        tailor.earrings(marks)
    return tailor.made


class Tailor:
    """Makes garments for one body; `made` collects the objects."""

    def __init__(self, mesh: BaseMesh, vertices: Points, marks: Landmarks) -> None:
        self._mesh, self._vertices, self._neck = mesh, vertices, marks.neck
        self.made: list[MeshObject] = []

    def jumper(self, person: Identity) -> None:
        wool = knit(person.cloth)
        ring, _ = self._body("jumper", self._round(0.10), 0.02, wool, 0.05)
        self._add("jumper edge", rolled_band(ring, 0.035, 0.055), wool, subdivisions=1)

    def shirt(self, person: Identity) -> None:
        fabric = cotton(person.cloth)
        ring, surface = self._buttoned(fabric)
        collar = turned_collar(ring, surface, gap=0.16, stand=0.17, fall=0.28, point=0.24, spread=0.8)
        self._add("shirt collar", collar, fabric, thickness=0.018, subdivisions=1)

    def _buttoned(self, fabric: Material) -> tuple[Points, Surface]:
        """A shirt without its collar; its neck ring and surface."""
        ring, surface = self._body("shirt", self._round(0.06, dip=0.10), 0.03, fabric, 0.015)
        top = self._neck[1] - 0.30
        placket = strip(surface, np.array([[0.0, top], [0.0, 3.9]]), -0.07, 0.07, 0.012)
        self._add("placket", placket, fabric, thickness=0.012)
        pearl = plain_material("button", (0.75, 0.74, 0.70), 0.25)
        for y in np.arange(top - 0.10, 4.0, -0.50):
            centre = on_front(surface, np.array([0.0]), np.array([y]), 0.032)[0]
            self._add("button", button(centre, 0.032), pearl)
        return ring, surface

    def cardigan(self, person: Identity) -> None:
        fabric, wool = cotton(person.second_cloth), knit(person.cloth)
        ring, _ = self._buttoned(fabric)
        x, y = 0.56, self._neck[1] - 0.08
        _, surface = self._body("cardigan", self._vee(x, 1.25), 0.065, wool, 0.04)
        for side in (1, -1):
            line = np.array([[side * (x + 0.02), y], [side * 0.30, y - 0.55], [side * 0.04, y - 1.25]])
            self._add("band", strip(surface, line, -0.075, 0.075, 0.05), wool, thickness=0.03, subdivisions=1)
        collar = turned_collar(ring, surface, gap=0.13, stand=0.17, fall=0.30, point=0.20, spread=0.5, above=0.10)
        self._add("shirt collar", collar, fabric, thickness=0.018, subdivisions=1)

    def blazer(self, person: Identity) -> None:
        top = cotton(person.second_cloth)
        ring, _ = self._body("top", self._round(0.16, dip=0.12), 0.02, top, 0.012)
        self._add("top edge", rolled_band(ring, 0.020, 0.030), top)
        wool = suiting(person.cloth)
        x, y = 0.52, self._neck[1] - 0.02
        ring, surface = self._body("blazer", self._vee(x, 1.45), 0.075, wool, 0.03)
        for side in (1, -1):
            line = np.array([[side * x, y], [side * 0.40, y - 0.45], [side * 0.24, y - 0.95], [side * 0.04, y - 1.45]])
            wide = np.array([0.10, 0.16, 0.22, 0.40, 0.36, 0.28, 0.20])
            inner, outer = -side * 0.03, side * wide
            self._add("lapel", strip(surface, line, inner, outer, 0.075), wool, thickness=0.03, subdivisions=1)
        collar_ring = around_neck(ring)
        collar = turned_collar(collar_ring, surface, gap=0.85, stand=0.05, fall=0.24, point=0.08, above=0.06)
        self._add("blazer collar", collar, wool, thickness=0.025, subdivisions=1)

    def earrings(self, marks: Landmarks) -> None:
        """A small golden ball on each lobe."""
        gold = plain_material("gold", (0.85, 0.55, 0.20), 0.18)
        gold.node_tree.nodes["Principled BSDF"].inputs["Metallic"].default_value = 1
        for side in (1, -1):
            self._add("earring", ball((marks.lobe + np.array([0.01, 0.06, 0.05])) * [side, 1, 1], 0.035), gold)

    def _round(self, low: float, dip: float = 0.0) -> Line:
        """A round neckline `low` dm under the neck's joint, `dip` dm deeper in front."""
        neck = self._neck

        def height(points: Points) -> Points:
            x, z = np.abs(points[:, 0]), points[:, 2] - neck[2]
            slope = -0.20 * np.clip((z - 0.1) / 0.7, -1, 1) - 0.10 * np.clip(z - 0.5, 0, 1)
            front = np.clip(z / 0.5, 0, 1) * np.clip(1 - x / 0.5, 0, 1)
            return neck[1] - low + slope - dip * front + 0.10 * np.clip(x - 0.5, 0, 1)

        return height

    def _vee(self, half: float, depth: float) -> Line:
        """A V from `half` dm beside the neck down to `depth` dm; closed round behind the neck."""
        neck = self._neck

        def height(points: Points) -> Points:
            x, z = np.abs(points[:, 0]), points[:, 2] - neck[2]
            behind = neck[1] - 0.02
            front = neck[1] - 0.06 - depth * np.clip(1 - x / half, 0, 1) ** 0.85
            share = np.clip((z - 0.05) / 0.25, 0, 1)
            return behind * (1 - share) + front * share + 0.35 * np.clip(x - half, 0, 1)

        return height

    def _body(self, name: str, line: Line, away: float, material: Material, thickness: float) -> tuple[Points, Surface]:
        points, faces, rim = body_piece(self._mesh, self._vertices, line, away)
        self._add(name, (points, faces), material, thickness=thickness, subdivisions=1)
        return around_neck(rim), Surface(points, faces)

    def _add(
        self, name: str, piece: Piece, material: Material, *, thickness: float = 0.0, subdivisions: int = 0
    ) -> None:
        made = MeshObject(name, piece[0], piece[1], material, subdivisions=subdivisions)
        if thickness:
            modifier = made.object.modifiers.new("thickness", "SOLIDIFY")
            modifier.thickness, modifier.offset = thickness, 1.0
        self.made.append(made)
