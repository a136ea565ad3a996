"""The puppet's fields from landmarks: where each shape moves the skin, how deep it lies, what goes with the head."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.avatar.manifest import Box, Head, Window
from visavis.avatar.package import Fields
from visavis.avatar.photo.geometry import Doubles, curve_at, mesh, smooth_step, spread
from visavis.avatar.photo.landmarks import Face, Pose
from visavis.avatar.photo.lips import Lips
from visavis.avatar.photo.table import Table
from visavis.avatar.photo.topology import CHIN, LANDMARKS, LOWER_LIP, OVAL, UPPER_LIP

GRID: Final = 96
_STEP: Final = 6.0
"""Canonical pixels between the nodes of the mouth's window."""
_RING: Final = 1.55
"""Where the skin stands still: the face's outline, this many times as far from its middle."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the mouth is painted, for the manifest."""

    box: Box
    window: Window
    head: Head


def layout_of(face: Face, lips: Lips, pose: Pose, size: int) -> Layout:
    """The mouth's rectangle (the open mouth must fit) with its grid, and the head's pivot."""
    width, middle = lips.width, float(lips.line[:, 1].mean())
    drop = 0.62 * pose.scale
    box = Box(
        left=max(0, int(lips.line[0, 0] - 0.24 * width)),
        top=max(0, int(middle - 0.42 * width)),
        right=min(size, int(lips.line[-1, 0] + 0.24 * width)),
        bottom=min(size, int(middle + max(0.75 * width, drop))),
    )
    left, top = box.left - 4 * _STEP, box.top - 4 * _STEP
    window = Window(
        left=left,
        top=top,
        step=_STEP,
        columns=int((box.right + 4 * _STEP - left) / _STEP) + 1,
        rows=int((box.bottom + 4 * _STEP - top) / _STEP) + 1,
    )
    oval = face.points[list(OVAL), :2]
    height = float(np.ptp(oval[:, 1]))
    pivot = (round(float(oval[:, 0].mean()), 2), round(float(face.points[CHIN, 1]) + 0.3 * height, 2))
    head = Head(pivot=pivot, pivot_depth=round(-0.35 * height / pose.scale, 4), unit=round(pose.scale, 3))
    return Layout(box, window, head)


def fields_of(face: Face, lips: Lips, pose: Pose, table: Table, layout: Layout, size: int) -> Fields:
    """All fields but the gains."""
    step = size / GRID
    middles = (np.arange(GRID) + 0.5) * step
    grid_x, grid_y = mesh(middles, middles)
    window = layout.window
    fine_x, fine_y = mesh(
        window.left + window.step * np.arange(window.columns), window.top + window.step * np.arange(window.rows)
    )
    nodes = np.stack([np.append(grid_x, fine_x), np.append(grid_y, fine_y)], 1)
    upper, lower = _skins(face, lips, pose, table, nodes, size)
    split = GRID * GRID
    # The coarse grid cannot hold the step between the lips; a ramp leaves no notches in their line.
    under = nodes[:split, 1] - curve_at(lips.line, nodes[:split, 0])
    main = upper[:split] + smooth_step(-1.5 * step, 1.5 * step, under)[:, None] * (lower[:split] - upper[:split])
    shapes = len(table.shapes)

    def shaped(values: Doubles, rows: int, columns: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float16]]:
        return values.reshape(rows, columns, shapes, 2).transpose(2, 0, 1, 3).astype(np.float16)

    return Fields(
        main=shaped(main, GRID, GRID),
        upper=shaped(upper[split:], window.rows, window.columns),
        lower=shaped(lower[split:], window.rows, window.columns),
        depth=_depth(face, pose, grid_x, grid_y, size).astype(np.float16),
        head=_head(face, grid_x, grid_y).astype(np.float16),
        breath=_breath(face, grid_y).astype(np.float16),
    )


def _skins(face: Face, lips: Lips, pose: Pose, table: Table, nodes: Doubles, size: int) -> tuple[Doubles, Doubles]:
    """(nodes, K · 2) of the skin above and below the lips' line."""
    points = face.points[:, :2]
    moves = pose.scale * np.einsum("ij,knj->nki", pose.rotation[:2, :2], table.moves).reshape(LANDMARKS, -1)
    for row in (*UPPER_LIP, *LOWER_LIP):
        along = moves[list(row)]
        moves[list(row[1:-1])] = (along[:-2] + 2 * along[1:-1] + along[2:]) / 4
    oval = points[list(OVAL)]
    middle = oval.mean(0)
    ring = middle + (oval - middle) * _RING
    edge = np.linspace(0, size, 9)
    frame = np.array([(a, b) for a in edge for b in (0, size)] + [(b, a) for a in edge[1:-1] for b in (0, size)])
    still = np.concatenate([ring, frame])
    of_upper = {i for row in UPPER_LIP for i in row[1:-1]}
    of_lower = {i for row in LOWER_LIP for i in row[1:-1]}
    line = curve_at(lips.line, points[:, 0])
    between = (points[:, 0] > lips.line[0, 0] + 1) & (points[:, 0] < lips.line[-1, 0] - 1)
    goes_down = [i in of_lower or (i not in of_upper and points[i, 1] > line[i]) for i in range(LANDMARKS)]
    below = between & np.array(goes_down)
    above = between & ~below

    def field(chosen: NDArray[np.bool_]) -> Doubles:
        at = np.concatenate([points[chosen], still])
        values = np.concatenate([moves[chosen], np.zeros((len(still), moves.shape[1]))])
        return spread(at, values, nodes, smoothing=3.0)

    whole, upper, lower = field(np.ones(LANDMARKS, bool)), field(~below), field(~above)
    # Beside the corners there is one skin.
    inward = np.minimum(nodes[:, 0] - lips.line[0, 0], lips.line[-1, 0] - nodes[:, 0])
    apart = smooth_step(-0.02 * lips.width, 0.1 * lips.width, inward)[:, None]
    # Outside the ring nothing moves at all.
    reach = np.hypot((nodes[:, 0] - middle[0]) / np.ptp(ring[:, 0]), (nodes[:, 1] - middle[1]) / np.ptp(ring[:, 1]))
    near = (1 - smooth_step(0.42, 0.6, reach))[:, None]
    return near * (whole + apart * (upper - whole)), near * (whole + apart * (lower - whole))


def _depth(face: Face, pose: Pose, x: Doubles, y: Doubles, size: int) -> Doubles:
    """(GRID, GRID): towards the camera, in decimetres; beside the face it falls off to the shoulders."""
    points, towards = face.points[:, :2], -face.points[:, 2] / pose.scale
    oval = list(OVAL)
    middle = points[oval].mean(0)
    height = float(np.ptp(points[oval, 1])) / pose.scale
    edge = np.linspace(0, size, 9)
    frame = np.array([(a, b) for a in edge for b in (0, size)] + [(b, a) for a in edge[1:-1] for b in (0, size)])
    at = np.concatenate(
        [points, middle + (points[oval] - middle) * 1.25, middle + (points[oval] - middle) * 2.2, frame]
    )
    values = np.concatenate(
        [
            towards,
            towards[oval] - 0.12 * height,
            np.full(len(oval), -0.45 * height),
            np.full(len(frame), -0.5 * height),
        ]
    )
    nodes = np.stack([x.ravel(), y.ravel()], 1)
    rough = spread(at, values[:, None], nodes, smoothing=3.0).reshape(x.shape)
    # A jump of depth would tear the picture as the head turns.
    return np.asarray(cv2.GaussianBlur(rough, (0, 0), 3.5), np.float64)


def _head(face: Face, x: Doubles, y: Doubles) -> Doubles:
    """(GRID, GRID): 1 on the head and its hair, fading out around it and down the neck."""
    oval = face.points[list(OVAL), :2]
    height, chin = float(np.ptp(oval[:, 1])), float(face.points[CHIN, 1])
    middle = oval.mean(0) - (0, 0.13 * height)
    away = np.hypot((x - middle[0]) / (0.78 * height), (y - middle[1]) / (0.86 * height))
    neck = 1 - 0.95 * smooth_step(chin + 0.02 * height, chin + 0.45 * height, y)
    return (1 - smooth_step(0.85, 1.6, away)) * neck


def _breath(face: Face, y: Doubles) -> Doubles:
    """(GRID, GRID): the shoulders."""
    oval = face.points[list(OVAL), 1]
    height, chin = float(np.ptp(oval)), float(face.points[CHIN, 1])
    return smooth_step(chin + 0.05 * height, chin + 0.5 * height, y)
