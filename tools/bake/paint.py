"""Fine marks painted on the skin in texture space: lid folds, lash line, wet rims, brow shadow and the lines of age."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from bake.basemesh import BaseMesh, Points
from bake.facial_hair import brow_middle
from bake.identity import Brow
from bake.landmarks import Landmarks

SIZE = 2048  # texels of the square texture
CELLS = 40  # samples along each side of a face
Texels = NDArray[np.float64]


@dataclass(frozen=True)
class FaceMap:
    """Where texels of the face are: rows and columns (n,) and places on the resting face (n,3), dm."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    places: Points

    def picture(self, red: Texels, green: Texels, blue: Texels) -> NDArray[np.float32]:
        """A texture (SIZE, SIZE, 4) from values 0–1 per texel, with gaps between the samples filled."""
        known = np.zeros((SIZE, SIZE), bool)
        known[self.rows, self.columns] = True
        values = np.zeros((SIZE, SIZE, 4), np.float32)
        values[..., 3] = 1
        for channel, layer in enumerate((red, green, blue)):
            values[self.rows, self.columns, channel] = layer
        distance, nearest = ndimage.distance_transform_edt(~known, return_indices=True)
        close = distance < 6
        values[close] = values[nearest[0][close], nearest[1][close]]
        return values


def face_map(mesh: BaseMesh, vertices: Points, marks: Landmarks) -> FaceMap:
    """Sample the front of the head in texture space."""
    corners: list[tuple[int, ...]] = []
    places: list[tuple[int, ...]] = []
    for face, uv, group in zip(mesh.faces, mesh.face_uvs, mesh.face_groups, strict=True):
        centre = vertices[list(face)].mean(0)
        if group == "body" and len(face) == 4 and centre[1] > marks.chin[1] - 0.3 and centre[2] > marks.ear[2]:
            places.append(face)
            corners.append(uv)
    steps = (np.arange(CELLS) + 0.5) / CELLS
    u, v = (grid.ravel()[None, :, None] for grid in np.meshgrid(steps, steps))

    def spread(values: Points, index: NDArray[np.int64]) -> Points:
        a, b, c, d = (values[index[:, corner]][:, None] for corner in range(4))
        return ((a * (1 - u) + b * u) * (1 - v) + (d * (1 - u) + c * u) * v).reshape(-1, values.shape[1])

    texture = spread(mesh.uv, np.array(corners))
    columns = np.clip((texture[:, 0] * SIZE).astype(np.int64), 0, SIZE - 1)
    rows = np.clip((texture[:, 1] * SIZE).astype(np.int64), 0, SIZE - 1)  # Blender's pictures start at the bottom
    _, first = np.unique(rows * SIZE + columns, return_index=True)
    return FaceMap(rows[first], columns[first], spread(vertices, np.array(places))[first])


def stroke(places: Points, line: Points, width: float | Points, *, mirrored: bool = True) -> Texels:
    """A soft line over the face along points (k,2) in x and y; width (dm) may vary along it; mirrored in x."""
    at = np.linspace(0, len(line) - 1, 240)
    dense = np.stack([np.interp(at, np.arange(len(line)), line[:, axis]) for axis in range(2)], 1)
    widths = np.interp(at, np.linspace(0, len(line) - 1, np.size(width)), np.atleast_1d(width))
    flat = places[:, :2] * [1, 1]
    if mirrored:
        flat = np.stack([np.abs(flat[:, 0]), flat[:, 1]], 1)
    distance, index = cKDTree(dense).query(flat, distance_upper_bound=0.25)
    near = np.isfinite(distance)
    value = np.zeros(len(places))
    value[near] = np.exp(-((distance[near] / widths[index[near]]) ** 2))
    return value


def paint_marks(
    faces: FaceMap, marks: Landmarks, lids: dict[int, tuple[Points, Points]], brow: Brow, age: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two textures: (groove, dark lash line, brow shadow) and (wet rim, folds' colour, unused); values 0–1.

    `lids` are the lid edges as `facial_hair.lid_margins` gives them; `age` 0–1 draws the lines of age.
    """
    places = faces.places
    front = places[:, 2] > marks.eye[2] - 0.35
    upper, lower = lids[1]
    eye = marks.eye
    fold = upper[:, :2].copy()
    rise = np.sin(np.pi * np.clip(np.linspace(0.06, 0.92, len(fold)), 0, 1)) ** 0.6
    fold[:, 1] += 0.028 + 0.034 * rise
    width = np.array([0.006, 0.011, 0.012, 0.012, 0.008])
    crease = stroke(places, fold, width) * 0.9
    groove = crease.copy()
    colour = crease * 0.8
    lash_line = np.maximum(
        stroke(places, upper[:, :2] + [0, 0.006], 0.011), 0.35 * stroke(places, lower[:, :2] - [0, 0.008], 0.009)
    )
    rim = stroke(places, lower[:, :2] + [0, 0.002], 0.008)
    along = np.linspace(0, 1, 40)
    middle = np.stack(brow_middle(along, marks, brow), 1)
    thickness = 0.030 * brow.thickness * (1 - 0.75 * along**1.5) * np.clip(along / 0.12, 0.5, 1)
    shadow = stroke(places, middle, thickness)
    if age > 0:
        lines = age * _lines_of_age(places, marks)
        groove = np.clip(groove + lines, 0, 1)
        colour = np.clip(colour + 0.5 * lines, 0, 1)
    smile = age * 0.5 + 0.16
    fold_line = stroke(places, _smile_fold(marks), np.array([0.02, 0.03, 0.035, 0.02])) * smile
    groove = np.clip(groove + 0.5 * fold_line, 0, 1)
    keep = front.astype(float) * (places[:, 2] > eye[2] - 0.2)
    first = faces.picture(groove * keep, lash_line * keep, shadow * keep)
    return first, faces.picture(rim * keep, colour * keep, 0 * keep)


def _smile_fold(marks: Landmarks) -> Points:
    nose, mouth = marks.nose, marks.mouth
    return np.array(
        [
            [0.175, nose[1] - 0.02],
            [0.235, nose[1] - 0.10],
            [0.295, (nose[1] + mouth[1]) / 2 - 0.06],
            [0.33, mouth[1] - 0.02],
        ]
    )


def _lines_of_age(places: Points, marks: Landmarks) -> Texels:
    eye, mouth = marks.eye, marks.mouth
    rng = np.random.default_rng(17)
    total = np.zeros(len(places))
    for row, strength in ((0.40, 0.5), (0.49, 0.65), (0.585, 0.4)):
        x = np.linspace(-0.5, 0.5, 40)
        y = eye[1] + row + 0.02 * np.cos(x * 7) + np.interp(x, np.linspace(-0.5, 0.5, 9), rng.normal(size=9) * 0.010)
        width = 0.009 * (1 - (np.abs(x) / 0.5) ** 3 * 0.9)
        total += strength * stroke(places, np.stack([x, y], 1), width, mirrored=False)
    corner = np.array([eye[0] + 0.22, eye[1] + 0.005])
    for angle in (-34, -14, 8, 28):
        reach = 0.13 + 0.04 * rng.random()
        t = np.linspace(0, 1, 12)[:, None]
        direction = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        line = corner + direction * (0.08 + reach * t) + [0, 0.02] * (t * t) * np.sign(angle)
        total += 0.35 * stroke(places, line, np.array([0.006, 0.006, 0.002]))
    for drop, strength in ((0.115, 0.55), (0.165, 0.45)):
        x = np.linspace(eye[0] - 0.15, eye[0] + 0.15, 20)
        y = eye[1] - drop - 0.03 * np.cos((x - eye[0]) / 0.15 * 1.4) + 0.02
        total += strength * stroke(places, np.stack([x, y], 1), np.array([0.004, 0.010, 0.004]))
    frown = np.array([[0.055, eye[1] + 0.14], [0.05, eye[1] + 0.22], [0.06, eye[1] + 0.31]])
    total += 0.4 * stroke(places, frown, np.array([0.004, 0.009, 0.003]))
    marionette = np.array([[0.30, mouth[1] - 0.10], [0.325, mouth[1] - 0.20], [0.33, mouth[1] - 0.30]])
    total += 0.4 * stroke(places, marionette, np.array([0.012, 0.014, 0.006]))
    return np.clip(total, 0, 1)


def blender_picture(name: str, values: NDArray[np.float32]) -> Any:
    """A non-colour image of Blender from an array (h, w, 4), bottom row first."""
    picture = bpy.data.images.new(name, values.shape[1], values.shape[0], alpha=True, float_buffer=True)
    picture.colorspace_settings.name = "Non-Color"
    picture.pixels.foreach_set(values.ravel())
    picture.update()
    return picture
