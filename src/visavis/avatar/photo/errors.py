"""Why a photograph cannot become an avatar; each reason has a code for programs and a sentence for people."""

from collections.abc import Mapping
from typing import ClassVar


class PhotoError(Exception):
    """A photograph is refused. ``code`` names the reason; the message says what to do about it."""

    code: ClassVar[str]


class NotAnImage(PhotoError):
    """The bytes are no JPEG, PNG or WebP picture, or cannot be decoded."""

    code = "not_an_image"


class TooLarge(PhotoError):
    """The file or the picture exceeds the bounds."""

    code = "too_large"


class NoFace(PhotoError):
    """No face was found."""

    code = "no_face"


class SeveralFaces(PhotoError):
    """More than one face was found."""

    code = "several_faces"


class FaceTooSmall(PhotoError):
    """The face has too few pixels."""

    code = "face_too_small"


class TurnedAway(PhotoError):
    """The face does not look into the camera."""

    code = "turned_away"


class Covered(PhotoError):
    """The eyes or the mouth cannot be seen. ``part``: ``"eyes"`` or ``"mouth"``."""

    code = "covered"

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part


class CutOff(PhotoError):
    """A part of the face lies beyond the photograph's edge."""

    code = "cut_off"


class EyesClosed(PhotoError):
    """The eyes are shut, so what they look like open is not known."""

    code = "eyes_closed"


class PointsNeeded(PhotoError):
    """The parts of the face could not be found surely: they must be placed by hand.

    ``guess``: name → (x, y), pixels of the upright photograph of ``width`` × ``height``: where to begin.
    """

    code = "points_needed"

    def __init__(self, guess: Mapping[str, tuple[float, float]], width: int, height: int) -> None:
        super().__init__("the eyes and the mouth could not be found surely; place their points by hand")
        self.guess = dict(guess)
        self.width, self.height = width, height


class PointsInvalid(PhotoError):
    """The points placed by hand cannot be used."""

    code = "points_invalid"
