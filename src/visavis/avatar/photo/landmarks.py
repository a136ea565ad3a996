"""Finding the parts of one face: by the networks, or without them by OpenCV's cascades and points placed by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import cv2
import numpy as np

from visavis.avatar.package import Pixels
from visavis.avatar.photo.errors import NoFace, PointsInvalid, SeveralFaces
from visavis.avatar.photo.geometry import (
    Doubles,
    inverse,
    rigid_fit,
    similarity_fit,
    spread,
    transform,
    warp_affine,
)
from visavis.avatar.photo.networks import Detection, FaceNetworks
from visavis.avatar.photo.table import Table
from visavis.avatar.photo.topology import IRIS_LIDS, IRIS_LIDS_MIRRORED, LOWER_LIP, NAMED, UPPER_LIP

_CROP: Final = 192
_ROUNDS: Final = 3
_VIEWS: Final = ((1.0, 0.0), (0.94, 0.05), (1.06, -0.05), (0.97, -0.09), (1.03, 0.09), (1.1, 0.0))
"""Scales and turns (radians) of the views whose landmarks are averaged; each is seen mirrored, too."""
_RIVAL: Final = 0.4
"""A second face counts when it is at least this share of the first one's size."""
_SURE: Final = 0.5
_DOUBTFUL: Final = 0.03
"""Doubt that leaves a point a quarter of its confidence."""
_UPRIGHT: Final = 0.95
"""How sure the networks are of a face that is not upside down …"""
_SURER: Final = 0.1
"""… and how much surer they must be of it the other way up."""
_ODD: Final = 0.2
"""How far points placed by hand may lie from where an average face has them, in distances of the eyes' corners."""
_HELD: Final = (10, 338, 109, 454, 234, 323, 93)
"""Landmarks around the face that points placed by hand do not move."""
_CANDIDATES: Final = 8
"""Most faces that are looked at closely."""
_EYE: Final = 2.3
"""Side of the iris network's crop, in widths of the eye."""
_AT_ONCE: Final = 1400
"""Longest side at which the cascades look for faces."""

Points = Mapping[str, tuple[float, float]]
"""Names of ``NAMED`` and where they are: (x, y), pixels of the photograph."""


@dataclass(frozen=True, slots=True)
class Face:
    """One face's parts in pixels of its picture.

    ``points``: (468, 3), z on the scale of x, negative towards the camera; ``irises``: (2, 3): x, y, radius, the eye
    on the image's left first. ``score``: how sure it is that there is a face. ``found``: by the networks.
    ``doubts``: (468,) how far apart several looks at it saw each point, in distances of the eyes' outer corners.
    """

    points: Doubles
    irises: Doubles
    score: float
    found: bool
    doubts: Doubles

    @property
    def height(self) -> float:
        """From the landmarks' top (the forehead) to the chin."""
        return float(np.ptp(self.points[:, 1]))

    def confidence(self, index: int) -> float:
        """How surely a landmark is where it is said to be, 0–1; 0 when it was not found by the networks."""
        if not self.found:
            return 0.0
        return round(self.score * float(np.clip(1.25 - self.doubts[index] / _DOUBTFUL, 0, 1)), 3)

    def moved(self, matrix: Doubles) -> "Face":
        """The face after its picture was moved by a similarity (2 × 3)."""
        scale = float(np.sqrt(np.linalg.det(matrix[:, :2])))
        points = np.column_stack([transform(matrix, self.points[:, :2]), self.points[:, 2] * scale])
        irises = np.column_stack([transform(matrix, self.irises[:, :2]), self.irises[:, 2] * scale])
        return replace(self, points=points, irises=irises)

    def named(self) -> dict[str, tuple[float, float]]:
        """Where the points that can be placed by hand are."""
        return {
            name: (round(float(self.points[index, 0]), 1), round(float(self.points[index, 1]), 1))
            for name, index in NAMED.items()
        }


def find_face(picture: Pixels, networks: FaceNetworks | None, table: Table, points: Points | None = None) -> Face:
    """The one face of ``picture``; ``points`` correct what is found, and are needed when ``networks`` is None.

    Raises ``NoFace``, ``SeveralFaces``, ``PointsInvalid``.
    """
    if points is not None:
        _check(points, picture)
    if networks is None:
        return _from_points(table, points or {})
    faces = _confirmed(picture, networks, networks.faces(picture))
    if not faces:
        # A portrait that is all face leaves the detector too little around it.
        edge = max(picture.shape[:2]) // 3
        wider = cv2.copyMakeBorder(picture, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
        found = networks.faces(np.asarray(wider, np.uint8))
        faces = _confirmed(picture, networks, [_shifted(face, -edge) for face in found])
    if not faces:
        if points is None:
            raise NoFace("no face was found; take a photo from the front, in good light")
        return _from_points(table, points)
    if points is not None:
        # Who placed points has chosen.
        middle = np.mean(list(points.values()), 0)
        return _bent(min(faces, key=lambda face: float(np.hypot(*(face.points[:, :2].mean(0) - middle)))), points)
    faces = [face for face in faces if face.height > _RIVAL * max(face.height for face in faces)]
    if len(faces) > 1:
        raise SeveralFaces(f"{len(faces)} faces were found; cut the photo so that one remains")
    return faces[0]


def correct_face(picture: Pixels, face: Face, table: Table, points: Points) -> Face:
    """``face`` of ``picture`` with its named points where ``points`` says. Raises ``PointsInvalid``."""
    _check(points, picture)
    if face.found:
        return _bent(face, points)
    # A guess has no parts worth keeping: where a point was not placed, the average face has it.
    return _from_points(table, points)


def _confirmed(picture: Pixels, networks: FaceNetworks, found: list[Detection]) -> list[Face]:
    """The detector sees faces in folds and hats; the landmarks' network is harder to deceive."""
    faces = [_by_networks(picture, networks, detection) for detection in found[:_CANDIDATES]]
    return [face for face in faces if face.score >= _SURE]


def _shifted(face: Detection, by: float) -> Detection:
    left, top, right, bottom = face.box
    return Detection((left + by, top + by, right + by, bottom + by), face.eyes + by, face.score)


def _by_networks(picture: Pixels, networks: FaceNetworks, detection: Detection) -> Face:
    angle = _angle(detection.eyes[0], detection.eyes[1])
    face = _turned(picture, networks, detection, angle)
    if face.score < _UPRIGHT:
        # Upside down a face is still found, but its parts are seen where they are not.
        other = _turned(picture, networks, detection, angle + np.pi)
        if other.score > face.score + _SURER:
            return other
    return face


def _turned(picture: Pixels, networks: FaceNetworks, detection: Detection, angle: float) -> Face:
    """The detected face, taken to be turned by ``angle``."""
    left, top, right, bottom = detection.box
    centre = np.array([(left + right) / 2, (top + bottom) / 2])
    side = 1.5 * detection.side
    points = np.empty((0, 3))
    for _ in range(_ROUNDS):
        points, _ = _view(picture, networks, centre, side, angle)
        low, high = points[:, :2].min(0), points[:, :2].max(0)
        centre, side = (low + high) / 2, 1.5 * float((high - low).max())
        angle = _angle(points[33, :2], points[263, :2])
    seen: list[Doubles] = []
    scores: list[float] = []
    for scale, turn in _VIEWS:
        points, score = _view(picture, networks, centre, side * scale, angle + turn)
        seen.append(points)
        scores.append(score)
    points = np.mean(seen, 0)
    apart = np.std(np.asarray(seen)[..., :2], 0)
    doubts = np.hypot(apart[:, 0], apart[:, 1]) / np.hypot(*(points[33, :2] - points[263, :2]))
    irises = np.empty((2, 3))
    for index, (outer, inner, lids, mirrored) in enumerate(
        ((33, 133, IRIS_LIDS, False), (263, 362, IRIS_LIDS_MIRRORED, True))
    ):
        contour, irises[index] = _eye(picture, networks, points[outer, :2], points[inner, :2], mirrored)
        points[list(lids), :2] = contour
    return Face(points, irises, float(np.median(scores)), True, doubts)


def _view(picture: Pixels, networks: FaceNetworks, centre: Doubles, side: float, angle: float) -> tuple[Doubles, float]:
    matrix = _crop_matrix(centre, side, angle, _CROP)
    points, score = networks.landmarks(warp_affine(picture, matrix, _CROP, _CROP))
    places = transform(inverse(matrix), points[:, :2] * _CROP)
    return np.column_stack([places, points[:, 2] * side]), score


def _eye(
    picture: Pixels, networks: FaceNetworks, outer: Doubles, inner: Doubles, mirrored: bool
) -> tuple[Doubles, Doubles]:
    """The lids (16, 2), and the iris as (x, y, radius)."""
    side = _EYE * float(np.hypot(*(inner - outer)))
    angle = _angle(outer, inner) if not mirrored else _angle(inner, outer)
    crop_side = 64
    matrix = _crop_matrix((outer + inner) / 2, side, angle, crop_side)
    crop = warp_affine(picture, matrix, crop_side, crop_side)
    if mirrored:
        crop = np.ascontiguousarray(crop[:, ::-1])
    lids, iris = networks.iris(crop)
    if mirrored:
        lids, iris = lids * (-1, 1) + (1, 0), iris * (-1, 1) + (1, 0)
    back = inverse(matrix)
    lids, iris = transform(back, lids * crop_side), transform(back, iris * crop_side)
    radius = float(np.hypot(*(iris[1:] - iris[0]).T).mean())
    return lids, np.array([*iris[0], radius])


def _crop_matrix(centre: Doubles, side: float, angle: float, pixels: int) -> Doubles:
    """2 × 3: from the picture to an upright square crop around a face turned by ``angle``."""
    scale = pixels / side
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.column_stack([turn, pixels / 2 - turn @ centre])


def _angle(left: Doubles, right: Doubles) -> float:
    return float(np.arctan2(right[1] - left[1], right[0] - left[0]))


def _check(points: Points, picture: Pixels) -> None:
    height, width = picture.shape[:2]
    if unknown := set(points) - set(NAMED):
        raise PointsInvalid(f"{sorted(unknown)[0]!r} is no point of a face; there are {', '.join(NAMED)}")
    for name, (x, y) in points.items():
        if not (0 <= x <= width and 0 <= y <= height):
            raise PointsInvalid(f"{name}: ({x:g}, {y:g}) lies outside the photo of {width} × {height} pixels")


def _from_points(table: Table, points: Points) -> Face:
    """The average face, bent so that it goes through ``points``."""
    needed = {"right_eye_outer", "left_eye_outer", "mouth_right", "mouth_left"}
    if missing := needed - set(points):
        raise PointsInvalid(f"{sorted(missing)[0]} is missing; needed are {', '.join(sorted(needed))}")
    indices = [NAMED[name] for name in points]
    targets = np.array(list(points.values()), np.float64)
    if float(np.ptp(targets, 0).max()) < 1:
        raise PointsInvalid("the points lie in one place")
    average = table.points[indices, :2]
    matrix = similarity_fit(average, targets)
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    off = np.hypot(*(transform(matrix, average) - targets).T)
    eyes = float(np.hypot(*(table.points[33, :2] - table.points[263, :2]))) * scale
    if float(off.mean()) > _ODD * eyes:
        raise PointsInvalid("the points do not lie as those of a face do; right and left are the person's own")
    whole = np.column_stack([transform(matrix, table.points[:, :2]), table.points[:, 2] * scale])
    return _bent(_average(whole, 1.0), points)


def _bent(face: Face, points: Points) -> Face:
    """The face bent so that its named points are where ``points`` says; what is far from them stays."""
    goals = {NAMED[name]: np.array(place, np.float64) for name, place in points.items()}
    if face.found:
        goals |= {index: face.points[index, :2] for index in _HELD}
    else:
        goals = _lip_rows(face, goals) | goals
    at = face.points[list(goals), :2]
    shifts = np.array(list(goals.values())) - at
    whole = face.points.copy()
    whole[:, :2] += spread(at, shifts, face.points[:, :2], smoothing=0.0)
    if not face.found:
        return replace(face, points=whole, irises=_irises(whole))
    irises = face.irises.copy()
    irises[:, :2] += spread(at, shifts, irises[:, :2], smoothing=0.0)
    return replace(face, points=whole, irises=irises)


def _lip_rows(face: Face, goals: dict[int, Doubles]) -> dict[int, Doubles]:
    """Where the lips' borders go between their corners and their middles: along parabolas."""
    rows: dict[int, Doubles] = {}
    right, left = face.points[61, :2], face.points[291, :2]
    for row in (UPPER_LIP[0], UPPER_LIP[3], LOWER_LIP[3], LOWER_LIP[0]):
        middle = row[5]
        if middle not in goals:
            continue
        arch = goals[middle] - (goals[61] + goals[291]) / 2
        for index in row[1:-1]:
            share = float((face.points[index, 0] - right[0]) / (left[0] - right[0]))
            chord = goals[61] + share * (goals[291] - goals[61])
            rows[index] = chord + arch * (1 - (2 * share - 1) ** 2)
    return rows


def _average(points: Doubles, score: float) -> Face:
    return Face(points, _irises(points), score, False, np.zeros(len(points)))


def _irises(points: Doubles) -> Doubles:
    """Irises in the middle of the eyes, of the average size: 11.7 mm to an eye of 30 mm."""
    out = np.empty((2, 3))
    for index, (outer, inner, top, bottom) in enumerate(((33, 133, 159, 145), (263, 362, 386, 374))):
        x = float(points[[outer, inner], 0].mean())
        y = float(points[[top, bottom], 1].mean())
        out[index] = x, y, 0.5 * 0.39 * float(np.hypot(*(points[outer, :2] - points[inner, :2])))
    return out


def guess_face(picture: Pixels, table: Table) -> Face:
    """The average face where OpenCV's cascades see a face and, if they do, its eyes.

    Raises ``NoFace``, ``SeveralFaces``.
    """
    scale = min(1.0, _AT_ONCE / max(picture.shape[:2]))
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    grey = np.asarray(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    least = max(40, min(grey.shape) // 8)
    faces = _cascade("haarcascade_frontalface_default.xml", grey, least)
    if not len(faces):
        raise NoFace("no face was found; take a photo from the front, in good light")
    faces = faces[np.argsort(-faces[:, 2])]
    faces = faces[faces[:, 2] > _RIVAL * faces[0, 2]]
    if len(faces) > 1:
        raise SeveralFaces(f"{len(faces)} faces were found; cut the photo so that one remains")
    x, y, side = (float(v) for v in faces[0, :3])
    upper = grey[int(y) : int(y + 0.6 * side), int(x) : int(x + side)]
    eyes = _cascade("haarcascade_eye.xml", np.ascontiguousarray(upper), int(side / 8))
    middles = np.array([(x + a + w / 2, y + b + h / 2) for a, b, w, h in eyes]).reshape(-1, 2)
    right, left = middles[middles[:, 0] < x + side / 2], middles[middles[:, 0] >= x + side / 2]
    if len(right) == len(left) == 1:
        goal = np.concatenate([right, left])
    else:
        # Where the cascade's box puts the eyes of most faces.
        goal = np.array([[x + 0.31 * side, y + 0.39 * side], [x + 0.69 * side, y + 0.39 * side]])
    source = np.stack([table.points[[33, 133], :2].mean(0), table.points[[362, 263], :2].mean(0)])
    matrix = similarity_fit(source, goal / scale)
    size = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    whole = np.column_stack([transform(matrix, table.points[:, :2]), table.points[:, 2] * size])
    return _average(whole, 0.0)


def _cascade(name: str, grey: Pixels, least: int) -> Doubles:
    """(N, 4): x, y, width, height of what a cascade of OpenCV's finds."""
    folder = str(cast("Any", cv2).data.haarcascades)
    found = cv2.CascadeClassifier(folder + name).detectMultiScale(grey, 1.1, 6, minSize=(least, least))
    return np.asarray(found, np.float64).reshape(-1, 4)


@dataclass(frozen=True, slots=True)
class Pose:
    """How a face stands to the camera, beside the table's face, which looks into it. Radians.

    ``scale``: pixels per decimetre; ``rotation``: (3, 3), x right, y down, z away.
    """

    scale: float
    rotation: Doubles

    @property
    def yaw(self) -> float:
        return float(np.arctan2(self.rotation[0, 2], self.rotation[2, 2]))

    @property
    def pitch(self) -> float:
        return float(np.arcsin(np.clip(self.rotation[1, 2], -1, 1)))

    @property
    def roll(self) -> float:
        return float(np.arctan2(self.rotation[1, 0], self.rotation[0, 0]))


def pose_of(face: Face, table: Table) -> Pose:
    """The pose in which the table's face is nearest to ``face``."""
    # The mouth and the brows move; bone does not.
    scale, rotation, _ = rigid_fit(table.points[table.firm], face.points[table.firm])
    return Pose(scale, rotation)
