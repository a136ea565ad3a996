"""The hair styles: each turns a head into strands (n, points, 3), dm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bake.basemesh import Points
from bake.hair import fly_away, gather, plant, press_to, rest_on, shorten, wave
from bake.hairline import Hairline
from bake.identity import Hair
from bake.landmarks import Landmarks
from bake.smooth import smoothstep
from bake.surface import Surface, unit


@dataclass(frozen=True)
class Head:
    """What hair grows on: the skin of head, neck and shoulders (rest pose)."""

    surface: Surface
    line: Hairline
    marks: Landmarks


def grow(head: Head, hair: Hair) -> Points:
    """The strands of a style."""
    styles = {"shoulder": _shoulder, "crop": _crop, "short": _short, "bun": _bun}
    return styles[hair.style](head, hair, np.random.default_rng(hair.seed))


def _shoulder(head: Head, hair: Hair, rng: np.random.Generator) -> Points:
    """Parted at the side, lifted at the roots, over the ears and down to the shoulders in soft waves."""
    steps = 36
    roots = plant(head.surface, head.line, hair.strands, 320, rng)
    start, count = roots.places, hair.strands
    eye, centre = head.marks.eye[1], head.marks.centre
    zigzag = 0.025 * np.sin(start[:, 2] * 23) + 0.02 * rng.normal(size=count)
    side = _sides(start, zigzag, hair.parting, centre)
    front = smoothstep(centre[2] + 0.1, centre[2] + 0.9, start[:, 2])
    high = smoothstep(eye + 0.25, eye + 0.95, start[:, 1])
    framing = front * np.exp(-((head.line.above(start) / 0.22) ** 2))
    near_part = np.exp(-(((start[:, 0] - hair.parting) / 0.20) ** 2)) * high
    spread = roots.per_clump(rng, 3) * 0.07 + rng.normal(size=(count, 3)) * 0.025
    end = head.marks.neck[1] + 0.02 - 0.35 * (hair.length - 1) + 0.10 * rng.normal(size=roots.clumps)[roots.clump]
    length = np.maximum(start[:, 1] - end + 0.75 * high + 0.25, 0.5)
    step = length / (steps - 1)
    lift = 0.05 + 0.085 * high * (0.3 + 0.7 * roots.layer) * (1 + 0.1 * near_part)
    strands = np.zeros((count, steps, 3))
    strands[:, 0] = point = start
    away = np.stack([side * 0.7, 0.4 * front, -0.35 - 0.2 * front], 1)
    heading = unit(roots.normals * (0.4 + 1.6 * near_part[:, None]) + away)
    for index in range(1, steps):
        s = index / (steps - 1)
        out = smoothstep(0.30, 0.72, np.abs(point[:, 0]))
        low = smoothstep(eye + 0.45, eye - 0.25, point[:, 1])
        back = 0.34 + 0.10 * (1 - front) - 0.30 * framing
        comb = np.stack([side * (1 - 0.85 * out), 0.05 - 1.0 * out, -back * (1 - 0.7 * out)], 1)
        inward = smoothstep(eye - 0.25, eye - 1.0, point[:, 1])
        fall = np.stack([side * (0.05 - 0.27 * inward), -np.ones(count), 0.03 + 0.10 * front * inward], 1)
        turn = np.clip(low + 0.45 * out, 0, 1)[:, None]
        wish = unit(unit(comb) * (1 - turn) + fall * turn + spread)
        heading = unit(0.62 * heading + 0.38 * wish)
        point = point + heading * step[:, None]
        volume = lift * (0.5 + 0.5 * np.sin(np.pi * np.clip(s * 2.2, 0, 1))) * smoothstep(0, 0.04, np.array(s))
        beside_ear = np.exp(-(((point[:, 1] - head.marks.ear[1]) / 0.4) ** 2))
        hang = 0.04 + 0.06 * beside_ear + 0.12 * roots.layer
        hanging = smoothstep(eye + 0.5, eye - 0.35, point[:, 1])
        height = (0.02 + volume) * (1 - hanging) + hang * hanging
        point = rest_on(head.surface, point, height)
        crown = (point[:, 1] > eye + 0.35) & (s < 0.55)
        point = np.where(crown[:, None], _settle(head.surface, point, 0.02 + volume), point)
        strands[:, index] = point
    strands = wave(strands, roots, rng, hair.wave, 1.5, 0.2)
    strands = gather(strands, roots, 0.45, 0.2, side)
    strands = shorten(strands, np.clip(1 - 0.35 * rng.random(count) ** 2.2, 0.3, 1))
    return fly_away(strands, centre, rng, 0.06, 0.10)


def _sides(start: Points, jitter: Points, parting: float, centre: Points) -> Points:
    """−1 … 1 per root: which way hair falls. Sharp at the parting in front, soft behind the crown."""
    across = start[:, 0] + jitter - parting
    back = smoothstep(centre[2] + 0.85, centre[2] + 0.35, start[:, 2])
    return np.sign(across) * (1 - back) + np.clip(across / 0.4, -1, 1) * back


def _settle(surface: Surface, points: Points, height: Points) -> Points:
    """Let points sink half way to `height` above the skin when they are higher."""
    _, normals, now = surface.nearest(points)
    excess = np.clip(now - height, 0, None) * 0.5
    return points - normals * excess[:, None]


def _short(head: Head, hair: Hair, rng: np.random.Generator) -> Points:
    """Short back and sides, the top combed from a parting with some lift at the front."""
    steps = 12
    roots = plant(head.surface, head.line, hair.strands, 620, rng)
    start, count = roots.places, hair.strands
    eye, centre = head.marks.eye[1], head.marks.centre
    top = smoothstep(eye + 0.40, eye + 0.85, start[:, 1])
    front = smoothstep(centre[2] + 0.2, centre[2] + 0.9, start[:, 2])
    side = _sides(start, 0.03 * rng.normal(size=count), hair.parting, centre)
    edge = smoothstep(0.02, 0.22, head.line.above(start))
    length = (0.09 + 0.36 * top) * hair.length * (0.65 + 0.5 * rng.random(count)) * (0.45 + 0.55 * edge)
    spread = roots.per_clump(rng, 3) * 0.20 + rng.normal(size=(count, 3)) * 0.08
    step = length / (steps - 1)
    strands = np.zeros((count, steps, 3))
    strands[:, 0] = point = start
    heading = unit(roots.normals + 0.3 * spread)
    for index in range(1, steps):
        s = index / (steps - 1)
        across = side * (0.9 * top + 0.10)
        up = (0.25 + 0.45 * front) * top - 0.9 * (1 - top)
        comb = np.stack([across, up, -0.50 * top * (0.4 + front) - 0.40 * (1 - top)], 1)
        heading = unit(0.66 * heading + 0.34 * unit(unit(comb) + spread))
        point = point + heading * step[:, None]
        height = 0.012 + (0.015 + 0.12 * top * (0.25 + 0.75 * roots.layer)) * np.sin(np.pi * min(0.6, 0.8 * s))
        point = rest_on(head.surface, point, height)
        point = _settle(head.surface, point, height)
        strands[:, index] = point
    strands = gather(strands, roots, 0.35, 0.2, side)
    return fly_away(strands, centre, rng, 0.05, 0.05)


def _crop(head: Head, hair: Hair, rng: np.random.Generator) -> Points:
    """Tight coils, cropped: fuller on top, faded at the sides and neck."""
    steps = 12
    roots = plant(head.surface, head.line, hair.strands, 900, rng, edge=0.2)
    count = hair.strands
    eye = head.marks.eye[1]
    top = smoothstep(eye + 0.30, eye + 0.95, roots.places[:, 1])
    edge = smoothstep(0.0, 0.12, head.line.above(roots.places))
    length = (0.028 + 0.14 * top) * hair.length * (0.75 + 0.4 * rng.random(count)) * (0.5 + 0.5 * edge)
    lean = unit(roots.normals + roots.per_clump(rng, 3) * 0.22 + rng.normal(size=(count, 3)) * 0.15 + [0, 0.05, 0])
    first = unit(np.cross(lean, rng.normal(size=(count, 3))))
    second = np.cross(lean, first)
    along = np.linspace(0, 1, steps)[None, :, None]
    turns = (2.2 * length / 0.15)[:, None, None]
    angle = 2 * np.pi * turns * along + rng.uniform(0, 6.28, (count, 1, 1))
    coil = (
        0.016
        * np.minimum(1, along * 4)
        * (0.6 + 0.8 * rng.random((count, 1, 1)))
        * np.clip(length / 0.12, 0.3, 1)[:, None, None]
    )
    strands = roots.places[:, None] + lean[:, None] * length[:, None, None] * along
    return strands + coil * (first[:, None] * np.cos(angle) + second[:, None] * np.sin(angle))


def _bun(head: Head, hair: Hair, rng: np.random.Generator) -> Points:
    """Combed up and back into a bun behind the crown, with loose short hair along the hairline."""
    steps = 24
    roots = plant(head.surface, head.line, hair.strands, 420, rng, edge=1.2)
    start, count = roots.places, hair.strands
    eye, centre, crown = head.marks.eye[1], head.marks.centre, head.marks.crown
    side = np.clip((start[:, 0] - hair.parting) / 0.5, -1, 1)
    front = smoothstep(centre[2] + 0.1, centre[2] + 0.9, start[:, 2])
    bun = np.array([0.0, crown[1] - 0.04, centre[2] - 0.36])
    spread = roots.per_clump(rng, 3) * 0.045 + rng.normal(size=(count, 3)) * 0.025
    at_edge = np.exp(-((head.line.above(start) / 0.07) ** 2))
    baby = rng.random(count) < 0.30 * at_edge
    length = np.where(baby, 0.08 + 0.22 * rng.random(count), np.linalg.norm(start - bun, axis=1) * 1.12)
    step = length / (steps - 1)
    high = smoothstep(eye + 0.35, eye + 0.9, start[:, 1])
    lift = 0.02 + (0.03 + 0.04 * front + 0.07 * high) * (0.2 + 0.8 * roots.layer)
    strands = np.zeros((count, steps, 3))
    strands[:, 0] = point = start
    heading = unit(roots.normals * 0.5 + np.stack([side * 0.25, 0.5 + 0 * side, -0.4 + 0 * side], 1) + 3 * spread)
    for index in range(1, steps):
        s = index / (steps - 1)
        over = np.stack([side * 0.25 * front, 0.5 + 0 * side, -0.6 + 0 * side], 1)
        turn = np.clip(s * 1.8 - 0.3 * front, 0, 1)[:, None]
        wish = unit(unit(over) * (1 - turn) + unit(bun - point) * turn + spread * np.where(baby, 4, 1)[:, None])
        heading = unit(0.55 * heading + 0.45 * wish)
        point = point + heading * step[:, None]
        height = 0.015 + lift * np.sin(np.pi * min(0.9, 0.08 + 0.85 * s)) ** 0.8
        point = press_to(head.surface, point, np.where(baby, 0.015 + 0.07 * s, height))
        strands[:, index] = point
    combed = fly_away(strands, centre, rng, 0.04, 0.05)
    return np.concatenate([combed, _knot(bun + np.array([0, 0.10, 0]), count // 6, steps, rng)])


def _knot(centre: Points, count: int, steps: int, rng: np.random.Generator) -> Points:
    """Strands wound into a bun (a torus whose hole looks up and back)."""
    axis = unit(np.array([0.0, 0.75, -0.65]))
    first = np.array([1.0, 0, 0])
    second = np.cross(axis, first)
    turn = rng.uniform(0, 6.28, (count, 1)) + np.linspace(0, 4.2, steps)[None]
    tube = rng.uniform(0, 6.28, (count, 1)) + 0.9 * np.linspace(0, 4.2, steps)[None] + 0.2 * rng.normal(size=(count, 1))
    thick = 0.125 * (0.8 + 0.25 * rng.random((count, 1)))
    ring = (0.155 + thick * np.cos(tube))[..., None] * (
        np.cos(turn)[..., None] * first + np.sin(turn)[..., None] * second
    )
    stray = (rng.random((count, 1, 1)) < 0.05) * rng.normal(size=(count, 1, 3)) * 0.02
    return centre + ring + (thick * np.sin(tube))[..., None] * axis + stray
