"""The puppet's fields: the blendshapes of the visible skin on the picture's grids, carried on smoothly beyond it."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bake.projection import Projection
from bake.raster import Floats, Grid
from bake.smooth import blurred, distance_to, extended, nearest, soft_step

GRID: Final = 96
_NODES: Final = 128
"""Nodes a side of the grid that all is worked out on; the mouth's window is cut out of it."""
_CORNER: Final = 14.0
"""Pixels (of 768) inwards from the lips' corners over which the two skins part."""
_BESIDE: Final = 70.0
"""Pixels (of 768) beside the face over which its movement dies away …"""
_NECK: Final = 145.0
"""… and below the jaw, where the neck's skin must make way for the chin without being folded."""
_JUMP: Final = 0.07
"""Decimetres between neighbouring nodes by which the jaw stands out before the neck."""
_NOTHING: Final = 1 / 64


@dataclass(frozen=True, slots=True)
class Window:
    """The mouth's part of the working grid: its first node, its step in pixels, its size."""

    left: float
    top: float
    step: float
    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Skins:
    """(K, ``_NODES``, ``_NODES``, 2) displacement of the skin above and below the lips' line, and where it is seen."""

    upper: Floats
    lower: Floats
    line: Floats
    """(points, 2): the lips' line."""
    depth: Floats
    """(``_NODES``, ``_NODES``): of the body, NaN where there is none."""
    chin: float
    """Lowest row of the jaw in the middle, canonical pixels."""


def skins_of(mesh: Projection, line: Floats) -> Skins:
    """Project, split along the lips' ``line`` (points, 2) and extend."""
    size, unit = mesh.size, mesh.size / 768
    grid = Grid.over(size, _NODES)
    points = grid.points()
    seen = mesh.see(grid)
    shapes = len(mesh.names)
    moves = seen.read(mesh.moves.transpose(1, 0, 2).reshape(len(mesh.points), -1))
    depth = np.where(seen.hit, seen.read(mesh.depth), np.nan).astype(np.float32)
    face = seen.hit & (seen.read(mesh.inner) < 0.3)
    x, y = points[..., 0], points[..., 1]
    height = np.interp(x, line[:, 0], line[:, 1])
    beside = (x < line[0, 0] - 1) | (x > line[-1, 0] + 1)
    neck, chin = _below_jaw(depth, y, float(line[:, 1].mean()) + 30 * unit, grid.step)
    face &= ~neck

    fade = _fade(face, neck, grid.step, unit)
    sides = [extended(moves, face & ((y < height) | beside)), extended(moves, face & ((y > height) | beside))]
    upper, lower = (blurred(side, 0.7) * fade[..., None] for side in sides)
    # Beside the corners there is one skin; far above and below the line the two are the same anyway.
    inward = np.minimum(x - line[0, 0] - unit, line[-1, 0] - unit - x)
    apart = soft_step(0, _CORNER * unit, inward)
    near = np.exp(-(((y - height) / (26 * unit)) ** 2))
    share = (1 - (1 - apart) * near)[..., None]
    mean = (upper + lower) / 2
    upper, lower = mean + (upper - mean) * share, mean + (lower - mean) * share

    def shaped(values: NDArray[np.floating]) -> Floats:
        return values.reshape(_NODES, _NODES, shapes, 2).transpose(2, 0, 1, 3).astype(np.float32)

    return Skins(shaped(upper), shaped(lower), line, depth, chin)


def _below_jaw(depth: Floats, y: Floats, from_row: float, step: float) -> tuple[NDArray[np.bool_], float]:
    """What lies below the jaw's outline, and the chin's row: where depth drops, going down from the mouth."""
    rows, columns = depth.shape
    first = int(from_row / step)
    found: dict[int, int] = {}
    for column in range(columns):
        at = depth[:, column]
        for row in range(first, rows - 1):
            if not np.isnan(at[row]) and (np.isnan(at[row + 1]) or at[row] - at[row + 1] > _JUMP):
                found[column] = row
                break
    middle = columns // 2
    if middle not in found:
        raise ValueError("the jaw's outline was not found below the mouth")
    # The jaw rises from the chin to both sides; further out the drop is the shoulder's or the arm's.
    edge = {middle: found[middle]}
    for direction in (1, -1):
        column, row = middle + direction, found[middle]
        while column in found and found[column] <= row + 1 and abs(found[column] - row) <= 6:
            row = edge[column] = found[column]
            column += direction
    neck = np.zeros(depth.shape, np.bool_)
    for column, row in edge.items():
        neck[row + 1 :, column] = True
    return neck, float(y[found[middle], 0])


def _fade(face: NDArray[np.bool_], neck: NDArray[np.bool_], step: float, unit: float) -> Floats:
    """(rows, columns): how far movement carries on, by the distance from the face."""
    away = distance_to(face) * step / unit
    below = blurred(neck.astype(np.float32), 2.0)
    reach = _BESIDE + (_NECK - _BESIDE) * below
    return soft_step(1, 0, np.maximum(away - 2 * step / unit, 0) / reach)


def main_field(skins: Skins, size: int) -> Floats:
    """(K, ``GRID``, ``GRID``, 2): both skins in one, with a ramp between them: it cannot hold the step."""
    grid = Grid.over(size, _NODES)
    points = grid.points()
    under = points[..., 1] - np.interp(points[..., 0], skins.line[:, 0], skins.line[:, 1])
    share = soft_step(-grid.step, grid.step, under)[None, ..., None]
    both = skins.upper * (1 - share) + skins.lower * share
    return np.stack([_on_grid(field) for field in both])


def _on_grid(values: Floats) -> Floats:
    # Larger first: the areas of 128 and 96 nodes share borders at 384.
    fine = cv2.resize(values, (3 * _NODES, 3 * _NODES), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(fine, (GRID, GRID), interpolation=cv2.INTER_AREA), np.float32)


def window_around(box: tuple[int, int, int, int], size: int) -> tuple[Window, slice, slice]:
    """The nodes around a box (left, top, right, bottom) with four to spare, and their rows and columns."""
    step = size / _NODES
    left, top, right, bottom = (int(side / step) for side in box)
    rows = slice(max(0, top - 4), min(_NODES, bottom + 5))
    columns = slice(max(0, left - 4), min(_NODES, right + 5))
    window = Window(
        (columns.start + 0.5) * step,
        (rows.start + 0.5) * step,
        step,
        columns.stop - columns.start,
        rows.stop - rows.start,
    )
    return window, rows, columns


def mouth_box(skins: Skins, names: tuple[str, ...], size: int) -> tuple[int, int, int, int]:
    """The rectangle that the open mouth fits in."""
    unit = size / 768
    line = skins.line
    width = float(line[-1, 0] - line[0, 0])
    middle = line.mean(0)
    row, column = int(middle[1] / size * _NODES) + 1, int(middle[0] / size * _NODES)
    drop = float(skins.lower[names.index("jawOpen"), row, column, 1])
    return (
        max(0, int(line[0, 0] - 0.22 * width - 6 * unit)),
        max(0, int(middle[1] - 0.42 * width)),
        min(size, int(line[-1, 0] + 0.22 * width + 6 * unit)),
        min(size, int(middle[1] + 0.36 * width + 0.75 * drop)),
    )


def depth_field(skins: Skins, hair: Floats, hair_depth: Floats, size: int) -> Floats:
    """(``GRID``, ``GRID``): body and hair, blurred so that no turn of the head tears the picture."""
    front, _ = _hair_on_grid(hair, hair_depth, size)
    whole = np.fmax(skins.depth, front)
    known = ~np.isnan(whole)
    filled = nearest(np.nan_to_num(whole), known)
    return _on_grid(blurred(filled, 4.5))


def head_field(skins: Skins, matte: Floats, hair: Floats, hair_depth: Floats, size: int, dm: float) -> Floats:
    """(``GRID``, ``GRID``): 1 on the head and its hair; the neck fades into the shoulders, hair that lies on them
    follows the head less and less. ``matte`` (size, size) 0–1; ``dm``: pixels of a decimetre."""
    y = Grid.over(size, _NODES).points()[..., 1]
    body = soft_step(skins.chin + 0.75 * dm, skins.chin - 0.15 * dm, y)
    fallen = 1 - 0.78 * soft_step(skins.chin - 0.1 * dm, skins.chin + 1.5 * dm, y)
    front, strands = _hair_on_grid(hair, hair_depth, size)
    before = (strands > 2) & ~(skins.depth > front + 0.02)
    covered = blurred(before.astype(np.float32), 2.5)
    weight = blurred(body * (1 - covered) + np.maximum(body, fallen) * covered, 1.5)
    return _on_grid(weight * _beside_person(matte))


def breath_field(skins: Skins, matte: Floats, head: Floats, size: int, dm: float) -> Floats:
    """(``GRID``, ``GRID``): chest and shoulders."""
    y = Grid.over(size, GRID).points()[..., 1]
    chest = soft_step(skins.chin + 0.05 * dm, skins.chin + 0.95 * dm, y)
    beside = _on_grid(_beside_person(matte))
    return chest * beside * (1 - 0.5 * head)


def _beside_person(matte: Floats) -> Floats:
    """(``_NODES``, ``_NODES``): 1 on the person and a little around it, dying away from there."""
    small = cv2.resize(matte, (_NODES, _NODES), interpolation=cv2.INTER_AREA)
    return soft_step(24.0, 3.0, distance_to(np.asarray(small > 0.02)))


def _hair_on_grid(hair: Floats, depth: Floats, size: int) -> tuple[Floats, Floats]:
    """(``_NODES``, ``_NODES``) each: depth of the foremost hair, NaN where there is none; how many points there are."""
    front = np.full(_NODES * _NODES, -np.inf, np.float32)
    column, row = (np.floor(hair[:, axis] / size * _NODES).astype(np.int64) for axis in (0, 1))
    inside = (column >= 0) & (column < _NODES) & (row >= 0) & (row < _NODES)
    place = (row * _NODES + column)[inside]
    np.maximum.at(front, place, depth[inside])
    count = np.bincount(place, minlength=_NODES * _NODES).astype(np.float32)
    front[np.isinf(front)] = np.nan
    return front.reshape(_NODES, _NODES), count.reshape(_NODES, _NODES)


def stored(field: Floats) -> NDArray[np.float16]:
    """As it is kept: what is too small to see is zero, which also packs well."""
    return np.where(np.abs(field) < _NOTHING, 0, field).astype(np.float16)
