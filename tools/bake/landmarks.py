"""Places on a person's face that the parts are measured from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bake.basemesh import BaseMesh, Points

Point = NDArray[np.float64]


@dataclass(frozen=True)
class Landmarks:
    """In dm, MakeHuman axes; `eye` is on the image's right (x > 0, the person's left)."""

    eye: Point
    eye_radius: float
    nose: Point
    mouth: Point
    chin: Point
    crown: Point
    neck: Point
    ear: Point
    lobe: Point
    centre: Point  # of the skull


def find_landmarks(mesh: BaseMesh, vertices: Points) -> Landmarks:
    """Measure a resting person's vertices (V,3)."""
    body = vertices[mesh.ranges["body"]]
    ball = vertices[mesh.ranges["helper-l-eye"]]
    radius = float(np.ptp(ball[:, 1])) / 2
    eye = (ball.max(0) + ball.min(0)) / 2
    eye[2] = ball[:, 2].max() - radius
    middle = body[(np.abs(body[:, 0]) < 0.06) & (np.abs(body[:, 1] - eye[1]) < 1.6)]
    nose_part = middle[(middle[:, 1] < eye[1] - 0.1) & (middle[:, 1] > eye[1] - 0.6)]
    nose = nose_part[np.argmax(nose_part[:, 2])]
    mouth = vertices[mesh.ranges["helper-upper-teeth"]].mean(0)
    low_front = middle[(middle[:, 1] < mouth[1] - 0.2) & (middle[:, 2] > mouth[2] - 0.1)]
    chin = low_front[np.argmin(low_front[:, 1])]
    crown = middle[np.argmax(middle[:, 1])]
    head = body[np.abs(body[:, 1] - eye[1]) < 0.45]
    ear = head[np.argmax(head[:, 0])]
    lobes = body[(body[:, 0] > ear[0] - 0.10) & (np.abs(body[:, 2] - ear[2]) < 0.3) & (body[:, 1] > ear[1] - 0.6)]
    lobe = lobes[np.argmin(lobes[:, 1])]
    centre = np.array([0.0, eye[1] + 0.25, (head[:, 2].min() + eye[2]) / 2])
    neck = vertices[mesh.joints["joint-neck"]].mean(0)
    return Landmarks(eye, radius, nose, mouth, chin, crown, neck, ear, lobe, centre)
