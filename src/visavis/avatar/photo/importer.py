"""One photograph in, one avatar out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from visavis.avatar.manifest import FORMAT, Consent, Manifest, Mouth
from visavis.avatar.package import AvatarPackage, Pixels
from visavis.avatar.photo import checks
from visavis.avatar.photo.canonical import SIZE, canonical, canonical_matrix
from visavis.avatar.photo.errors import PointsNeeded
from visavis.avatar.photo.eyes import eye_table
from visavis.avatar.photo.fields import GRID, fields_of, layout_of
from visavis.avatar.photo.gains import gains_of
from visavis.avatar.photo.glasses import wears_glasses
from visavis.avatar.photo.image import decode
from visavis.avatar.photo.interior import interior_of
from visavis.avatar.photo.landmarks import Face, Points, correct_face, find_face, guess_face, pose_of
from visavis.avatar.photo.lender import load_lender
from visavis.avatar.photo.lips import close_lips
from visavis.avatar.photo.matte import matte_of, own_colours
from visavis.avatar.photo.networks import FaceNetworks
from visavis.avatar.photo.plate import plate_of
from visavis.avatar.photo.table import load_table
from visavis.avatar.photo.topology import NAMED


class Stage(StrEnum):
    """What an import is doing: a phrase for people; the name is for programs."""

    READING = "reading the photo"
    FACE = "looking for the face"
    PICTURE = "cutting the picture"
    LIPS = "closing the lips"
    FIELDS = "learning how the face moves"
    TEETH = "teeth and tongue"
    EYES = "eyelids and gaze"
    BACKGROUND = "background"
    DONE = "done"


Progress = Callable[[float, Stage], None]
"""Told how much is done, 0–1, and what comes next. What it raises ends the import."""

MAX_NAME: Final = 100
"""Longest name of an avatar, as the package's manifest takes it."""
_SURE: Final = 0.8
"""A face that the networks are less sure of than this is to be looked at by someone."""


@dataclass(frozen=True, slots=True, eq=False)
class PhotoAnalysis:
    """The one face of a photograph, before an avatar is made of it.

    ``photo``: (height, width, 3) BGR, upright, at most 2400 pixels a side. ``points``: where the parts that can be
    placed by hand are, in its pixels; ``confidence``: how surely each is there, 0–1. ``sure``: no hand is needed.
    ``glasses``: they seem to be worn. ``warnings``: sentences on what will not look its best.
    """

    photo: Pixels
    face: Face
    points: dict[str, tuple[float, float]]
    confidence: dict[str, float]
    sure: bool
    glasses: bool
    warnings: tuple[str, ...]

    @property
    def width(self) -> int:
        return self.photo.shape[1]

    @property
    def height(self) -> int:
        return self.photo.shape[0]


@dataclass(frozen=True, slots=True, eq=False)
class PhotoAvatar:
    """A person's face as an avatar package.

    ``points``: the named points as they were used, pixels of the upright photograph (made smaller to at most 2400 a
    side). ``warnings``: sentences on what will not look its best.
    """

    package: AvatarPackage
    points: dict[str, tuple[float, float]]
    warnings: tuple[str, ...]


def analyse_photo(
    data: bytes,
    *,
    models: FaceNetworks | None = None,
    points: Points | None = None,
    progress: Progress | None = None,
) -> PhotoAnalysis:
    """Find the one face in a photograph (JPEG, PNG or WebP). Blocks; any thread.

    Without ``models`` the points are a guess. ``points``: places by hand, of any of ``topology.NAMED``; they correct
    what the networks find, and are trusted. Raises ``PhotoError``.
    """
    tell = progress if progress is not None else _silent
    tell(0.0, Stage.READING)
    photo = decode(data)
    tell(0.05, Stage.FACE)
    table = load_table()
    face = guess_face(photo, table) if models is None and points is None else find_face(photo, models, table, points)
    return _analysed(photo, face, by_hand=points is not None)


def build_avatar(
    analysis: PhotoAnalysis,
    *,
    name: str,
    consent: Consent,
    points: Points | None = None,
    glasses: bool | None = None,
    models: FaceNetworks | None = None,
    progress: Progress | None = None,
) -> PhotoAvatar:
    """The avatar of an analysed photograph. Blocks for some seconds; any thread.

    ``points``: places by hand that correct the analysis; needed when it is not ``sure``. ``glasses``: whether the lids
    leave the rims of glasses alone; None: as the analysis says. ``models``: for the matte. Raises ``PhotoError``, and
    ``ValueError`` for a name that is empty or too long.
    """
    _check_name(name)
    if points:
        face = correct_face(analysis.photo, analysis.face, load_table(), points)
        analysis = _analysed(analysis.photo, face, by_hand=True)
    if not analysis.sure:
        raise PointsNeeded(analysis.points, analysis.width, analysis.height)
    photo, face, table = analysis.photo, analysis.face, load_table()
    tell = progress if progress is not None else _silent
    tell(0.15, Stage.PICTURE)
    matrix = canonical_matrix(face, pose_of(face, table), photo.shape[0])
    picture = canonical(photo, matrix)
    face = face.moved(matrix)
    pose = pose_of(face, table)
    tell(0.2, Stage.LIPS)
    closed, closed_face, lips = close_lips(picture, face)
    tell(0.3, Stage.FIELDS)
    layout = layout_of(closed_face, lips, pose, SIZE)
    fields = fields_of(closed_face, lips, pose, table, layout, SIZE)
    tell(0.5, Stage.TEETH)
    lender = load_lender()
    inside, interior = interior_of(picture, closed_face, lips, pose, lender)
    shading, gain = gains_of(closed_face, lender, SIZE)
    tell(0.6, Stage.EYES)
    eyes, eye_pictures = eye_table(closed, closed_face, glasses=analysis.glasses if glasses is None else glasses)
    tell(0.85, Stage.BACKGROUND)
    matte = matte_of(closed, closed_face, models)
    plate = plate_of(closed, matte)
    manifest = Manifest(
        format=FORMAT,
        name=name,
        kind="photo",
        licence="The photograph's rights stay with its owner; not to be passed on without the person's consent.",
        source="Made from one photograph.",
        notice=lender.notice,
        size=SIZE,
        grid=GRID,
        background=_border_colour(plate),
        shapes=table.shapes,
        head=layout.head,
        mouth=Mouth(
            box=layout.box,
            window=layout.window,
            slit=tuple((round(float(x), 2), round(float(y), 2)) for x, y in lips.line),
            interior=inside,
        ),
        eyes=eyes,
        shading=shading,
        consent=consent,
    )
    fields = replace(fields, gain=gain)
    package = AvatarPackage(manifest, own_colours(closed, matte), fields, eye_pictures, interior, matte, plate)
    tell(1.0, Stage.DONE)
    return PhotoAvatar(package, analysis.points, analysis.warnings)


def import_photo(
    data: bytes,
    *,
    name: str,
    consent: Consent,
    points: Points | None = None,
    glasses: bool | None = None,
    models: FaceNetworks | None = None,
    progress: Progress | None = None,
) -> PhotoAvatar:
    """``analyse_photo`` and ``build_avatar`` in one. Raises ``PhotoError`` and ``ValueError``."""
    _check_name(name)
    analysis = analyse_photo(data, models=models, points=points, progress=progress)
    return build_avatar(analysis, name=name, consent=consent, glasses=glasses, models=models, progress=progress)


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= MAX_NAME:
        raise ValueError(f"the name must have 1 to {MAX_NAME} characters")


def _analysed(photo: Pixels, face: Face, *, by_hand: bool) -> PhotoAnalysis:
    """Raises ``PhotoError`` for a face that cannot become an avatar, as far as it is known where its parts are."""
    checks.check_size(face)
    sure = by_hand or (face.found and face.score >= _SURE)
    if sure:
        checks.check_pose(pose_of(face, load_table()))
        checks.check_inside(photo, face)
        checks.check_seen(photo, face)
    warnings = checks.light_warnings(photo, face)
    if face.height < checks.SOFT_HEIGHT:
        warnings.append(
            f"the face is {face.height:.0f} pixels high and will look soft; {checks.SOFT_HEIGHT} or more are good"
        )
    confidence = {name: 1.0 if by_hand else face.confidence(index) for name, index in NAMED.items()}
    return PhotoAnalysis(
        photo, face, face.named(), confidence, sure, sure and wears_glasses(photo, face), tuple(warnings)
    )


def _silent(_share: float, _what: Stage) -> None:
    """Progress that nobody watches."""


def _border_colour(plate: Pixels) -> tuple[int, int, int]:
    """R, G, B of the background's sides, for what lies beside the picture."""
    sides = plate[: SIZE // 2, [0, -1]].reshape(-1, 3).mean(0)
    return int(sides[2]), int(sides[1]), int(sides[0])
