"""The table of eye pictures: lids that slide over the eye, and an eyeball that turns behind them."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from visavis.avatar.manifest import Box, Eyes
from visavis.avatar.package import EyePictures, Pixels
from visavis.avatar.photo.geometry import Doubles, Floats, pixel_centres, sample, smooth_step, spread
from visavis.avatar.photo.landmarks import Face
from visavis.avatar.photo.topology import BROWS, LOWER_LIDS, UPPER_LIDS

BLINKS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
GAZE_X: Final = (-0.6, -0.3, 0.0, 0.3, 0.6)
GAZE_Y: Final = (-0.5, 0.0, 0.4)
_TURN_X, _TURN_Y = 0.34, 0.19
"""How far the iris goes at gaze 1, in widths of the eye: an eyeball's radius times the sine of the angle."""
_LOWER_RISE: Final = 0.12
"""How much of the opening the lower lid closes."""
_LASH: Final = 0.05
"""Height of the lid's rim with its lashes, which is not stretched, in widths of the eye."""
_RIM: Final = 0.03
"""What of it lies below the lid's edge."""
_FOLD: Final = 0.3
"""Height of the lid's skin that unfolds, in widths of the eye."""


@dataclass(frozen=True, slots=True)
class _Eye:
    """One eye on the columns of the eye box: heights per column, the rest in canonical pixels."""

    upper: Doubles
    lower: Doubles
    fold: Doubles
    left: float
    right: float
    iris: Doubles

    @property
    def width(self) -> float:
        return self.right - self.left


def eye_table(picture: Pixels, face: Face) -> tuple[Eyes, EyePictures]:
    """The manifest's part and the pictures. ``picture`` must look into the camera with open eyes."""
    points = face.points[:, :2]
    rows = [list(lids[side]) for lids in (UPPER_LIDS, LOWER_LIDS) for side in ("right", "left")]
    places = np.concatenate([points[row] for row in rows])
    width = float(np.hypot(*(points[133] - points[33])))
    low = places.min(0) - width * np.array([0.35, 0.6])
    high = places.max(0) + width * np.array([0.35, 0.45])
    size = picture.shape[0]
    left, top = (int(v) for v in np.clip(low, 0, size - 8))
    right, bottom = (int(v) + 1 for v in np.clip(high, 8, size - 1))
    x, y = pixel_centres(left, top, right, bottom)
    eyes = [_eye(points, side, iris, x[0]) for side, iris in zip(("right", "left"), face.irises, strict=True)]
    values = picture.astype(np.float32)
    balls = [_eyeball(values, eye, x, y) for eye in eyes]
    lids = [_lid(values, eye, x, y) for eye in eyes]

    def painted(blink: float, gaze_x: float, gaze_y: float) -> Pixels:
        out = values.copy()
        if gaze_x or gaze_y:
            for eye, ball in zip(eyes, balls, strict=True):
                _look(out, ball, eye, x, y, gaze_x, gaze_y)
        # The upper lid goes down with the eyes and up with them.
        follow = 0.3 * max(0.0, -gaze_y)
        if closing := max(blink, follow):
            source = out.copy()
            for eye, lid in zip(eyes, lids, strict=True):
                _close(out, source, eye, lid, x, y, closing)
        return np.clip(out[top:bottom, left:right] + 0.5, 0, 255).astype(np.uint8)

    manifest = Eyes(
        box=Box(left=left, top=top, right=right, bottom=bottom),
        split=round(float(points[[133, 362], 0].mean())),
        blink=BLINKS,
        gaze_x=GAZE_X,
        gaze_y=GAZE_Y,
    )
    blink = np.stack([painted(closed, 0, 0) for closed in BLINKS])
    gaze = np.stack([np.stack([painted(0, gx, gy) for gx in GAZE_X]) for gy in GAZE_Y])
    return manifest, EyePictures(blink, gaze)


def _eye(points: Doubles, side: str, iris: Doubles, x: Doubles) -> _Eye:
    upper, lower, brow = (
        points[list(row)][np.argsort(points[list(row), 0])] for row in (UPPER_LIDS[side], LOWER_LIDS[side], BROWS[side])
    )
    left, right = float(upper[0, 0]), float(upper[-1, 0])
    width = right - left
    heights = [_smoothed(np.interp(x, row[:, 0], row[:, 1]), 0.03 * width) for row in (upper, lower)]
    brows = np.interp(x, brow[:, 0], brow[:, 1])
    fold = np.maximum(heights[0] - _FOLD * width, 0.35 * heights[0] + 0.65 * brows)
    fold = np.minimum(fold, heights[0] - 0.1 * width)
    return _Eye(heights[0], np.maximum(heights[1], heights[0] + 0.5), _smoothed(fold, 0.06 * width), left, right, iris)


def _smoothed(values: Doubles, sigma: float) -> Doubles:
    reach = max(1, int(3 * sigma))
    kernel = np.exp(-((np.arange(-reach, reach + 1) / sigma) ** 2) / 2)
    return np.asarray(np.convolve(np.pad(values, reach, mode="edge"), kernel / kernel.sum(), "valid"), np.float64)


def _eyeball(values: Floats, eye: _Eye, x: Doubles, y: Doubles) -> Floats:
    """``values`` with what the lids hide of the iris and of the white beside it made up."""
    centre_x, centre_y, radius = eye.iris
    edge = 0.035 * eye.width + 0.8
    top, bottom = eye.upper + edge, eye.lower - edge
    bottom = np.maximum(bottom, top + 1)
    near = np.clip(y, top, bottom)
    # The iris is round and much the same above and below: what is hidden is seen on the other side.
    mirrored = 2 * centre_y - y
    usable = (mirrored > top) & (mirrored < bottom) & (np.hypot(x - centre_x, y - centre_y) < 1.1 * radius)
    made = sample(values, x, np.where(usable, mirrored, near))
    # Where both sides are hidden, the nearest row is drawn out: without its grain.
    made = np.asarray(cv2.GaussianBlur(made, (0, 0), 0.02 * eye.width + 0.5), np.float32)
    hidden = 1 - smooth_step(0, 0.03 * eye.width + 1, np.minimum(y - top, bottom - y) + 1)
    out = values.copy()
    _lay(out, made, hidden, x, y)
    return out


def _look(out: Floats, ball: Floats, eye: _Eye, x: Doubles, y: Doubles, gaze_x: float, gaze_y: float) -> None:
    """Turn the eyeball: its middle goes as a whole, the white beside it is drawn out and pushed together."""
    centre_x, centre_y, radius = eye.iris
    move_x, move_y = _TURN_X * eye.width * gaze_x, -_TURN_Y * eye.width * gaze_y
    distance = np.hypot(x - centre_x - move_x, y - centre_y - move_y) / radius
    share = 1 - smooth_step(1.1, 2.6, distance)
    moved = sample(ball, x - move_x * share, y - move_y * share)
    soft = 0.035 * eye.width + 1
    inside = smooth_step(0, soft, y - eye.upper) * smooth_step(0, soft, eye.lower - y)
    inside = inside * smooth_step(0.02, 0.1, np.minimum(x - eye.left, eye.right - x) / eye.width)
    _lay(out, moved, inside, x, y)


@dataclass(frozen=True, slots=True)
class _Lid:
    """The skin of a closed upper lid, and the colour of its lashes."""

    skin: Floats
    lashes: Floats


def _lid(values: Floats, eye: _Eye, x: Doubles, y: Doubles) -> _Lid:
    """Made up from the skin all around: on the lid itself there may be lashes, a fold, or the rim of glasses."""
    width = eye.width
    columns = np.linspace(eye.left - 0.05 * width, eye.right + 0.05 * width, 15)
    upper, lower, fold = (np.interp(columns, x[0], heights) for heights in (eye.upper, eye.lower, eye.fold))
    below = np.stack([columns, lower + 0.13 * width], 1)
    ends = np.array([(eye.left - 0.14 * width, lower[0]), (eye.right + 0.14 * width, lower[-1])])
    around = np.concatenate([np.stack([columns, fold], 1), below, ends])
    soft = np.asarray(cv2.GaussianBlur(values, (0, 0), 0.03 * width), np.float32)
    colours = _at(soft, around)
    # What is no skin (a rim, lashes, a strand of hair, a reflection) is much darker or lighter than below the eye.
    light = float(np.median(_at(soft, below).sum(1)))
    skin_like = np.abs(colours.sum(1) / light - 1) < 0.22
    nodes = np.stack([x[::4, ::4].ravel(), y[::4, ::4].ravel()], 1)
    coarse = spread(around[skin_like], colours[skin_like], nodes, smoothing=0.1 * width)
    coarse = coarse.reshape(*x[::4, ::4].shape, 3).astype(np.float32)
    made = sample(coarse, (x - x[0, 0]) / 4 + 0.5, (y - y[0, 0]) / 4 + 0.5)
    # The lid is a ball's front: light in its middle, darker towards the lashes.
    down = (y - eye.fold) / np.maximum(eye.lower - eye.fold, 1)
    across = (x - (eye.left + eye.right) / 2) / width
    shade = 1 + 0.035 * np.exp(-(((down - 0.45) / 0.3) ** 2) - (across / 0.3) ** 2) - 0.08 * smooth_step(0.6, 1, down)
    patch = sample(values, x, 2 * eye.lower + 0.16 * width - y)
    grain = patch - cv2.GaussianBlur(patch, (0, 0), 0.025 * width)
    skin = made * shade[..., None] + np.clip(grain, -4, 4)
    rim = _at(values, np.stack([columns, upper - 0.01 * width], 1)[2:-2])
    dark = rim[np.argsort(rim.sum(1))[:4]].mean(0)
    lashes = np.minimum(dark, 0.45 * np.median(colours[skin_like], 0))
    return _Lid(np.asarray(skin, np.float32), np.asarray(lashes, np.float32))


def _at(values: Floats, points: Doubles) -> Doubles:
    """(N, 3): colours at points."""
    return np.asarray(sample(values, points[None, :, 0], points[None, :, 1])[0], np.float64)


def _close(out: Floats, source: Floats, eye: _Eye, lid: _Lid, x: Doubles, y: Doubles, closed: float) -> None:
    """Slide the lids over the eye. ``source``: the picture with the eye open."""
    width = eye.width
    ends = np.minimum(x[0] - eye.left, eye.right - x[0]) / width
    inside = smooth_step(-0.03, 0.03, ends)
    opening = eye.lower - eye.upper
    rise = _LOWER_RISE * opening * closed * inside
    sink = ((1 - _LOWER_RISE) * opening + 0.01 * width) * closed * inside
    edge = eye.upper + sink
    # Lower lid: the skin below is drawn up.
    drawn = y + rise * (1 - smooth_step(0, 1, (y - eye.lower + rise) / (0.25 * width)))
    over = smooth_step(-0.5, 1, y - (eye.lower - rise)) * inside * smooth_step(0, 0.3, closed * np.ones_like(y))
    _lay(out, sample(source, x, drawn), over, x, y)
    # Upper lid: the skin between the fold and the rim is drawn down, the rim with its lashes goes as it is …
    rim = edge - _LASH * width
    goal, has = rim - eye.fold, eye.upper - _LASH * width - eye.fold
    more = np.maximum(goal - has, 1e-3)
    power = np.clip(0.85 * goal / more, 1.0, 2.2)
    along = np.clip(y - eye.fold, 0, goal)
    stretched = eye.fold + along - more * (along / np.maximum(goal, 1e-3)) ** power
    from_y = np.where(y < eye.fold, y, np.where(y < rim, stretched, y - edge + eye.upper))
    skin = np.asarray(sample(source, x, from_y), np.float64)
    # … and the more is drawn, the more of it is new skin.
    new = smooth_step(0.1, 0.55, closed * np.ones_like(y)) * smooth_step(0, 0.45, (y - eye.fold) / np.maximum(goal, 1))
    new = new * smooth_step(0.0, 0.25, ends)
    skin = skin * (1 - new[..., None]) + lid.skin * new[..., None]
    line = np.exp(-(((y - edge) / (0.02 * width + 0.3)) ** 2) / 2) * smooth_step(0.0, 0.22, ends)
    line = 0.75 * line * smooth_step(0.15, 0.6, closed * np.ones_like(y))
    skin = skin * (1 - line[..., None]) + lid.lashes * line[..., None]
    over = (1 - smooth_step(0, _RIM * width + 1, y - edge)) * smooth_step(0, 2, y - eye.fold) * inside
    _lay(out, skin, over, x, y)


def _lay(out: Floats, picture: Floats | Doubles, share: Doubles, x: Doubles, y: Doubles) -> None:
    """``picture`` over the part of ``out`` that x and y are the pixels of."""
    left, top = int(x[0, 0]), int(y[0, 0])
    part = out[top : top + x.shape[0], left : left + x.shape[1]]
    weight = share[..., None].astype(np.float32)
    part[...] = picture.astype(np.float32) * weight + part * (1 - weight)
