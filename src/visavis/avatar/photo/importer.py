"""One photograph in, one avatar out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from visavis.avatar.catalogue import EMBEDDED
from visavis.avatar.manifest import Manifest, Mouth
from visavis.avatar.package import AvatarPackage, Pixels, load_package
from visavis.avatar.photo import checks
from visavis.avatar.photo.canonical import SIZE, canonical, canonical_matrix
from visavis.avatar.photo.eyes import eye_table
from visavis.avatar.photo.fields import GRID, fields_of, layout_of
from visavis.avatar.photo.gains import gains_of
from visavis.avatar.photo.image import decode
from visavis.avatar.photo.interior import interior_of
from visavis.avatar.photo.landmarks import Points, find_face, pose_of
from visavis.avatar.photo.lips import close_lips
from visavis.avatar.photo.matte import matte_of, plate_of
from visavis.avatar.photo.networks import FaceNetworks
from visavis.avatar.photo.table import load_table

Progress = Callable[[float, str], None]
"""Told how much is done, 0–1, and what comes next. What it raises ends the import."""

MAX_NAME: Final = 100
"""Longest name of an avatar, as the package's manifest takes it."""
_LENDER: Final = EMBEDDED / "vera" / "face"
"""Whose teeth, tongue and shadows are adapted."""


@dataclass(frozen=True, slots=True, eq=False)
class PhotoAvatar:
    """A person's face as an avatar package.

    ``matte`` (size, size) and ``plate`` (size, size, 3, BGR): the person apart from the background, and the background
    without the person; canonical. ``points``: the named points as they were used, pixels of the upright photograph
    (made smaller to at most 2400 a side). ``warnings``: sentences on what will not look its best.
    """

    package: AvatarPackage
    matte: Pixels
    plate: Pixels
    points: dict[str, tuple[float, float]]
    warnings: tuple[str, ...]


def import_photo(
    data: bytes,
    *,
    name: str,
    points: Points | None = None,
    models: FaceNetworks | None = None,
    progress: Progress | None = None,
) -> PhotoAvatar:
    """An avatar of the one person in a photograph (JPEG, PNG or WebP). Blocks for some seconds; any thread.

    ``points``: places by hand (see ``PointsNeeded``); they correct what the networks find, and are needed without
    them. Raises ``PhotoError``, and ``ValueError`` for a name that is empty or too long.
    """
    if not 1 <= len(name) <= MAX_NAME:
        raise ValueError(f"the name must have 1 to {MAX_NAME} characters")
    tell = progress if progress is not None else _silent
    tell(0.0, "reading the photo")
    photo = decode(data)
    table = load_table()
    tell(0.05, "looking for the face")
    face = find_face(photo, models, table, points)
    named = face.named()
    checks.check_size(face)
    pose = pose_of(face, table)
    checks.check_pose(pose)
    checks.check_seen(photo, face)
    warnings: list[str] = []
    if face.height < checks.SOFT_HEIGHT:
        warnings.append(
            f"the face is {face.height:.0f} pixels high and will look soft; {checks.SOFT_HEIGHT} or more are good"
        )
    tell(0.15, "cutting the picture")
    matrix = canonical_matrix(face, pose, photo.shape[0])
    picture = canonical(photo, matrix)
    face = face.moved(matrix)
    pose = pose_of(face, table)
    tell(0.2, "closing the lips")
    closed, closed_face, lips = close_lips(picture, face)
    tell(0.3, "fields")
    layout = layout_of(closed_face, lips, pose, SIZE)
    fields = fields_of(closed_face, lips, pose, table, layout, SIZE)
    tell(0.5, "teeth and tongue")
    lender = load_package(_LENDER)
    inside, interior = interior_of(picture, closed_face, lips, pose, table, lender)
    shading, gain = gains_of(closed_face, table, lender, SIZE)
    tell(0.6, "eyelids and gaze")
    eyes, eye_pictures = eye_table(closed, closed_face)
    tell(0.85, "background")
    matte = matte_of(closed, closed_face, models)
    plate = plate_of(closed, matte)
    manifest = Manifest(
        format=1,
        name=name,
        kind="photo",
        licence="The photograph's rights stay with its owner; not to be passed on without the person's consent.",
        source="Made from one photograph.",
        notice=lender.manifest.notice,
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
    )
    package = AvatarPackage(manifest, closed, replace(fields, gain=gain), eye_pictures, interior)
    tell(1.0, "done")
    return PhotoAvatar(package, matte, plate, named, tuple(warnings))


def _silent(_share: float, _what: str) -> None:
    """Progress that nobody watches."""


def _border_colour(plate: Pixels) -> tuple[int, int, int]:
    """R, G, B of the background's sides, for what lies beside the picture."""
    sides = plate[: SIZE // 2, [0, -1]].reshape(-1, 3).mean(0)
    return int(sides[2]), int(sides[1]), int(sides[0])
