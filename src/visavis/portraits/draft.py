"""A draft: an avatar that somebody is making of a photo, until it is saved or discarded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from visavis.avatar.manifest import Consent

Places = Mapping[str, tuple[float, float]]
"""Names of a face's points and where they are: (x, y), pixels of the upright photo."""


class DraftState(StrEnum):
    """What a draft waits for, or what is done with it."""

    EMPTY = "empty"
    """A photo is wanted."""
    WAITING = "waiting"
    """Its turn will come."""
    BUILDING = "building"
    POINTS = "points"
    """The points of the face have to be placed, or confirmed, by hand."""
    READY = "ready"
    """It can be looked at, adjusted and saved."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something did not work. ``code`` is for programs, ``message`` says what to do about it."""

    code: str
    message: str


class Declined(Exception):
    """Something is not done for who asked; ``fault`` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(code, message)


def gone() -> Declined:
    """Of a draft that is not there, or somebody else's."""
    return Declined("unknown_draft", "This draft is not there any more. Please begin anew.")


def no_room() -> Declined:
    """Of a disk that is full, or a folder that may not be written."""
    return Declined("no_room", "This server cannot write into its folder of avatars.")


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in the photo. ``width``, ``height``: pixels of the upright photo; ``confidence``: 0–1 a point."""

    width: int
    height: int
    points: Places
    confidence: Mapping[str, float]
    sure: bool
    glasses: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person at the page says of the face. None: as it is found."""

    points: Places | None = None
    glasses: bool | None = None


@dataclass(slots=True, eq=False)
class Draft:
    """One draft, as it is now; only the event loop touches it.

    ``owner``: the license that it belongs to; empty: nobody's in particular. ``folder`` holds all its files and goes
    with it. ``stage`` and ``share`` (0–1): how far a build is. ``fault``: why the last step did not work.
    ``film``: whether there is a film of it. ``asked``: when somebody last asked for it, ``begun``: when it was made,
    seconds of the workshop's clock.
    """

    id: str
    owner: str
    name: str
    voice: str
    consent: Consent
    folder: Path
    begun: float
    asked: float
    state: DraftState = DraftState.EMPTY
    stage: str = ""
    share: float = 0.0
    fault: Fault | None = None
    findings: Findings | None = None
    built: bool = False
    film: bool = False
    warnings: tuple[str, ...] = ()
    wish: Wish = field(default_factory=Wish)
    face: bool = True
    """Whether the next build makes the face anew, or gives it another voice alone."""
    busy: bool = False
    """Whether a photo is being taken in, or the avatar saved."""

    @property
    def photo(self) -> Path:
        """The photo as it came."""
        return self.folder / "photo"

    @property
    def upright(self) -> Path:
        """The photo as it is shown, and as points are counted in."""
        return self.folder / "upright.jpg"

    @property
    def avatar(self) -> Path:
        """The avatar as the catalogue would read it."""
        return self.folder / "avatar"

    @property
    def film_file(self) -> Path:
        """The avatar speaking a sentence, WebM."""
        return self.folder / "film.webm"
