"""The table of eye pictures: lids that slide over the eye, and an eyeball that turns behind them."""

from typing import Final

import cv2
import numpy as np

from visavis.avatar.manifest import Box, Eyes
from visavis.avatar.package import EyePictures, Pixels
from visavis.avatar.photo.eyelids import Eye, below_rims, close_lid, colours_at, eye_of, lay, lid_of
from visavis.avatar.photo.geometry import Doubles, Floats, pixel_centres, sample, smooth_step
from visavis.avatar.photo.landmarks import Face
from visavis.avatar.photo.topology import LOWER_LIDS, UPPER_LIDS

BLINKS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
GAZE_X: Final = (-0.6, -0.3, 0.0, 0.3, 0.6)
GAZE_Y: Final = (-0.5, 0.0, 0.4)
_TURN_X, _TURN_Y = 0.34, 0.19
"""How far the iris goes at gaze 1, in widths of the eye: an eyeball's radius times the sine of the angle."""
_LEAST_REACH: Final = 0.5
"""Share of a turn that is left to eyes whose white is not seen."""
_WHITE: Final = 0.66
"""Least light of an eye's white, as a share of the skin's below it: what deep shadow hides is made up."""


def eye_table(picture: Pixels, face: Face, *, glasses: bool = False) -> tuple[Eyes, EyePictures]:
    """The manifest's part and the pictures. ``picture`` must look into the camera with open eyes.

    ``glasses``: the lids end where the rims begin.
    """
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
    values = picture.astype(np.float32)
    eyes = [eye_of(points, side, iris, x[0]) for side, iris in zip(("right", "left"), face.irises, strict=True)]
    if glasses:
        eyes = [below_rims(values, eye, x[0]) for eye in eyes]
    balls = [_eyeball(values, eye, x, y) for eye in eyes]
    # The two look the same way: what the one cannot do, the other does not.
    reach = min(_reach(values, eye, x, y) for eye in eyes)
    lids = [lid_of(values, eye, x, y) for eye in eyes]

    def painted(blink: float, gaze_x: float, gaze_y: float) -> Pixels:
        out = values.copy()
        if gaze_x or gaze_y:
            for eye, ball in zip(eyes, balls, strict=True):
                _look(out, ball, eye, x, y, (gaze_x, gaze_y), reach)
        # The upper lid goes down with the eyes and up with them.
        follow = 0.3 * max(0.0, -gaze_y)
        if closing := max(blink, follow):
            source = out.copy()
            for eye, lid in zip(eyes, lids, strict=True):
                close_lid(out, source, eye, lid, x, y, closing)
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


def _eyeball(values: Floats, eye: Eye, x: Doubles, y: Doubles) -> Floats:
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
    lay(out, made, hidden, x, y)
    return _whitened(out, values, eye, x, y)


def _reach(values: Floats, eye: Eye, x: Doubles, y: Doubles) -> float:
    """How far the eye may turn: whole where its white is seen, half where next to nothing is known of it."""
    distance = np.hypot(x - eye.iris[0], y - eye.iris[1]) / eye.iris[2]
    inside = np.minimum(y - eye.upper, eye.lower - y) > 0.06 * eye.width
    beside = (distance > 1.2) & (distance < 2.0) & inside & (x > eye.left) & (x < eye.right)
    if not beside.any():
        return _LEAST_REACH
    left, top = int(x[0, 0]), int(y[0, 0])
    light = values[top : top + x.shape[0], left : left + x.shape[1]].sum(2)
    white = float(np.percentile(light[beside], 75)) / _skin_light(values, eye, x)
    return _LEAST_REACH + (1 - _LEAST_REACH) * float(smooth_step(0.45, 0.75, np.array(white)))


def _skin_light(values: Floats, eye: Eye, x: Doubles) -> float:
    """Light of the skin below the eye, all three colours together."""
    below = np.stack([x[0], eye.lower + 0.16 * eye.width], 1)
    below = below[(below[:, 0] > eye.left) & (below[:, 0] < eye.right)]
    return max(1.0, float(np.median(colours_at(values, below).sum(1))))


def _whitened(ball: Floats, values: Floats, eye: Eye, x: Doubles, y: Doubles) -> Floats:
    """``ball`` with its white no darker than a white can be; what turns into sight would be a hole else."""
    left, top = int(x[0, 0]), int(y[0, 0])
    part = ball[top : top + x.shape[0], left : left + x.shape[1]]
    light = np.asarray(cv2.GaussianBlur(part.sum(2), (0, 0), 0.03 * eye.width + 0.5), np.float64)
    distance = np.hypot(x - eye.iris[0], y - eye.iris[1]) / eye.iris[2]
    inner = smooth_step(0, 0.12 * eye.width, np.minimum(y - eye.upper, eye.lower - y))
    share = smooth_step(1.0, 1.35, distance) * inner
    lift = np.clip(_WHITE * _skin_light(values, eye, x) / np.maximum(light, 1), 1, 2.2)
    grey = part.mean(2, keepdims=True)
    pale = (0.6 * grey + 0.4 * part) * lift[..., None]
    weight = (share * smooth_step(1.0, 1.15, lift))[..., None]
    part[...] = np.asarray(pale * weight + part * (1 - weight), np.float32)
    return ball


def _look(out: Floats, ball: Floats, eye: Eye, x: Doubles, y: Doubles, gaze: tuple[float, float], reach: float) -> None:
    """Turn the eyeball: its middle goes as a whole, the white beside it is drawn out and pushed together."""
    gaze_x, gaze_y = gaze
    centre_x, centre_y, radius = eye.iris
    move_x, move_y = reach * _TURN_X * eye.width * gaze_x, -reach * _TURN_Y * eye.width * gaze_y
    distance = np.hypot(x - centre_x - move_x, y - centre_y - move_y) / radius
    share = 1 - smooth_step(1.1, 2.6, distance)
    moved = sample(ball, x - move_x * share, y - move_y * share)
    soft = 0.035 * eye.width + 1
    inside = smooth_step(0, soft, y - eye.upper) * smooth_step(0, soft, eye.lower - y)
    inside = inside * smooth_step(0.02, 0.1, np.minimum(x - eye.left, eye.right - x) / eye.width)
    lay(out, moved, inside, x, y)
