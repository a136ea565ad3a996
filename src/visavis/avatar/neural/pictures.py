"""FaceLoop: the moving pictures of a person who says nothing, which a drawn mouth is put into."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
from av.error import FFmpegError

from visavis.avatar.animation.animator import Animator
from visavis.avatar.animation.tables import HOUSE
from visavis.avatar.face import FaceState
from visavis.avatar.neural.ports import MOUTH_RATE, NeuralError, Pixels, Place
from visavis.avatar.package import AvatarPackage
from visavis.avatar.puppet.placing import placing
from visavis.avatar.puppet.renderer import PuppetRenderer
from visavis.avatar.view import View

LONGEST: Final = 10.0
"""Seconds of a video that are used at most."""
_SMALLEST_FACE: Final = 64
"""Pixels from side to side of the smallest face that is taken."""
_LOOKS: Final = 3
"""Pictures from one in which a face is looked for to the next."""
_STEADY: Final = 5
"""Pictures over which a face's place is averaged."""
_VIDEOS: Final = (".mp4", ".webm", ".mov", ".mkv")
_PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class FaceLoop:
    """Pictures at ``MOUTH_RATE``, played forwards and backwards, and where the face is in each."""

    pictures: Pixels
    """(pictures, height * 3 // 2, width): I420, limited range BT.601."""
    places: tuple[Place, ...]

    @property
    def width(self) -> int:
        return self.pictures.shape[2]

    @property
    def height(self) -> int:
        return self.pictures.shape[1] * 2 // 3

    def index(self, number: int) -> int:
        """Which picture is shown as the ``number``-th of a session."""
        period = max(1, 2 * len(self.places) - 2)
        place = number % period
        return place if place < len(self.places) else period - place


def loop_of_package(package: AvatarPackage, width: int, height: int, seconds: float = 4.0) -> FaceLoop:
    """An avatar as its puppet listens: breathing, blinking, lips at rest. Blocks (about 2 ms a picture)."""
    renderer = PuppetRenderer(package, View(width, height))
    animator = Animator(1, HOUSE.with_overrides(package.manifest.overrides))
    animator.state(FaceState.LISTENING, 0.0)
    pictures = np.empty((max(1, round(seconds * MOUTH_RATE)), height * 3 // 2, width), np.uint8)
    # The state needs a moment to be taken on.
    settled = 1.0
    for number, picture in enumerate(pictures):
        renderer.paint(animator.frame(settled + number / MOUTH_RATE), picture)
    place = _place_in(package, width, height)
    return FaceLoop(pictures, (place,) * len(pictures))


def loop_of_file(path: Path, width: int, height: int) -> FaceLoop:
    """A photograph, or the first ``LONGEST`` seconds of a video, cut to the frame. Blocks. Raises ``NeuralError``."""
    try:
        pictures = [_photograph(path)] if path.suffix.lower() in _PICTURES else _video(path)
    except (OSError, FFmpegError, cv2.error) as error:
        raise NeuralError(f"{path}: it cannot be read as a picture or video: {error}") from error
    fitted = [_fitted(picture, width, height) for picture in pictures]
    # A look at every few pictures is enough: between them a face is where it was and where it will be.
    found = {number: place for number in range(0, len(fitted), _LOOKS) if (place := _find(fitted[number]))}
    if not found:
        raise NeuralError(f"{path}: no face is seen in it; it must look into the camera")
    planes = [np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), np.uint8) for picture in fitted]
    return FaceLoop(np.stack(planes), _steadied(found, len(fitted)))


def source_beside(package: Path) -> Path | None:
    """The photograph or video that an avatar brings in place of its puppet: ``neural.mp4`` (or the like) beside it."""
    names = [f"neural{suffix}" for suffix in (*_VIDEOS, *_PICTURES)]
    return next((path for name in names if (path := package.parent / name).is_file()), None)


def _place_in(package: AvatarPackage, width: int, height: int) -> Place:
    """By the manifest's boxes, moved into the frame as the puppet paints it."""
    manifest = package.manifest
    if manifest.eyes is None:
        raise NeuralError(f"{manifest.name}: the package says nothing of its eyes, so its face cannot be placed")
    where = placing(package, View(width, height))
    scale, left, top = where.side / manifest.size, where.left, where.top
    slit = np.asarray(manifest.mouth.slit)
    eyes = (manifest.eyes.box.top + manifest.eyes.box.bottom) / 2
    return Place(left + float(slit[:, 0].mean()) * scale, top + eyes * scale, top + float(slit[:, 1].mean()) * scale)


def _photograph(path: Path) -> Pixels:
    picture: Any = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise NeuralError(f"{path}: it is not a picture that can be read")
    return np.asarray(picture, np.uint8)


def _video(path: Path) -> list[Pixels]:
    """Its pictures at ``MOUTH_RATE``, BGR."""
    pictures: list[Pixels] = []
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise NeuralError(f"{path}: there are no pictures in it")
        begin: float | None = None
        # Any: the stubs leave out that a broken file's pictures have no time.
        decoded: Any = container.decode(video=0)
        for picture in decoded:
            at: float | None = picture.time
            if at is None:
                raise NeuralError(f"{path}: its pictures carry no times")
            begin = at if begin is None else begin
            # A picture stays until the next one comes: both slower and faster videos fit.
            wanted = math.floor((at - begin) * MOUTH_RATE + 0.5) + 1
            if len(pictures) < wanted:
                pixels = np.asarray(picture.to_ndarray(format="bgr24"), np.uint8)
                pictures += [pixels] * min(wanted - len(pictures), round(LONGEST * MOUTH_RATE) - len(pictures))
            if len(pictures) >= LONGEST * MOUTH_RATE:
                break
    if not pictures:
        raise NeuralError(f"{path}: there are no pictures in it")
    return pictures


def _fitted(picture: Pixels, width: int, height: int) -> Pixels:
    """Scaled to cover the frame, what overlaps cut off evenly at the sides, and below rather than above."""
    scale = max(width / picture.shape[1], height / picture.shape[0])
    size = max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)
    left, top = (size[0] - width) // 2, (size[1] - height) // 4
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])


def _find(picture: Pixels) -> Place | None:
    """The largest frontal face that OpenCV's Haar cascade sees."""
    cascade = cv2.CascadeClassifier(str(Path(cv2.__path__[0], "data", "haarcascade_frontalface_default.xml")))
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    faces = cascade.detectMultiScale(grey, 1.1, 5, minSize=(_SMALLEST_FACE, _SMALLEST_FACE))
    if not len(faces):
        return None
    left, top, side, _ = max(((int(x), int(y), int(w), int(h)) for x, y, w, h in faces), key=lambda face: face[2])
    # Where the cascade's square, as it was trained, has the eyes and the lips.
    return Place(left + side / 2, top + 0.39 * side, top + 0.78 * side)


def _steadied(found: dict[int, Place], count: int) -> tuple[Place, ...]:
    """A place for each of ``count`` pictures: interpolated, then a running mean."""
    values = np.array([(place.x, place.eyes, place.lips) for place in found.values()])
    whole = np.stack([np.interp(np.arange(count), list(found), values[:, column]) for column in range(3)], 1)
    places: list[Place] = []
    for number in range(len(whole)):
        near = whole[max(0, number - _STEADY // 2) : number + _STEADY // 2 + 1].mean(0)
        places.append(Place(*(float(value) for value in near)))
    return tuple(places)
