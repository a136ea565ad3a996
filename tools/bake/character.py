"""A whole person in the studio: builds all parts of an identity, poses them by ARKit weights and renders them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bake.basemesh import Face, Points, add_target, load_base_mesh
from bake.blender import Material, MeshObject, Nodes, Strands, plain_material
from bake.clothes import dress
from bake.eyes import Eye, clear_material, iris_material
from bake.facial_hair import beard_strands, brow_strands, lash_strands, lid_margins
from bake.hairline import hairline_of
from bake.hairstyles import Head, grow
from bake.identity import Identity
from bake.landmarks import find_landmarks
from bake.paint import blender_picture, face_map, paint_marks
from bake.scene import Studio, portrait_camera
from bake.skin import skin_masks, skin_material
from bake.smooth import smoothstep
from bake.surface import Bound, Surface
from bake.teeth import gum, rigid_motion, row_of_teeth

PARTS = (
    "body",
    "eyes",
    "cornea",
    "hair",
    "brows",
    "lashes",
    "upper_teeth",
    "lower_teeth",
    "tongue",
    "beard",
    "clothes",
)
HAIR_RADIUS, BROW_RADIUS, LASH_RADIUS, BEARD_RADIUS = 0.0030, 0.0013, 0.0018, 0.0018  # dm


class Character:
    """One person, ready to pose and render. Blender's state is global: only one Character per process.

    Attributes: `mesh` the base mesh; `rest` (V,3) vertices at rest, MakeHuman axes (x to the image's right, y up,
    z to the camera), dm; `marks` the landmarks of the face; `masks` skin regions per vertex; `camera` projects
    points to pixels; `hair_strands` (n, points, 3).
    """

    def __init__(self, identity: Identity, *, size: int = 768, samples: int = 24) -> None:
        self.identity = identity
        self.mesh = load_base_mesh()
        self._relaxed, self._arkit_scale = identity.shape()
        self.rest = self.deformed({})
        self.marks = find_landmarks(self.mesh, self._relaxed)
        self.camera = portrait_camera(self.marks.eye * [0, 1, 1], size)
        self.studio = Studio(self.camera, samples, identity.key_warmth, identity.rim)
        self.parts: dict[str, list[Any]] = {name: [] for name in PARTS}
        self._line = hairline_of(self.marks, identity.hair)
        self._build_body()
        self._build_eyes()
        self._build_mouth()
        self._build_hair()
        self._build_facial_hair()
        for garment in dress(self.mesh, self.rest, self.marks, identity):
            self.parts["clothes"].append(garment.object)
        self.pose({})

    def deformed(self, weights: Mapping[str, float]) -> Points:
        """Vertices (V,3) with ARKit weights added to the resting expression, dm."""
        total = dict(self.identity.rest)
        for name, weight in weights.items():
            total[name] = total.get(name, 0.0) + weight
        vertices = self._relaxed.copy()
        for name, weight in total.items():
            add_target(vertices, f"arkit/{name}", weight * self._arkit_scale)
        return vertices

    def pose(self, weights: Mapping[str, float], gaze: tuple[float, float] = (0.0, 0.0)) -> None:
        """Move everything to an expression; gaze is (to the image's right, up) in degrees."""
        vertices = self.deformed(weights)
        self.place(vertices)
        for eye in self._eyes:
            eye.look(*gaze)

    def place(self, vertices: Points) -> None:
        """Move body, tongue, lower teeth and facial hair to given vertices (V,3)."""
        self._body.move(vertices)
        self.tongue.move(vertices)
        lower = self.mesh.ranges["helper-lower-teeth"]
        rotation, shift = rigid_motion(self.rest[lower], vertices[lower])
        for part, points in self._lower_jaw:
            part.move(points @ rotation.T + shift)
        for strands, bound in self._riding:
            strands.move(bound.at(vertices))

    def show(self, parts: Iterable[str]) -> None:
        """Render only these parts.

        Raises:
            KeyError: a name that is not in PARTS.
        """
        wanted = set(parts)
        if unknown := wanted - set(PARTS):
            raise KeyError(f"no such part: {sorted(unknown)}")
        for name, objects in self.parts.items():
            for part in objects:
                part.hide_render = name not in wanted

    def render(
        self, path: Path | str, border: tuple[int, int, int, int] | None = None, samples: int | None = None
    ) -> None:
        """Write a PNG with alpha; see `Studio.render` for the border (left, top, right, bottom in pixels)."""
        self.studio.render(Path(path), border, samples)

    def _faces(self, lowest: float, *, front: float = -9.0, widest: float = 9.0) -> list[Face]:
        """Body faces above a height; in front of a depth; within a half width. All dm."""
        vertices = self.rest
        return [
            face
            for face in self.mesh.faces_of("body")
            if min(vertices[index][1] for index in face) > lowest
            and np.mean([vertices[index][2] for index in face]) > front
            and max(abs(vertices[index][0]) for index in face) < widest
        ]

    def _without_ears(self) -> Points:
        """The resting vertices with the ears pressed flat, for hair to lie on."""
        vertices = self.rest.copy()
        beside = np.abs(vertices[:, 1] - self.marks.ear[1]) < 0.45
        limit = self.marks.ear[0] - 0.12
        vertices[beside, 0] = np.clip(vertices[beside, 0], -limit, limit)
        return vertices

    def _lid_faces(self) -> list[Face]:
        centres = {face: self.rest[list(face)].mean(0) for face in self._faces(self.marks.eye[1] - 0.45, front=0.65)}
        return [
            face
            for face, centre in centres.items()
            if abs(centre[1] - self.marks.eye[1]) < 0.4 and 0.05 < np.abs(self.rest[list(face), 0]).mean() < 0.75
        ]

    def _build_body(self) -> None:
        masks = skin_masks(self.mesh, self._relaxed, self.marks, self._line)
        self.masks = masks
        kept: list[Face] = []
        corners: list[Face] = []
        for face, uv, group in zip(self.mesh.faces, self.mesh.face_uvs, self.mesh.face_groups, strict=True):
            if group == "body" and min(self.rest[index][1] for index in face) > 3.6:
                kept.append(face)
                corners.append(uv)
        self._lids = lid_margins(self.rest, self._lid_faces(), self.marks)
        marks = paint_marks(
            face_map(self.mesh, self.rest, self.marks),
            self.marks,
            self._lids,
            self.identity.brow,
            self.identity.skin.wrinkles,
        )
        pictures = [blender_picture(f"marks {number}", values) for number, values in enumerate(marks)]
        material = skin_material(self.identity, pictures)
        self._body = MeshObject(
            "body", self.rest, kept, material, subdivisions=2, uv=(self.mesh.uv, corners), attributes=masks
        )
        self.parts["body"].append(self._body.object)

    def _build_eyes(self) -> None:
        iris = iris_material(self.identity.iris, self.identity.iris_scale)
        clear = clear_material()
        self._eyes = [Eye(self.mesh, self.rest, side, iris, clear) for side in "lr"]
        self.parts["eyes"] = [eye.ball for eye in self._eyes]
        self.parts["cornea"] = [eye.cornea for eye in self._eyes]
        self.studio.glint_only_on(self.parts["cornea"])

    def _build_mouth(self) -> None:
        enamel = plain_material("enamel", (0.78, 0.71, 0.60), 0.16, scatter=0.03, radius=(1, 0.8, 0.6))
        flesh = plain_material("gum", (0.47, 0.14, 0.13), 0.25, scatter=0.03)
        upper = self.rest[self.mesh.ranges["helper-upper-teeth"]]
        lower = self.rest[self.mesh.ranges["helper-lower-teeth"]]
        front = float(upper[:, 2].max())
        points, faces, necks = row_of_teeth(True, front - 0.010, float(upper[:, 1].min()) - 0.030)
        gum_points, gum_faces = gum(necks, True)
        self.parts["upper_teeth"] = [
            MeshObject("upper teeth", points, faces, enamel).object,
            MeshObject("upper gum", gum_points, gum_faces, flesh, subdivisions=1).object,
        ]
        points, faces, necks = row_of_teeth(False, front - 0.05, float(lower[:, 1].max()) - 0.055, 3.8)
        gum_points, gum_faces = gum(necks, False)
        teeth = MeshObject("lower teeth", points, faces, enamel)
        gums = MeshObject("lower gum", gum_points, gum_faces, flesh, subdivisions=1)
        self._lower_jaw = [(teeth, points), (gums, gum_points)]
        self.parts["lower_teeth"] = [teeth.object, gums.object]
        wet = plain_material("tongue", (0.50, 0.165, 0.155), 0.28, scatter=0.04)
        self.tongue = MeshObject("tongue", self.rest, self.mesh.faces_of("helper-tongue"), wet, subdivisions=2)
        self.parts["tongue"].append(self.tongue.object)

    def _build_hair(self) -> None:
        hair = self.identity.hair
        skull = Surface(self._without_ears(), self._faces(self.marks.neck[1] - 1.0, widest=1.9))
        self.hair_strands = grow(Head(skull, self._line, self.marks), hair)
        material = hair_material("hair", hair.melanin, hair.redness, hair.grey)
        fine = 0.45 + 0.55 * smoothstep(0.0, 0.2, self._line.above(self.hair_strands[:, 0]))
        strands = Strands("hair", self.hair_strands, HAIR_RADIUS, material, thickness=fine)
        self.parts["hair"].append(strands.object)

    def _build_facial_hair(self) -> None:
        identity, hair = self.identity, self.identity.hair
        face = self._faces(self.marks.chin[1] - 0.3, front=self.marks.ear[2])
        front = [quad for quad in face if np.mean([self.rest[index][2] for index in quad]) > self.marks.eye[2] - 0.45]
        brow_hair = hair_material("brow", min(0.9, 0.92 * hair.melanin), 0.6 * hair.redness, 0.6 * hair.grey, 0.5)
        lash_hair = plain_material("lash", (0.014, 0.009, 0.007), 0.5)
        self._riding: list[tuple[Strands, Bound]] = []
        brows, bound = brow_strands(self.rest, front, self.marks, identity.brow)
        self._ride("brows", Strands("brows", brows, BROW_RADIUS, brow_hair), bound)
        lashes, bound = lash_strands(self.rest, self._lid_faces(), self._lids, identity.lash_length)
        self._ride("lashes", Strands("lashes", lashes, LASH_RADIUS, lash_hair, tip=0.1), bound)
        if identity.beard is not None:
            lips = self.mesh.vertex_mask_from_texture("mpfb_lips.jpg")
            beard, bound = beard_strands(self.rest, face, self.marks, identity.beard, lips)
            beard_hair = hair_material("beard", hair.melanin, hair.redness, hair.grey, 0.45)
            self._ride("beard", Strands("beard", beard, BEARD_RADIUS, beard_hair), bound)

    def _ride(self, part: str, strands: Strands, bound: Bound) -> None:
        self._riding.append((strands, bound))
        self.parts[part].append(strands.object)


def hair_material(name: str, melanin: float, redness: float, grey: float, roughness: float = 0.3) -> Material:
    """Principled hair; `grey` is the share of strands without colour, mixed strand by strand."""
    nodes = Nodes(name, empty=True)
    shader = nodes.add("ShaderNodeBsdfHairPrincipled", parametrization="MELANIN")
    values = {"Melanin Redness": redness, "Roughness": roughness, "Radial Roughness": 0.4}
    values |= {"Random Color": 0.18, "Random Roughness": 0.15}
    for key, value in values.items():
        if key in shader.inputs:
            shader.inputs[key].default_value = value
    strand = nodes.add("ShaderNodeHairInfo").outputs["Random"]
    dark = nodes.ramp(strand, 1.0 - grey + 0.12, 1.0 - grey - 0.12) if grey else 1.0
    nodes.set(shader, "Melanin", nodes.math("MULTIPLY", dark, melanin))
    if grey:
        shader.inputs["Tint"].default_value = (0.58, 0.60, 0.63, 1)
    output = nodes.add("ShaderNodeOutputMaterial")
    nodes.set(output, "Surface", shader.outputs[0])
    return nodes.material
