"""The lips' line, and lips brought together: an avatar's picture shows a closed mouth."""

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from visavis.avatar.package import Pixels
from visavis.avatar.photo.geometry import Doubles, Floats, curve_at, pixel_centres, sample, smooth_step, spread
from visavis.avatar.photo.landmarks import Face
from visavis.avatar.photo.topology import LANDMARKS, LOWER_INNER, LOWER_LIP, UPPER_INNER, UPPER_LIP

_OPEN: Final = 0.035
"""Gap between the lips, in widths of the mouth, from which they have to be closed."""
_UPPER_SHARE: Final = 0.6
"""How much of the gap the upper lip closes: a smile has raised it."""
_SEARCH: Final = 0.05
"""How far from the landmarks the dark between closed lips is looked for, in widths of the mouth."""
_CUT: Final = 0.008
"""How far above the painted line the layers are cut, in widths of the mouth."""
_LIP_SHADOW: Final = np.array([0.5, 0.52, 0.38])
"""How much light the line between the lips takes, of B, G, R: it lies among red."""
_CORNER_DARK: Final = 0.72
"""Light below which, as a share of the skin's, the corner of an open mouth is its dark."""
_COLUMNS: Final = 61


@dataclass(frozen=True, slots=True)
class Lips:
    """``line``: (N, 2) the closed lips' line, left to right, canonical pixels.

    ``gap``: how far they were apart in the photograph; ``open_upper``/``open_lower``: the inner borders there, like
    ``line``.
    """

    line: Doubles
    gap: float
    open_upper: Doubles
    open_lower: Doubles

    @property
    def width(self) -> float:
        return float(self.line[-1, 0] - self.line[0, 0])


def close_lips(picture: Pixels, face: Face) -> tuple[Pixels, Face, Lips]:
    """The picture and the face with closed lips, and where their line is."""
    points = face.points[:, :2]
    upper, lower = _border(points, UPPER_INNER), _border(points, LOWER_INNER)
    width = float(upper[-1, 0] - upper[0, 0])
    gap = float((lower[:, 1] - upper[:, 1]).max())
    if gap < _OPEN * width:
        line = _dark_line(picture, (upper + lower) / 2, width)
        moved = face.points.copy()
        for row in (UPPER_INNER, LOWER_INNER):
            inner = list(row[1:-1])
            moved[inner, 1] = curve_at(line, moved[inner, 0])
        return picture, replace(face, points=moved), Lips(line, 0.0, upper, lower)
    closed = upper.copy()
    closed[:, 1] += _UPPER_SHARE * (lower[:, 1] - upper[:, 1])
    moves_upper, moves_lower = _closing(points)
    out = _painted(picture, points, (moves_upper, moves_lower), upper, lower, closed)
    moved = face.points.copy()
    moved[:, :2] += np.where(np.abs(moves_upper) > 0, moves_upper, moves_lower)
    # The layers are cut so that the upper one keeps the dark and takes nothing of the lower lip.
    return out, replace(face, points=moved), Lips(closed - (0.0, _CUT * width), gap, upper, lower)


def _border(points: Doubles, row: tuple[int, ...]) -> Doubles:
    places = points[list(row)]
    places = places[np.argsort(places[:, 0])]
    x: Doubles = np.linspace(float(places[0, 0]), float(places[-1, 0]), _COLUMNS)
    y = curve_at(places, x)
    # Eleven points make corners that a lip does not have.
    kernel = np.array([1, 4, 6, 4, 1]) / 16
    y[2:-2] = np.convolve(y, kernel, "valid")
    return np.stack([x, y], 1)


def _dark_line(picture: Pixels, start: Doubles, width: float) -> Doubles:
    """The darkest smooth line from corner to corner near ``start``, by dynamic programming."""
    reach = max(3, round(_SEARCH * width))
    offsets = np.arange(-2 * reach, 2 * reach + 1) / 2
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (0, 0), 1.2)
    y = start[:, 1] + offsets[:, None]
    x = np.tile(start[:, 0], (len(offsets), 1))
    light = sample(np.asarray(grey, np.uint8), x, y).astype(np.float64)
    contrast = max(4.0, float(np.std(light)))
    # The corners are known better than the middle, where a photograph shows the dark better.
    bound = np.minimum(np.arange(len(start)), np.arange(len(start))[::-1]) / (len(start) / 4)
    stiff = 0.6 + 3 * np.clip(1 - bound, 0, 1)
    cost = light / contrast + stiff * (offsets[:, None] / reach) ** 2
    total, came = cost[:, 0], np.zeros(cost.shape, np.intp)
    for column in range(1, cost.shape[1]):
        held = np.pad(total, 1, constant_values=np.inf)
        options = np.stack([held[:-2] + 0.15, held[1:-1], held[2:] + 0.15])
        choice = options.argmin(0)
        came[:, column] = np.arange(len(total)) + choice - 1
        total = options.min(0) + cost[:, column]
    path = np.empty(len(start), np.intp)
    path[-1] = int(total.argmin())
    for column in range(len(start) - 1, 0, -1):
        path[column - 1] = came[path[column], column]
    line = start.copy()
    shift = offsets[path]
    kernel = np.ones(5) / 5
    shift[2:-2] = np.convolve(shift, kernel, "valid")
    line[:, 1] += shift
    return line


def _closing(points: Doubles) -> tuple[Doubles, Doubles]:
    """(468, 2) each: how the points of the upper and of the lower lip move, the others zero.

    A smile draws the lips out thin: their outer borders move less, and they become full again.
    """
    moves_upper, moves_lower = np.zeros((LANDMARKS, 2)), np.zeros((LANDMARKS, 2))
    gaps = points[list(LOWER_INNER)] - points[list(UPPER_INNER)]
    for rows, moves, share, fades in (
        (UPPER_LIP, moves_upper, _UPPER_SHARE, (0.5, 0.67, 0.84, 1.0)),
        (LOWER_LIP, moves_lower, _UPPER_SHARE - 1, (0.75, 0.83, 0.92, 1.0)),
    ):
        for row, fade in zip(rows, fades, strict=True):
            inner = list(row[1:-1])
            moves[inner, 1] = share * fade * gaps[1:-1, 1]
    return moves_upper, moves_lower


def _painted(
    picture: Pixels,
    points: Doubles,
    moves: tuple[Doubles, Doubles],
    upper: Doubles,
    lower: Doubles,
    closed: Doubles,
) -> Pixels:
    width = float(upper[-1, 0] - upper[0, 0])
    left, right = int(upper[0, 0] - 0.5 * width), int(upper[-1, 0] + 0.5 * width)
    top, bottom = int(upper[:, 1].min() - 0.6 * width), int(lower[:, 1].max() + 0.6 * width)
    height, across = picture.shape[:2]
    left, top, right, bottom = max(0, left), max(0, top), min(across, right), min(height, bottom)
    x, y = pixel_centres(left, top, right, bottom)
    line, edge_upper, edge_lower = (curve_at(curve, x[0]) for curve in (closed, upper, lower))
    between = (x[0] > upper[0, 0]) & (x[0] < upper[-1, 0])
    step = 4
    nodes = np.stack([x[::step, ::step].ravel(), y[::step, ::step].ravel()], 1)
    lips = {i for row in (*UPPER_LIP, *LOWER_LIP) for i in row[1:-1]}
    still = [i for i in range(LANDMARKS) if i not in lips]
    sources: list[Doubles] = []
    for rows, shift in zip((UPPER_LIP, LOWER_LIP), moves, strict=True):
        chosen = [*still, *sorted({i for row in rows for i in row[1:-1]})]
        # From where the points are after the move, back to where they were: the inverse at once.
        back = spread(points[chosen] + shift[chosen], -shift[chosen, 1:2], nodes, smoothing=0.2)
        coarse = back.reshape(x[::step, ::step].shape)
        at_x, at_y = (x - left - 0.5) / step + 0.5, (y - top - 0.5) / step + 0.5
        sources.append(y + sample(coarse.astype(np.float32), at_x, at_y))
    # Nothing of what was between the lips may be read.
    from_upper = np.where(between, np.minimum(sources[0], edge_upper - 1.0), sources[0])
    from_lower = np.where(between, np.maximum(sources[1], edge_lower + 1.0), sources[1])
    above = np.clip(line - y + 0.5, 0, 1)
    values = _without_mouth(picture, upper, lower)
    mixed = sample(values, x, from_upper) * above[..., None] + sample(values, x, from_lower) * (1 - above)[..., None]
    inside = smooth_step(0, 0.15 * width, np.minimum(x - closed[0, 0], closed[-1, 0] - x))
    # Mostly on the upper lip: what opens is the lower one, and it must not take the dark with it.
    away = (y - line + 0.004 * width) / (0.013 * width)
    dark = inside * np.exp(-(np.where(away > 0, 2 * away, away) ** 2) / 2)
    mixed = mixed * (1 - dark[..., None] * _LIP_SHADOW)
    border = np.minimum(np.minimum(x - left, right - x), np.minimum(y - top, bottom - y))
    share = smooth_step(0, 0.1 * width, border)[..., None]
    out = picture.copy()
    part = out[top:bottom, left:right]
    part[...] = np.clip(mixed * share + part * (1 - share) + 0.5, 0, 255).astype(np.uint8)
    return out


def _without_mouth(picture: Pixels, upper: Doubles, lower: Doubles) -> Floats:
    """The picture with lips where the open mouth was, and where its dark reaches beyond the corners."""
    width = float(upper[-1, 0] - upper[0, 0])
    ring = np.concatenate([upper, lower[::-1]])
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.asarray(np.rint(ring - 0.5), np.int32)], 1)
    light = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    skin = cv2.medianBlur(light, 2 * round(0.14 * width) + 1)
    near: Pixels = np.zeros_like(mask)
    for corner in (upper[0], upper[-1]):
        cv2.circle(near, (round(float(corner[0])), round(float(corner[1]))), round(0.16 * width), (1,), -1)
    dark = (near > 0) & (light < _CORNER_DARK * skin.astype(np.float32))
    # Only the dark that is one with the mouth's: a fold beside it stays.
    count, labels = cv2.connectedComponents(np.asarray(dark | (mask > 0), np.uint8))
    touching = np.unique(labels[mask > 0])
    mask = np.asarray(np.isin(labels, touching[touching > 0]), np.uint8) if count > 1 else mask
    mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    filled = cv2.inpaint(picture, mask, 3, cv2.INPAINT_TELEA).astype(np.float32)
    soft = cv2.GaussianBlur(filled, (0, 0), 1.0)
    share = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)[..., None]
    return np.asarray(soft * share + picture * (1 - share), np.float32)
