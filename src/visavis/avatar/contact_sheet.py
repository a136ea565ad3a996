"""Stills of an avatar, and all that its face can show on one sheet."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import cv2
import numpy as np

from visavis.avatar.animation.animator import Animator
from visavis.avatar.animation.tables import HOUSE, Tables
from visavis.avatar.animation.visemes import shape
from visavis.avatar.emotion import Emotion, Feeling
from visavis.avatar.face import FaceFrame, FaceState
from visavis.avatar.package import AvatarPackage, Pixels
from visavis.avatar.puppet.renderer import PuppetRenderer
from visavis.avatar.view import BlurredBackground, ColourBackground, View
from visavis.viseme import Viseme

_RATE: Final = 25
_SQUARES: Final = 8
"""Squares a side of the chequers behind a transparent picture."""


def still(package: AvatarPackage, face: FaceFrame, width: int = 512, height: int = 512) -> Pixels:
    """One picture before its own background, BGR."""
    return seen(package, face, View(width, height))


def seen(package: AvatarPackage, face: FaceFrame, view: View) -> Pixels:
    """(height, width, 3), BGR: one picture as ``view`` has it; a transparent one before chequers."""
    renderer = PuppetRenderer(package, view)
    frame = np.empty((renderer.height * 3 // 2, renderer.width), np.uint8)
    renderer.paint(face, frame)
    picture = np.asarray(cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_I420), np.uint8)
    if not view.transparent:
        return picture
    share = np.clip((frame[: view.height, view.width :].astype(np.float32) - 16) / 219, 0, 1)[..., None]
    edge = max(1, view.width // _SQUARES)
    rows, columns = np.indices((view.height, view.width)) // edge
    behind = np.where((rows + columns) % 2, 205, 160).astype(np.float32)[..., None]
    return np.asarray(np.clip(picture[:, : view.width] + behind * (1 - share) + 0.5, 0, 255), np.uint8)


def poster(package: AvatarPackage, side: int = 720) -> Pixels:
    """The avatar as it waits for a call: friendly, looking at the visitor. BGR."""
    smile = shape(mouthSmile=0.3, cheekSquint=0.22, browInnerUp=0.12, eyeSquint=0.05)
    return still(package, FaceFrame(smile, roll=0.02), side, side)


def contact_sheet(package: AvatarPackage, side: int = 240, columns: int = 8) -> Pixels:
    """Every viseme, state and emotion, lids, gazes, turns of the head and backgrounds, labelled. BGR."""
    pictures = [labelled(small(picture, side), name) for name, picture in _cells(package)]
    return grid(pictures, columns)


def small(picture: Pixels, side: int) -> Pixels:
    """The picture as a square of ``side`` pixels."""
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def labelled(picture: Pixels, text: str) -> Pixels:
    """The same picture with ``text`` written on its upper left corner."""
    for colour, width in (((20, 20, 20), 3), ((240, 240, 240), 1)):
        cv2.putText(picture, text, (7, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, width, cv2.LINE_AA)
    return picture


def grid(pictures: Sequence[Pixels], columns: int) -> Pixels:
    """Pictures of one size in rows of ``columns``; the last row is filled with black."""
    blank = np.zeros_like(pictures[0])
    filled = [*pictures, *[blank] * (-len(pictures) % columns)]
    return np.vstack([np.hstack(filled[first : first + columns]) for first in range(0, len(filled), columns)])


def _cells(package: AvatarPackage) -> Iterator[tuple[str, Pixels]]:
    tables = HOUSE.with_overrides(package.manifest.overrides)
    for name, face in _faces(tables):
        yield name, still(package, face)
    if package.matte is None:
        return
    smile = FaceFrame(shape(mouthSmile=0.2), yaw=0.06)
    yield "blurred", seen(package, smile, View(background=BlurredBackground()))
    yield "colour", seen(package, smile, View(background=ColourBackground(60, 160, 90)))
    yield "transparent", seen(package, smile, View(transparent=True))


def _faces(tables: Tables) -> Iterator[tuple[str, FaceFrame]]:
    for viseme in Viseme:
        mouth = tables.visemes[viseme]
        yield "neutral" if viseme is Viseme.SIL else viseme.value, FaceFrame(mouth.weights, tongue=mouth.tongue)
    for state in FaceState:
        yield state.value, _settled(tables, state)
    for emotion in Emotion:
        if emotion is not Emotion.NEUTRAL:
            yield emotion.value, _settled(tables, FaceState.LISTENING, Feeling(emotion))
    for blink in (0.25, 0.5, 0.75, 1.0):
        yield f"lids {blink:g}", FaceFrame(blink=blink)
    for name, x, y in (("left", -0.5, 0.0), ("right", 0.5, 0.0), ("up", 0.0, 0.4), ("down", 0.0, -0.5)):
        yield f"looks {name}", FaceFrame(gaze_x=x, gaze_y=y)
    for name, yaw, pitch in (("left", -0.12, 0.0), ("right", 0.12, 0.0), ("up", 0.0, -0.08), ("down", 0.0, 0.08)):
        yield f"turns {name}", FaceFrame(yaw=yaw, pitch=pitch)
    yield "tilts", FaceFrame(roll=0.1)


def _settled(tables: Tables, state: FaceState, feeling: Feeling | None = None) -> FaceFrame:
    """How the face is once it has taken on a state, and a feeling; eyes open."""
    animator = Animator(3, tables)
    animator.state(state, 0.0)
    if feeling is not None:
        animator.feel(feeling, 0.0)
    return _last_open(animator.frame, 0.6 if state is FaceState.INTERRUPTED else 1.6)


def _last_open(frame: Callable[[float], FaceFrame], until: float) -> FaceFrame:
    """The face at ``until``, or the first one after that, within two seconds, that does not blink."""
    face = frame(0.0)
    for index in range(1, int((until + 2) * _RATE) + 1):
        face = frame(index / _RATE)
        if index >= until * _RATE and face.blink < 0.3:
            break
    return face
