"""Geometry of pictures: coordinates are continuous, the centre of the first pixel at 0.5; y goes down."""

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.avatar.package import Pixels

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]


def smooth_step(low: float, high: float, x: Doubles) -> Doubles:
    """0 below ``low``, 1 above ``high``, a smooth rise between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def warp_affine(picture: Pixels, matrix: Doubles, width: int, height: int) -> Pixels:
    """The picture with each point p moved to ``matrix`` (2 × 3) · (p, 1); its border goes on outside."""
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    # Cubic interpolation makes aliases where the picture is made much smaller.
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.7:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.4 / scale), np.uint8)
    flags = cv2.INTER_CUBIC
    moved = cv2.warpAffine(picture, shifted, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def transform(matrix: Doubles, points: Doubles) -> Doubles:
    """(N, 2): ``matrix`` (2 × 3) · (p, 1) for each point."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def inverse(matrix: Doubles) -> Doubles:
    """The 2 × 3 matrix that undoes ``matrix``."""
    turned = np.linalg.inv(matrix[:, :2])
    return np.asarray(np.column_stack([turned, -turned @ matrix[:, 2]]), np.float64)


def pixel_centres(left: int, top: int, right: int, bottom: int) -> tuple[Doubles, Doubles]:
    """x and y, each (bottom − top, right − left), of a rectangle's pixels."""
    return mesh(np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5)


def mesh(columns: NDArray[np.floating], rows: NDArray[np.floating]) -> tuple[Doubles, Doubles]:
    """x and y, each (len(rows), len(columns)), of the nodes of a grid."""
    shape = (len(rows), len(columns))
    x, y = np.broadcast_to(columns, shape), np.broadcast_to(rows[:, None], shape)
    return np.asarray(x, np.float64), np.asarray(y, np.float64)


def curve_at(curve: Doubles, x: Doubles) -> Doubles:
    """y of a ``curve`` (N, 2) that goes from left to right; level beside its ends."""
    return np.asarray(np.interp(x, curve[:, 0], curve[:, 1]), np.float64)


def sample(picture: NDArray[np.uint8] | Floats, x: Doubles, y: Doubles) -> Floats:
    """``picture`` at continuous coordinates, cubic; beyond the border, the border."""
    values = picture.astype(np.float32)
    at_x, at_y = (x - 0.5).astype(np.float32), (y - 0.5).astype(np.float32)
    return cast("Floats", cv2.remap(values, at_x, at_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))


def spread(at: Doubles, values: Doubles, where: Doubles, smoothing: float = 0.5) -> Doubles:
    """Scattered ``values`` (N, C) at points ``at`` (N, 2), interpolated at ``where`` (M, 2): (M, C).

    A radial basis of plain distance with a constant: smooth, without overshoot far beyond the values.
    ``smoothing`` in pixels lets the surface pass beside values that contradict their neighbours.
    """
    count = len(at)
    system = np.zeros((count + 1, count + 1))
    system[:count, :count] = -_distances(at, at) + smoothing * np.eye(count)
    system[:count, count] = system[count, :count] = 1
    right = np.concatenate([values, np.zeros((1, values.shape[1]))])
    solved = np.linalg.solve(system, right)
    return -_distances(where, at) @ solved[:count] + solved[count]


def _distances(first: Doubles, second: Doubles) -> Doubles:
    return np.hypot(first[:, None, 0] - second[None, :, 0], first[:, None, 1] - second[None, :, 1])


def rigid_fit(source: Doubles, target: Doubles) -> tuple[float, Doubles, Doubles]:
    """Scale s, rotation R (3 × 3) and shift t with target ≈ s · R · source + t, by least squares.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns", 1991.
    """
    mean_source, mean_target = source.mean(0), target.mean(0)
    a, b = source - mean_source, target - mean_target
    u, sizes, v = np.linalg.svd(b.T @ a)
    signs = np.ones(a.shape[1])
    signs[-1] = np.sign(np.linalg.det(u) * np.linalg.det(v))
    rotation = (u * signs) @ v
    scale = float((sizes * signs).sum() / (a * a).sum())
    return scale, rotation, mean_target - scale * rotation @ mean_source


def similarity_fit(source: Doubles, target: Doubles) -> Doubles:
    """The 2 × 3 matrix of scale, rotation and shift that takes ``source`` (N, 2) nearest to ``target``."""
    scale, rotation, shift = rigid_fit(source, target)
    return np.column_stack([scale * rotation, shift])
