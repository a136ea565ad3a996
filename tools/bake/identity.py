"""What makes one person: numbers only, no Blender. `Identity.shape()` turns them into vertices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from bake.basemesh import BaseMesh, Points, add_target, load_base_mesh
from bake.smooth import smoothstep

Colour = tuple[float, float, float]
HairStyle = Literal["shoulder", "crop", "short", "bun"]
Garment = Literal["jumper", "shirt", "blazer", "cardigan"]
FACE_HEIGHT = 1.90  # dm from the jaw joint to the head's top joint, the same for everyone
EYES = np.array([0.0, 6.70, 1.10])  # where everyone's eyes are, dm


@dataclass(frozen=True)
class Skin:
    """Linear RGB colours; amounts 0–1."""

    tone: Colour
    lips: Colour
    flush: float = 0.5  # red of cheeks, nose and chin
    mottle: float = 0.5  # how uneven the colour is
    freckles: float = 0.2
    wrinkles: float = 0.0
    gloss: float = 0.42
    under_eye: float = 0.5


@dataclass(frozen=True)
class Hair:
    """Melanin and redness as in Blender's Principled Hair shader, 0–1; grey is the share of white strands."""

    style: HairStyle
    strands: int
    melanin: float
    redness: float
    grey: float = 0.0
    hairline: float = 0.0  # dm the front hairline is raised
    recession: float = 0.0  # 0–1, corners of the forehead bare
    parting: float = 0.2  # x of the parting, dm
    length: float = 1.0
    wave: float = 0.06
    seed: int = 2


@dataclass(frozen=True)
class Brow:
    """Brow strands of one side; offsets in dm."""

    strands: int = 480
    raised: float = 0.0
    thickness: float = 1.0
    arch: float = 1.0
    length: float = 1.0
    shadow: float = 0.45  # 0–1, colour under the hair


@dataclass(frozen=True)
class Beard:
    strands: int
    length: float  # dm
    coverage: float = 1.0  # 0 chin and lip only … 1 full


@dataclass(frozen=True)
class Identity:
    """One person. `macro` and `detail` are MakeHuman targets with weights; `rest` ARKit weights of the resting face."""

    name: str
    macro: dict[str, float]
    detail: dict[str, float]
    rest: dict[str, float]
    skin: Skin
    hair: Hair
    iris: Colour
    garment: Garment
    cloth: Colour
    second_cloth: Colour = (0.7, 0.7, 0.7)
    brow: Brow = field(default_factory=Brow)
    beard: Beard | None = None
    lash_length: float = 1.0
    lash_line: float = 0.6  # 0–1, darkness along the lashes
    shoulder_width: float = 1.55  # dm from the middle to the outside of the shoulder
    earrings: bool = False
    rim: float = 1.0  # strength of the lights from behind
    key_warmth: float = 0.0  # −1 cool … 1 warm
    iris_scale: float = 1.0

    def shape(self) -> tuple[Points, float]:
        """Vertices (V,3) of the person with relaxed face, and the scale that ARKit displacements need."""
        mesh = load_base_mesh()
        vertices = mesh.vertices.copy()
        for name, weight in {**self.macro, **both_sides(self.detail)}.items():
            add_target(vertices, name, weight)
        scale = _normalise(mesh, vertices)
        _hang_arms(mesh, vertices, self.shoulder_width)
        return vertices, scale


def macro(
    sex: Literal["female", "male"],
    age: Literal["young", "old"],
    origins: dict[str, float],
    *,
    muscle: str = "average",
    weight: str = "average",
    proportions: float = 0.6,
) -> dict[str, float]:
    """MakeHuman macro targets; `origins` mixes "caucasian", "asian" and "african" shapes and should sum to 1."""
    body = f"{sex}-{age}-{muscle}muscle-{weight}weight"
    targets = {f"macrodetails/{origin}-{sex}-{age}": share for origin, share in origins.items()}
    targets[f"macrodetails/universal-{body}"] = 1.0
    targets[f"macrodetails/proportions/{body}-idealproportions"] = proportions
    return targets


def blend(first: dict[str, float], second: dict[str, float], share: float) -> dict[str, float]:
    """Targets between two sets: `share` 0 is the first, 1 the second."""
    names = {**first, **second}
    return {name: (1 - share) * first.get(name, 0) + share * second.get(name, 0) for name in names}


def both_sides(detail: dict[str, float]) -> dict[str, float]:
    """Detail targets written with "l-" also for the right side."""
    mirrored = dict(detail)
    for name, weight in detail.items():
        folder, _, leaf = name.partition("/")
        if leaf.startswith("l-"):
            mirrored[f"{folder}/r-{leaf.removeprefix('l-')}"] = weight
    return mirrored


def _normalise(mesh: BaseMesh, vertices: Points) -> float:
    top = vertices[mesh.joints["joint-head-2"]].mean(0)
    jaw = vertices[mesh.joints["joint-jaw"]].mean(0)
    eyes = vertices[np.concatenate([mesh.ranges["helper-l-eye"], mesh.ranges["helper-r-eye"]])].mean(0)
    scale = FACE_HEIGHT / float(top[1] - jaw[1])
    vertices -= [0, eyes[1], eyes[2]]
    vertices *= scale
    vertices += EYES
    return scale


def _hang_arms(mesh: BaseMesh, vertices: Points, width: float) -> None:
    """Let the arms hang and draw the shoulders in: the base mesh holds them out, and a square portrait cuts them."""
    shoulder = vertices[mesh.joints["joint-l-shoulder"]].mean(0)
    elbow = vertices[mesh.joints["joint-l-elbow"]].mean(0)
    along = elbow - shoulder
    turn = np.arctan2(along[0], -along[1]) - np.radians(4)
    for side in (1.0, -1.0):
        points = vertices * [side, 1, 1]
        reach = (points[:, :2] - shoulder[:2]) @ (along[:2] / np.linalg.norm(along[:2]))
        weight = smoothstep(-0.45, 0.35, reach) * (points[:, 0] > 0.7) * (points[:, 1] < shoulder[1] + 0.9)
        angle = -turn * weight
        offset = points[:, :2] - shoulder[:2]
        turned = np.stack(
            [
                offset[:, 0] * np.cos(angle) - offset[:, 1] * np.sin(angle),
                offset[:, 0] * np.sin(angle) + offset[:, 1] * np.cos(angle),
            ],
            1,
        )
        moved = weight > 0
        points[moved, :2] = turned[moved] + shoulder[:2]
        vertices[moved] = points[moved] * [side, 1, 1]
    neck = float(vertices[mesh.joints["joint-neck"]].mean(0)[1])
    below_neck = smoothstep(neck + 0.05, neck - 0.5, vertices[:, 1])
    outer = float(np.abs(vertices[mesh.ranges["body"]][:, 0])[vertices[mesh.ranges["body"]][:, 1] > 4.2].max())
    squeeze = 1 + (min(1.0, width / outer) - 1) * below_neck
    vertices[:, 0] *= squeeze
