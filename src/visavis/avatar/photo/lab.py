"""Colour as it is seen: CIE L*a*b*."""

import cv2
import numpy as np

from visavis.avatar.package import Pixels
from visavis.avatar.photo.geometry import Doubles


def lab_of(picture: Pixels) -> Doubles:
    """(height, width, 3): L* 0–100, a* (green to red), b* (blue to yellow) of a BGR picture."""
    values = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    return np.asarray(values, np.float64)
