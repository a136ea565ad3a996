"""Skin: per-vertex masks of the face's regions and one procedural material with subsurface light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from bake.basemesh import BaseMesh, Points, texture_path
from bake.blender import Material, Nodes, Socket
from bake.hairline import Hairline
from bake.identity import Identity, Skin
from bake.landmarks import Landmarks

Mask = NDArray[np.float64]
MOUTH_INSIDE = (0.26, 0.07, 0.07)


def skin_masks(mesh: BaseMesh, vertices: Points, marks: Landmarks, hairline: Hairline) -> dict[str, Mask]:
    """Values 0–1 per vertex: where the skin is flushed, shaded, oily, bearded, scalp, or inside the mouth."""
    x, y, z = np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]
    eye, nose, chin = marks.eye, marks.nose, marks.chin

    def spot(
        cx: float, cy: float, cz: float, radius: float, wide: float = 1, tall: float = 1, deep: float = 1.5
    ) -> Mask:
        squared = ((x - cx) / wide) ** 2 + ((y - cy) / tall) ** 2 + ((z - cz) / deep) ** 2
        return np.exp(-squared / radius**2)

    flush = (
        spot(0.46, eye[1] - 0.32, eye[2] + 0.08, 0.22, 1.15, 0.85)
        + 0.9 * spot(0, nose[1] + 0.02, nose[2] - 0.03, 0.13)
        + 0.35 * spot(0, chin[1] + 0.18, eye[2] + 0.2, 0.16)
        + 0.6 * spot(marks.ear[0], marks.ear[1], marks.ear[2], 0.28)
        + 0.25 * spot(0, eye[1] + 0.45, eye[2] + 0.2, 0.3)
    )
    shade = (
        0.7 * spot(eye[0] - 0.02, eye[1] - 0.03, eye[2] + 0.15, 0.19, 1.2, 0.8)
        + 0.6 * spot(0.14, eye[1] - 0.02, eye[2] + 0.1, 0.10)
        + 0.5 * spot(0.11, nose[1] - 0.10, nose[2] - 0.16, 0.06)
    )
    under_eye = spot(eye[0] - 0.05, eye[1] - 0.20, eye[2] + 0.15, 0.12, 1.5, 0.75)
    oily = (
        spot(0, eye[1] + 0.45, eye[2] + 0.2, 0.36)
        + spot(0, nose[1] + 0.05, nose[2], 0.22)
        + 0.5 * spot(0.45, eye[1] - 0.2, eye[2], 0.2)
    )
    beard = beard_area(vertices, marks)
    inner = mesh.vertex_mask_from_texture("mpfb_inside-mouth.jpg")
    return {
        "flush": np.clip(flush, 0, 1),
        "shade": np.clip(shade, 0, 1),
        "under_eye": np.clip(under_eye, 0, 1),
        "oily": np.clip(oily, 0, 1),
        "beard": beard,
        "scalp": hairline.cover(vertices),
        "inner": inner,
    }


def beard_area(vertices: Points, marks: Landmarks, coverage: float = 1.0) -> Mask:
    """0–1 where a beard grows: jaw, chin and upper lip; `coverage` 0 leaves the cheeks bare."""
    x, y, z = np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]
    mouth, chin, nose, ear = marks.mouth, marks.chin, marks.nose, marks.ear
    lip = mouth[1] + 0.02
    # the upper edge of a beard: from under the nose over the cheek to the side burn
    edge = np.interp(
        x,
        [0, 0.16, 0.30, 0.45, 0.62, 0.75],
        [nose[1] - 0.12, nose[1] - 0.13, lip - 0.02, lip + 0.02, lip + 0.25, lip + 0.6],
    )
    area = np.clip((edge - y) / 0.06, 0, 1)
    area *= np.clip((y - (chin[1] - 0.05)) / 0.12, 0, 1)
    area *= np.clip((z - (ear[2] + 0.22)) / 0.10, 0, 1)
    if coverage < 1:
        near_mouth = np.exp(-((x / 0.34) ** 4)) * (y < lip + 0.3)
        area *= np.clip(near_mouth + coverage, 0, 1)
    return area


def skin_material(person: Identity, pictures: Sequence[Any]) -> Material:
    """Layered colour (mottle, flush, freckles, lips, scalp), pores and lines as bump, uneven gloss, scattering."""
    skin = person.skin
    nodes = Nodes("skin", on_rest=True)
    lip = _lip_mask(nodes)
    marks = _painted(nodes, pictures)
    colour = _painted_colour(nodes, person, _colour(nodes, person, lip), marks)
    shader = nodes.principled
    nodes.set(shader, "Base Color", colour)
    nodes.set(shader, "Normal", nodes.bump(_relief(nodes, skin, lip, marks), 0.45, 0.012))
    oily = nodes.math("MULTIPLY", nodes.attribute("oily"), -0.10)
    wet = nodes.math("MULTIPLY", nodes.attribute("inner"), -0.2)
    gloss_noise = nodes.math("MULTIPLY", nodes.noise(45, 4), 0.20)
    roughness = nodes.total(0.33, gloss_noise, nodes.math("MULTIPLY", lip, -0.15), oily, wet)
    nodes.set(shader, "Roughness", roughness)
    shader.inputs["Specular IOR Level"].default_value = skin.gloss
    shader.inputs["Subsurface Weight"].default_value = 1
    shader.inputs["Subsurface Radius"].default_value = (1, 0.36, 0.2)
    shader.inputs["Subsurface Scale"].default_value = 0.036
    return nodes.material


def _lip_mask(nodes: Nodes) -> Socket:
    picture = bpy.data.images.load(str(texture_path("mpfb_lips.jpg")))
    picture.colorspace_settings.name = "Non-Color"
    texture = nodes.add("ShaderNodeTexImage", image=picture, interpolation="Cubic")
    ragged = nodes.math("MULTIPLY", nodes.math("SUBTRACT", nodes.noise(30, 3), 0.5), 0.25)
    return nodes.ramp(nodes.math("ADD", texture.outputs["Color"], ragged), 0.12, 0.92)


def _times(colour: tuple[float, float, float], red: float, green: float, blue: float) -> tuple[float, float, float]:
    return colour[0] * red, colour[1] * green, colour[2] * blue


def _colour(nodes: Nodes, person: Identity, lip: Socket) -> Socket:
    skin, tone = person.skin, person.skin.tone
    large, middle, fine = nodes.noise(2.2), nodes.noise(9, 4, 0.65), nodes.noise(32, 4, 0.7)
    colour = nodes.mix(
        nodes.math("MULTIPLY", nodes.ramp(large, 0.35, 0.7), skin.mottle), tone, _times(tone, 0.96, 0.83, 0.80)
    )
    colour = nodes.mix(
        nodes.math("MULTIPLY", nodes.ramp(middle, 0.5, 0.75), 0.55 * skin.mottle),
        colour,
        _times(tone, 1.06, 1.02, 0.92),
    )
    colour = nodes.mix(
        nodes.math("MULTIPLY", nodes.ramp(fine, 0.48, 0.72), 0.9 * skin.mottle), colour, _times(tone, 0.88, 0.74, 0.70)
    )
    flush = nodes.math("MULTIPLY", nodes.attribute("flush"), nodes.math("ADD", middle, 0.3))
    colour = nodes.mix(nodes.math("MULTIPLY", flush, skin.flush, clamp=True), colour, _times(tone, 0.99, 0.62, 0.58))
    colour = nodes.mix(nodes.math("MULTIPLY", nodes.attribute("shade"), 0.5), colour, _times(tone, 0.76, 0.62, 0.62))
    colour = nodes.mix(
        nodes.math("MULTIPLY", nodes.attribute("under_eye"), skin.under_eye), colour, _times(tone, 0.74, 0.58, 0.64)
    )
    cells = nodes.add("ShaderNodeTexVoronoi", {"Scale": 26.0})
    nodes.set(cells, "Vector", nodes.position())
    spot = nodes.math(
        "MULTIPLY", nodes.ramp(cells.outputs["Distance"], 0.2, 0.08), nodes.ramp(nodes.noise(5), 0.45, 0.65)
    )
    colour = nodes.mix(nodes.math("MULTIPLY", spot, skin.freckles), colour, _times(tone, 0.66, 0.46, 0.38))
    if person.beard is not None:
        follicles = nodes.ramp(nodes.noise(70, 2), 0.35, 0.6)
        shadow = nodes.math(
            "MULTIPLY", nodes.attribute("beard"), nodes.math("ADD", nodes.math("MULTIPLY", follicles, 0.35), 0.25)
        )
        colour = nodes.mix(shadow, colour, _times(tone, 0.30, 0.27, 0.28))
    root = 0.02 + 0.35 * person.hair.grey
    scalp = nodes.math("MULTIPLY", nodes.attribute("scalp"), 0.80 if person.hair.recession < 0.3 else 0.55)
    colour = nodes.mix(scalp, colour, _times(tone, 0.16 + root, 0.13 + root, 0.12 + root))
    darker = _times(skin.lips, 0.76, 0.62, 0.62)
    lip_colour = nodes.mix(nodes.ramp(nodes.noise(38, 4, 0.7), 0.35, 0.75), skin.lips, darker)
    colour = nodes.mix(nodes.math("MULTIPLY", lip, 0.85), colour, lip_colour)
    return nodes.mix(nodes.attribute("inner"), colour, MOUTH_INSIDE)


def _relief(nodes: Nodes, skin: Skin, lip: Socket, marks: dict[str, Socket]) -> Socket:
    pores = nodes.add("ShaderNodeTexVoronoi", {"Scale": 95.0})
    warped = nodes.add("ShaderNodeVectorMath", operation="ADD")
    nodes.set(warped, 0, nodes.position())
    jitter = nodes.add("ShaderNodeTexNoise", {"Scale": 40.0, "Detail": 2.0})
    nodes.set(jitter, "Vector", nodes.position())
    small = nodes.add("ShaderNodeVectorMath", operation="SCALE")
    nodes.set(small, 0, jitter.outputs["Color"])
    small.inputs["Scale"].default_value = 0.012
    nodes.set(warped, 1, small.outputs[0])
    nodes.set(pores, "Vector", warped.outputs[0])
    pore = nodes.math("MULTIPLY", nodes.ramp(pores.outputs["Distance"], 0.0, 0.45), 0.55)
    height = nodes.total(
        pore, nodes.math("MULTIPLY", nodes.noise(70, 5, 0.75), 0.8), nodes.math("MULTIPLY", nodes.noise(14), 0.55)
    )
    off_lip = nodes.math("SUBTRACT", 1.0, nodes.math("MULTIPLY", lip, 0.7))
    height = nodes.math("MULTIPLY", height, off_lip)
    creases = nodes.add("ShaderNodeTexWave", {"Scale": 14.0, "Distortion": 6.0, "Detail": 3.0}, bands_direction="X")
    nodes.set(creases, "Vector", nodes.position())
    height = nodes.math(
        "ADD", height, nodes.math("MULTIPLY", nodes.math("MULTIPLY", creases.outputs["Fac"], lip), 0.35)
    )
    height = nodes.math("ADD", height, nodes.math("MULTIPLY", marks["groove"], -4.0))
    if skin.wrinkles:
        height = nodes.math("ADD", height, nodes.math("MULTIPLY", _net(nodes), skin.wrinkles))
    return height


def _net(nodes: Nodes) -> Socket:
    """The fine crossed net of old skin."""
    net = nodes.add("ShaderNodeTexVoronoi", {"Scale": 22.0}, feature="DISTANCE_TO_EDGE")
    nodes.set(net, "Vector", nodes.position())
    return nodes.math("MULTIPLY", nodes.ramp(net.outputs["Distance"], 0.0, 0.12), 0.7)


def _painted(nodes: Nodes, pictures: Sequence[Any]) -> dict[str, Socket]:
    """The marks of `paint.paint_marks` as sockets by name."""
    names = (("groove", "lash_line", "brow"), ("rim", "fold", "unused"))
    marks: dict[str, Socket] = {}
    for picture, channels in zip(pictures, names, strict=True):
        texture = nodes.add("ShaderNodeTexImage", image=picture, interpolation="Cubic")
        split = nodes.add("ShaderNodeSeparateColor")
        nodes.set(split, 0, texture.outputs["Color"])
        marks |= dict(zip(channels, split.outputs, strict=True))
    return marks


def _painted_colour(nodes: Nodes, person: Identity, colour: Socket, marks: dict[str, Socket]) -> Socket:
    tone = person.skin.tone
    colour = nodes.mix(nodes.math("MULTIPLY", marks["fold"], 0.55), colour, _times(tone, 0.62, 0.46, 0.42))
    brow = nodes.math("MULTIPLY", marks["brow"], person.brow.shadow)
    colour = nodes.mix(brow, colour, _times(tone, 0.34, 0.28, 0.26))
    colour = nodes.mix(nodes.math("MULTIPLY", marks["rim"], 0.6), colour, (0.55, 0.25, 0.22))
    return nodes.mix(nodes.math("MULTIPLY", marks["lash_line"], person.lash_line), colour, (0.03, 0.018, 0.014))
