"""Growing strands: roots on the scalp, steps with momentum over the skull, clumps, waves and fly-aways."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from bake.basemesh import Points
from bake.hairline import Hairline
from bake.surface import Surface, unit

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Roots:
    """Where strands start: places and normals (n,3), the clump of each (n,), and random numbers per strand."""

    places: Points
    normals: Points
    clump: NDArray[np.int64]
    clumps: int
    layer: Values  # 0 inside … 1 outside of the hair's volume

    def per_clump(self, rng: np.random.Generator, width: int = 1) -> Points:
        """Normal random numbers (n, width) that all strands of a clump share."""
        return rng.normal(size=(self.clumps, width))[self.clump]


def plant(
    surface: Surface, line: Hairline, count: int, clumps: int, rng: np.random.Generator, *, edge: float = 0.5
) -> Roots:
    """Scatter roots over the scalp, thinner towards the hairline; `edge` is extra density along it (baby hair)."""
    above = line.above(surface.points)
    density = line.cover(surface.points) * (1 + edge * np.exp(-((above / 0.12) ** 2)))
    density *= 1 + 0.8 * (surface.points[:, 2] > line.centre[2] - 0.2)
    places, normals = surface.scatter(count, density, rng)
    heads = places[rng.choice(count, clumps, replace=False)]
    clump = cKDTree(heads).query(places)[1]
    return Roots(places, normals, clump, clumps, rng.random(count))


def rest_on(surface: Surface, points: Points, height: Values, *, hold: Values | float = 1.0) -> Points:
    """Push points that are lower than `height` (dm) above the skin out to it, by a share `hold`."""
    _, normals, now = surface.nearest(points)
    lack = np.clip(height - now, 0, None) * hold
    return points + normals * lack[:, None]


def press_to(surface: Surface, points: Points, height: Values) -> Points:
    """Put points exactly `height` (dm) above the skin."""
    near, normals, _ = surface.nearest(points)
    return near + normals * height[:, None]


def wave(strands: Points, roots: Roots, rng: np.random.Generator, amount: float, length: float, start: float) -> Points:
    """Add waves that clumps share: `amount` dm wide, `length` dm long, beginning at the share `start` of a strand."""
    count, steps = strands.shape[:2]
    along = np.linspace(0, 1, steps)[None]
    walked = np.r_["-1", np.zeros((count, 1)), np.cumsum(np.linalg.norm(np.diff(strands, axis=1), axis=2), 1)]
    phase = rng.uniform(0, 6.28, roots.clumps)[roots.clump][:, None] + rng.normal(size=(count, 1)) * 0.4
    stretch = (1 + 0.25 * rng.normal(size=roots.clumps))[roots.clump][:, None]
    grow = np.clip((along - start) / max(1e-6, 1 - start), 0, 1) ** 0.7 * amount
    angle = walked * (2 * np.pi / length) * stretch + phase
    result = strands.copy()
    result[..., 0] += grow * np.sin(angle)
    result[..., 2] += grow * np.cos(angle)
    return result


def gather(strands: Points, roots: Roots, amount: float, start: float, side: Values) -> Points:
    """Draw the strands of a clump together towards their tips, by a share `amount`; sides of a parting stay apart."""
    steps = strands.shape[1]
    group = roots.clump * 2 + (side > 0)
    size = np.maximum(np.bincount(group, minlength=2 * roots.clumps), 1)
    centre = np.zeros((2 * roots.clumps, steps, 3))
    np.add.at(centre, group, strands)
    centre /= size[:, None, None]
    along = np.linspace(0, 1, steps)
    share = (amount * np.clip((along - start) / (1 - start), 0, 1))[None, :, None]
    return strands * (1 - share) + centre[group] * share


def fly_away(strands: Points, centre: Points, rng: np.random.Generator, share: float, reach: float) -> Points:
    """Let a share of the strands stand off by up to `reach` dm."""
    count, steps = strands.shape[:2]
    along = np.linspace(0, 1, steps)[None]
    size = (rng.random((count, 1)) < share) * rng.random((count, 1)) ** 1.5 * reach
    bend = size * along * (0.6 + 0.4 * np.sin(along * 5 + rng.uniform(0, 6.28, (count, 1))))
    drift = rng.normal(size=(count, 1, 3)) * 0.5
    return strands + bend[..., None] * (unit(strands - centre) + drift)


def shorten(strands: Points, keep: Values) -> Points:
    """Cut every strand to a share 0–1 of its length, keeping the number of points."""
    count, steps = strands.shape[:2]
    at = np.linspace(0, 1, steps)[None] * keep[:, None] * (steps - 1)
    low = np.minimum(at.astype(int), steps - 2)
    part = (at - low)[..., None]
    rows = np.arange(count)[:, None]
    return strands[rows, low] * (1 - part) + strands[rows, low + 1] * part
