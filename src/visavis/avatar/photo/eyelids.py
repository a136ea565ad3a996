"""An eye's lids: skin that slides down over the eye, with its lashes, which turn from up to down."""

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from visavis.avatar.photo.geometry import Doubles, Floats, sample, smooth_step, spread
from visavis.avatar.photo.topology import BROWS, LOWER_LIDS, UPPER_LIDS

_LOWER_RISE: Final = 0.12
"""How much of the opening the lower lid closes."""
_FOLD: Final = 0.3
"""Height of the lid's skin that unfolds, in widths of the eye."""
_SHORTEST, _LONGEST = 0.15, 0.36
"""Length of lashes above the lid's edge, in widths of the eye …"""
_RIM: Final = 0.03
"""… and what of the lid's dark rim lies below the edge."""
_LASH_DARK: Final = 0.42
"""How much light lashes take at most where they are thick."""
_OUTWARD: Final = 0.2
"""How far lashes reach beyond the corners at least, in widths of the eye; long ones reach as far as they are long."""
_RIM_CONTRAST: Final = 0.45
"""Step of light, as a share of the skin's, that makes a rim of glasses."""
_CLEAR: Final = 0.05
"""How far the lids stay from a rim, in widths of the eye."""


@dataclass(frozen=True, slots=True)
class Eye:
    """One eye on the columns of the eye box: heights per column, the rest in canonical pixels.

    ``upper``, ``lower``: the lids' edges; ``fold``: from where the upper lid's skin is drawn down; ``left``,
    ``right``: the corners; ``iris``: x, y, radius.
    """

    upper: Doubles
    lower: Doubles
    fold: Doubles
    left: float
    right: float
    iris: Doubles

    @property
    def width(self) -> float:
        return self.right - self.left


@dataclass(frozen=True, slots=True)
class Lid:
    """``skin``: (rows, columns, 3) the eye box as if skin went over the eye; ``lashes``: how much of its light each
    pixel of the open eye's lashes and rim lets through, 0–1, by heights above the edge (rows, the highest first).
    ``length``: of the lashes, pixels."""

    skin: Floats
    lashes: Floats
    length: float


def eye_of(points: Doubles, side: str, iris: Doubles, x: Doubles) -> Eye:
    """The eye on ``side`` ("right" or "left") of a face with these landmarks (468, 2), on columns ``x``."""
    upper, lower, brow = (
        points[list(row)][np.argsort(points[list(row), 0])] for row in (UPPER_LIDS[side], LOWER_LIDS[side], BROWS[side])
    )
    left, right = float(upper[0, 0]), float(upper[-1, 0])
    width = right - left
    heights = [_smoothed(np.interp(x, row[:, 0], row[:, 1]), 0.03 * width) for row in (upper, lower)]
    brows = np.interp(x, brow[:, 0], brow[:, 1])
    fold = np.maximum(heights[0] - _FOLD * width, 0.35 * heights[0] + 0.65 * brows)
    # Towards the corners the fold comes down to the edge.
    ends = np.minimum(x - left, right - x) / width
    high = np.maximum(heights[0] - fold, 0.1 * width) * (0.35 + 0.65 * smooth_step(-0.1, 0.3, ends))
    lower = np.maximum(heights[1], heights[0] + 0.5)
    return Eye(heights[0], lower, heights[0] - _smoothed(high, 0.04 * width), left, right, iris)


def below_rims(values: Floats, eye: Eye, x: Doubles) -> Eye:
    """The eye with a fold that lies below the rim of glasses above it, where there is one."""
    heights = np.linspace(0, 1, 48)[:, None]
    start = eye.upper - 0.04 * eye.width
    y = start + (eye.fold - 0.12 * eye.width - start) * heights
    columns = np.broadcast_to(x, y.shape)
    light = sample(values, columns.astype(np.float64), y).sum(2)
    skin = float(np.median(light[:16]))
    # A rim is darker, or lighter, than the lid all the way along; what is seen first counts.
    odd = np.abs(light - skin) > _RIM_CONTRAST * skin
    # The lid's own shadow at its edge is none.
    odd[:8] = False
    found = np.where(odd.any(0), odd.argmax(0), len(heights) - 1)
    rim = y[found, np.arange(len(x))] + _CLEAR * eye.width
    lowest = eye.upper - 0.06 * eye.width
    fold = np.minimum(np.maximum(eye.fold, rim), lowest)
    return replace(eye, fold=np.minimum(_smoothed(fold, 0.05 * eye.width), lowest))


def lid_of(values: Floats, eye: Eye, x: Doubles, y: Doubles) -> Lid:
    """The closed lid, made up from the skin around: over the eye itself there is none."""
    skin = _skin(values, eye, x, y)
    longest = min(_LONGEST * eye.width, max(_SHORTEST * eye.width, 1.15 * float(np.median(eye.upper - eye.fold))))
    through, reach = _seen_through(values, skin, eye, x, y, longest)
    ends = np.minimum(x[0] - eye.left, eye.right - x[0]) / eye.width
    # Shadow of the brow is no lash; what is a little darker than the skin is the skin.
    thick = through < 0.75
    over = (reach > 0)[:, None] & thick & (ends > -_OUTWARD)[None]
    tips = np.where(over.any(0), reach[np.argmax(over, 0)], 0)
    usual_length = float(np.percentile(tips[(ends > -_OUTWARD) & (ends < 0.4)], 75))
    length = float(np.clip(usual_length + 0.03 * eye.width, _SHORTEST * eye.width, longest))
    through, reach = _seen_through(values, skin, eye, x, y, length)
    through = 1 - (1 - through) * smooth_step(0.06, 0.25, 1 - through)
    fade = 1 - smooth_step(0.6 * length, length, reach)[:, None]
    fade = fade * smooth_step(-_RIM * eye.width, 0.01 * eye.width, reach)[:, None]
    outward = _outward(length, eye)
    fade = fade * smooth_step(-outward, -0.5 * outward, ends)[None]
    dark = np.asarray(cv2.GaussianBlur((1 - through) * fade, (0, 0), 0.015 * eye.width), np.float64)
    zone = (reach > 0) & (reach < 0.06 * eye.width)
    usual = float(np.median(dark[zone][:, (x[0] > eye.left) & (x[0] < eye.right)].mean(0)))
    # More than lashes make is the shadow of a deep eye.
    dark = np.minimum(dark * min(1, _LASH_DARK / max(usual, 0.1)), 0.6)
    return Lid(skin, np.asarray(1 - dark, np.float32), length)


def _seen_through(
    values: Floats, skin: Floats, eye: Eye, x: Doubles, y: Doubles, length: float
) -> tuple[Doubles, Doubles]:
    """How much of the bare skin's light is seen up to ``length`` above the edge, and the heights of its rows."""
    reach = _lash_heights(eye, length)
    rows = eye.upper[None] - reach[:, None]
    columns = np.broadcast_to(x[0], rows.shape).astype(np.float64)
    bare = sample(skin, columns - x[0, 0] + 0.5, rows - y[0, 0] + 0.5)
    seen = sample(np.asarray(cv2.GaussianBlur(values, (0, 0), 0.5), np.float32), columns, rows)
    return np.clip(seen.sum(2) / np.maximum(bare.sum(2), 1), 0.2, 1).astype(np.float64), reach


def _outward(length: float, eye: Eye) -> float:
    """How far lashes of this length reach beyond the corners, in widths of the eye."""
    return max(_OUTWARD, length / eye.width)


def close_lid(out: Floats, source: Floats, eye: Eye, lid: Lid, x: Doubles, y: Doubles, closed: float) -> None:
    """Slide the lids over the eye in ``out``, 0 open to 1 closed. ``source``: the picture with the eye open."""
    width = eye.width
    ends = np.minimum(x[0] - eye.left, eye.right - x[0]) / width
    inside = smooth_step(-0.03, 0.03, ends)
    opening = eye.lower - eye.upper
    rise = _LOWER_RISE * opening * closed * inside
    sink = ((1 - _LOWER_RISE) * opening + 0.01 * width) * closed * inside
    edge = eye.upper + sink
    # Lower lid: the skin below is drawn up.
    drawn = y + rise * (1 - smooth_step(0, 1, (y - eye.lower + rise) / (0.25 * width)))
    begun = smooth_step(0, 0.3, np.full_like(y, closed))
    lay(out, sample(source, x, drawn), smooth_step(-0.5, 1, y - (eye.lower - rise)) * inside * begun, x, y)
    # Upper lid: a little way it is drawn down as it is, lashes and all …
    over = smooth_step(0, 0.05 * width + 1, y - eye.fold) * (1 - smooth_step(0, _RIM * width + 1, y - edge)) * inside
    new = float(smooth_step(0.12, 0.5, np.array(closed)))
    if new < 1:
        lay(out, _drawn(source, eye, x, y, edge), over, x, y)
    if new == 0:
        return
    # … then it is bare skin, also where the lashes were …
    bare = _part(out, x, y).astype(np.float64)
    outward = _outward(lid.length, eye)
    reaching = smooth_step(-outward, -0.5 * outward, ends)
    above = y - eye.upper
    were = smooth_step(-1.5 * lid.length, -0.9 * lid.length, above) * (1 - smooth_step(0.02, 0.08, above / width))
    grown = np.maximum(np.minimum(0.6 * (edge - eye.fold), 0.85 * (eye.upper - eye.fold)), 1)
    spread_out = smooth_step(0, 1, (y - eye.fold) / grown) * over
    skinned = np.maximum(were * reaching, spread_out)[..., None]
    bare = bare * (1 - skinned) + lid.skin * skinned
    # … with lashes that are seen from the front when it is half closed, and hang down when it is shut.
    turn = 1 - 1.7 * closed
    turn = np.sign(turn) * max(abs(turn), 0.3) if turn else 0.3
    shadow = _lashes_at(lid, eye, x, (edge - y) / turn)
    line = _line(lid, eye, x, ends) * np.exp(-(((y - edge) / (0.012 * width + 0.5)) ** 2) / 2)
    shadow = np.minimum(shadow, 1 - line)
    lay(out, bare * (1 - (1 - shadow) * reaching)[..., None], np.full_like(y, new), x, y)


def lay(out: Floats, picture: Floats | Doubles, share: Doubles, x: Doubles, y: Doubles) -> None:
    """``picture`` over the part of ``out`` that x and y are the pixels of."""
    part = _part(out, x, y)
    weight = share[..., None].astype(np.float32)
    part[...] = picture.astype(np.float32) * weight + part * (1 - weight)


def colours_at(values: Floats, points: Doubles) -> Doubles:
    """(N, 3): colours at points (N, 2)."""
    return np.asarray(sample(values, points[None, :, 0], points[None, :, 1])[0], np.float64)


def _part(out: Floats, x: Doubles, y: Doubles) -> Floats:
    left, top = int(x[0, 0]), int(y[0, 0])
    return out[top : top + x.shape[0], left : left + x.shape[1]]


def _smoothed(values: Doubles, sigma: float) -> Doubles:
    reach = max(1, int(3 * sigma))
    kernel = np.exp(-((np.arange(-reach, reach + 1) / sigma) ** 2) / 2)
    return np.asarray(np.convolve(np.pad(values, reach, mode="edge"), kernel / kernel.sum(), "valid"), np.float64)


def _lash_heights(eye: Eye, length: float) -> Doubles:
    """Heights above the edge of the rows of ``Lid.lashes``, one a pixel or less apart, the highest first."""
    rows = max(8, int((length + _RIM * eye.width) * 1.5))
    return np.linspace(length, -_RIM * eye.width, rows)


def _lashes_at(lid: Lid, eye: Eye, x: Doubles, height: Doubles) -> Doubles:
    """How much light the lashes let through where they are ``height`` above the edge."""
    heights = _lash_heights(eye, lid.length)
    row = (heights[0] - height) / (heights[0] - heights[-1]) * (len(heights) - 1)
    known = (row > -0.5) & (row < len(heights) - 0.5)
    through = sample(lid.lashes, x - x[0, 0] + 0.5, np.clip(row, 0, len(heights) - 1) + 0.5).astype(np.float64)
    return np.where(known, np.clip(through, 0, 1), 1.0)


def _line(lid: Lid, eye: Eye, x: Doubles, ends: Doubles) -> Doubles:
    """(columns,): how dark the line is where the lids meet, as the open lid's rim tells."""
    near = np.abs(_lash_heights(eye, lid.length)) < 0.03 * eye.width
    dark = 1 - lid.lashes[near].min(0).astype(np.float64)
    inside = (x[0] > eye.left) & (x[0] < eye.right)
    usual = float(np.median(dark[inside])) if inside.any() else 0.5
    # The rim lies in shadow with the lid open; closed, its line is never darker than lashes are.
    return np.clip(_smoothed(np.clip(dark, 0.35, usual + 0.15), 0.05 * eye.width), 0, 0.72) * smooth_step(
        -0.02, 0.16, ends
    )


def _drawn(source: Floats, eye: Eye, x: Doubles, y: Doubles, edge: Doubles) -> Floats:
    """The upper lid with its edge at ``edge``: the skin from the fold on is stretched, the rim goes as it is."""
    rim = edge - 0.05 * eye.width
    goal, has = rim - eye.fold, eye.upper - 0.05 * eye.width - eye.fold
    more = np.maximum(goal - has, 1e-3)
    power = np.clip(0.85 * goal / more, 1.0, 2.2)
    along = np.clip(y - eye.fold, 0, goal)
    stretched = eye.fold + along - more * (along / np.maximum(goal, 1e-3)) ** power
    return sample(source, x, np.where(y < eye.fold, y, np.where(y < rim, stretched, y - edge + eye.upper)))


def _skin(values: Floats, eye: Eye, x: Doubles, y: Doubles) -> Floats:
    """(rows, columns, 3): skin all over the eye box, from the skin above, below and beside the eye."""
    width = eye.width
    columns = np.linspace(eye.left - 0.05 * width, eye.right + 0.05 * width, 15)
    upper, lower, fold = (np.interp(columns, x[0], heights) for heights in (eye.upper, eye.lower, eye.fold))
    below = np.stack([columns, lower + 0.14 * width], 1)
    middle = np.stack([columns, 0.55 * fold + 0.45 * upper], 1)
    beside = [(eye.left - 0.26 * width, lower[0]), (eye.right + 0.26 * width, lower[-1])]
    beside += [(eye.left - 0.2 * width, lower[0] + 0.1 * width), (eye.right + 0.2 * width, lower[-1] + 0.1 * width)]
    around = np.concatenate([np.stack([columns, fold], 1), middle, below, np.array(beside)])
    soft = np.asarray(cv2.GaussianBlur(values, (0, 0), 0.03 * width), np.float32)
    colours = colours_at(soft, around)
    # What is no skin (a rim, lashes, a strand of hair, a reflection) is much darker or lighter than below the eye.
    light = max(1.0, float(np.median(colours_at(soft, below).sum(1))))
    share = colours.sum(1) / light
    skin_like = (share > 0.84) & (share < 1.22)
    if not skin_like.any():
        # In black shadow nothing can be told apart.
        skin_like[:] = True
    step = 4
    nodes = np.stack([x[::step, ::step].ravel(), y[::step, ::step].ravel()], 1)
    coarse = spread(around[skin_like], colours[skin_like], nodes, smoothing=0.1 * width)
    coarse = coarse.reshape(*x[::step, ::step].shape, 3).astype(np.float32)
    made = sample(coarse, (x - x[0, 0]) / step + 0.5, (y - y[0, 0]) / step + 0.5)
    # The lid is a ball's front: light in its middle, darker towards the lashes.
    down = (y - eye.fold) / np.maximum(eye.lower - eye.fold, 1)
    across = (x - (eye.left + eye.right) / 2) / width
    shade = 1 + 0.04 * np.exp(-(((down - 0.5) / 0.28) ** 2) - (across / 0.3) ** 2) - 0.07 * smooth_step(0.65, 1, down)
    made = made * np.where(np.abs(across) < 0.6, shade, 1)[..., None]
    plain = below + np.array([0, 0.18 * width])
    return np.asarray(made + _grain(values, plain, x.shape, width)[..., None], np.float32)


def _grain(values: Floats, where: Doubles, shape: tuple[int, ...], width: float) -> Doubles:
    """Noise as fine, as coarse and as strong as the skin's at the points ``where`` (N, 2)."""
    random = np.random.default_rng(1)
    total: Doubles = np.zeros(shape)
    for sigma in (0.012 * width, 0.035 * width):
        fine = cv2.GaussianBlur(values, (0, 0), max(0.5, 0.5 * sigma))
        band = np.asarray(fine - cv2.GaussianBlur(values, (0, 0), 2 * sigma), np.float32)
        strength = min(3.0, 1.4826 * float(np.median(np.abs(colours_at(band, where)))))
        noise = np.asarray(cv2.GaussianBlur(random.standard_normal(shape), (0, 0), sigma), np.float64)
        total = total + noise / max(float(noise.std()), 1e-6) * strength
    return total
