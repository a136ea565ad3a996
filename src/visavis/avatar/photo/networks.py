"""The face networks, run by OpenCV: face detector, landmarks, iris, and the matte of a person.

The files are MediaPipe's (Apache-2.0), taken out of its wheel by ``visavis models pull face-landmarks``.
References: Bazarevsky et al., "BlazeFace", 2019; Kartynnik et al., "Real-time Facial Surface Geometry", 2019;
Ablavatski et al., "Real-time Pupil Tracking", 2020. Inputs are RGB.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from visavis.avatar.package import Pixels
from visavis.avatar.photo.geometry import Doubles, Floats, mesh

DETECTOR_FILE: Final = "face_detection_short_range.tflite"
LANDMARK_FILE: Final = "face_landmark.tflite"
IRIS_FILE: Final = "iris_landmark.tflite"
MATTE_FILE: Final = "selfie_segmentation.tflite"

_DETECTOR_SIDE: Final = 256
"""Twice what the detector was trained at, so that smaller faces are found too; it is convolutional throughout."""
_STRIDES: Final = ((8, 2), (16, 6))
"""Pixels per cell of the detector's two grids, and its anchors per cell."""
_LANDMARK_SIDE: Final = 192
_IRIS_SIDE: Final = 64
_MATTE_SIDE: Final = 256


class ModelFilesError(Exception):
    """The folder does not hold the networks, or OpenCV cannot read them; fit for the operator."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A face. ``box``: left, top, right, bottom; ``eyes``: (2, 2), the eye on the image's left first; pixels."""

    box: tuple[float, float, float, float]
    eyes: Doubles
    score: float

    @property
    def side(self) -> float:
        """The longer side of the box."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])


class FaceNetworks:
    """The four networks in ``folder``. Thread-safe: one call at a time runs. Raises ``ModelFilesError``."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._detector = _read(folder / DETECTOR_FILE)
        self._landmark = _read(folder / LANDMARK_FILE)
        self._iris = _read(folder / IRIS_FILE)
        self._matte = _read(folder / MATTE_FILE)
        self._anchors = _anchors()

    def faces(self, picture: Pixels, least: float = 0.5) -> list[Detection]:
        """The faces, the largest first; each ``score`` is at least ``least``."""
        height, width = picture.shape[:2]
        side = max(height, width)
        square = cv2.copyMakeBorder(picture, 0, side - height, 0, side - width, cv2.BORDER_CONSTANT)
        square = cv2.resize(square, (_DETECTOR_SIDE, _DETECTOR_SIDE), interpolation=cv2.INTER_AREA)
        blob = cv2.dnn.blobFromImage(square, 2 / 255, mean=(127.5, 127.5, 127.5), swapRB=True)
        scores, boxes = (a.reshape(len(self._anchors), -1) for a in self._run(self._detector, blob, 1, 16))
        chances = 1 / (1 + np.exp(-np.clip(scores[:, 0].astype(np.float64), -50, 50)))
        good = np.flatnonzero(chances >= least)
        values = boxes[good].astype(np.float64).reshape(len(good), 8, 2)
        # The size comes second; everything else is a place, from the anchor's centre.
        values[:, [0, 2, 3, 4, 5, 6, 7]] += self._anchors[good][:, None]
        values *= side / _DETECTOR_SIDE
        found: list[Detection] = []
        for value, chance in zip(values, chances[good], strict=True):
            (x, y), (w, h) = value[0], value[1]
            box = (float(x - w / 2), float(y - h / 2), float(x + w / 2), float(y + h / 2))
            found.append(Detection(box, value[2:4], float(chance)))
        return sorted(_distinct(found), key=lambda face: face.side, reverse=True)

    def landmarks(self, crop: Pixels) -> tuple[Doubles, float]:
        """The 468 landmarks (468, 3) in an upright crop of a face, x and y in shares of its side, z on the same scale
        (negative: towards the camera); and how sure it is that there is a face, 0–1."""
        blob = cv2.dnn.blobFromImage(crop, 1 / 255, (_LANDMARK_SIDE, _LANDMARK_SIDE), swapRB=True)
        points, score = self._run(self._landmark, blob, 1404, 1)
        return points.reshape(468, 3).astype(np.float64) / _LANDMARK_SIDE, float(
            1 / (1 + np.exp(-float(score.ravel()[0])))
        )

    def iris(self, crop: Pixels) -> tuple[Doubles, Doubles]:
        """Of an upright crop of the eye on the image's left: the eye's contour (16, 2), first the lower lid from the
        outer corner to the inner, then the upper lid; and the iris (5, 2), centre first. In shares of the side."""
        blob = cv2.dnn.blobFromImage(crop, 1 / 255, (_IRIS_SIDE, _IRIS_SIDE), swapRB=True)
        contour, iris = self._run(self._iris, blob, 213, 15)
        lids = contour.reshape(71, 3)[:16, :2].astype(np.float64) / _IRIS_SIDE
        return lids, iris.reshape(5, 3)[:, :2].astype(np.float64) / _IRIS_SIDE

    def matte(self, picture: Pixels) -> Floats:
        """(256, 256): how surely each part of the picture, squeezed to a square, is a person, 0–1."""
        blob = cv2.dnn.blobFromImage(picture, 1 / 255, (_MATTE_SIDE, _MATTE_SIDE), swapRB=True)
        (share,) = self._run(self._matte, blob, _MATTE_SIDE * _MATTE_SIDE)
        return np.asarray(share.reshape(_MATTE_SIDE, _MATTE_SIDE), np.float32)

    def _run(self, network: Any, blob: Any, *sizes: int) -> list[Floats]:
        """The outputs whose rows (for the detector) or whole have the ``sizes``, in that order."""
        with self._lock:
            network.setInput(blob)
            outputs = [np.asarray(out, np.float32) for out in network.forward(network.getUnconnectedOutLayersNames())]
        found: list[Floats] = []
        for size in sizes:
            found.append(next(out for out in outputs if size in (out.size, out.shape[-1])))
        return found


def _read(path: Path) -> Any:
    if not path.is_file():
        raise ModelFilesError(f"there is no {path}; fetch it: visavis models pull face-landmarks")
    try:
        return cv2.dnn.readNetFromTFLite(str(path))
    except cv2.error as error:
        raise ModelFilesError(f"{path} is no network that this OpenCV can read") from error


def _anchors() -> Doubles:
    centres: list[Doubles] = []
    for stride, count in _STRIDES:
        cells = (np.arange(_DETECTOR_SIDE // stride) + 0.5) * stride
        x, y = mesh(cells, cells)
        centres.append(np.repeat(np.stack([x.ravel(), y.ravel()], 1), count, 0))
    return np.concatenate(centres)


def _distinct(found: Sequence[Detection], overlap: float = 0.4) -> list[Detection]:
    """Without those that lie mostly on a surer one."""
    kept: list[Detection] = []
    for face in sorted(found, key=lambda face: face.score, reverse=True):
        if all(_shared(face.box, other.box) < overlap for other in kept):
            kept.append(face)
    return kept


def _shared(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """What two boxes share, of the smaller one."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
