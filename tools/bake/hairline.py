"""Where hair grows: the line around the head, by direction from the middle of the skull."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bake.basemesh import Points
from bake.identity import Hair
from bake.landmarks import Landmarks

# Degrees from straight ahead, and height above the eyes in dm.
AZIMUTH = np.array([0, 15, 30, 42, 52, 60, 68, 74, 80, 88, 96, 105, 120, 150, 180.0])
HEIGHT = np.array([0.585, 0.58, 0.55, 0.47, 0.34, 0.20, 0.03, -0.16, -0.10, 0.16, 0.10, -0.15, -0.45, -0.70, -0.76])


@dataclass(frozen=True)
class Hairline:
    """The hairline of one person."""

    centre: NDArray[np.float64]
    eyes: float  # y
    ear: NDArray[np.float64]
    raised: float
    recession: float

    def above(self, points: Points) -> NDArray[np.float64]:
        """Height of points above the line, dm; negative where skin is bare."""
        azimuth = np.degrees(np.arctan2(np.abs(points[..., 0]), points[..., 2] - self.centre[2]))
        line = self.eyes + np.interp(azimuth, AZIMUTH, HEIGHT)
        front = np.clip((75 - azimuth) / 30, 0, 1)
        corner = np.exp(-(((azimuth - 36) / 15) ** 2))
        line = line + self.raised * front + self.recession * 0.42 * corner
        ragged = 0.015 * np.sin(azimuth * 0.9 + 2 * np.sign(points[..., 0])) + 0.01 * np.sin(azimuth * 2.3)
        return points[..., 1] - line - ragged

    def cover(self, points: Points) -> NDArray[np.float64]:
        """0–1: how much of the skin at points is covered with hair; fades over the line, none on the ears."""
        cover = np.clip(self.above(points) / 0.16 + 0.20, 0, 1) ** 1.4
        beside = (
            (np.abs(points[..., 0]) > self.ear[0] - 0.12)
            & (points[..., 1] < self.ear[1] + 0.33)
            & (points[..., 2] > self.ear[2] - 0.35)
            & (points[..., 2] < self.ear[2] + 0.30)
        )
        return np.where(beside | (points[..., 1] < self.eyes - 0.9), 0, cover)


def hairline_of(marks: Landmarks, hair: Hair) -> Hairline:
    return Hairline(marks.centre, float(marks.eye[1]), marks.ear, hair.hairline, hair.recession)
