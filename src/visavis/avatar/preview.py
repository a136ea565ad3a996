"""Pictures of an avatar for people: its poster, a contact sheet, a film strip of a spoken sentence.

    python -m visavis.avatar.preview OUT_FOLDER [--package FOLDER_OR_ZIP]

writes ``poster.jpg``, ``thumbnail.jpg``, ``sheet.png`` and ``film.png``.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from visavis.avatar.animation.animator import Animator
from visavis.avatar.animation.visemes import SHAPES, shape
from visavis.avatar.face import FaceFrame, FaceState
from visavis.avatar.files import PackageError
from visavis.avatar.package import AvatarPackage, Pixels, load_package
from visavis.avatar.puppet.renderer import PuppetRenderer
from visavis.viseme import TimedViseme, Viseme

_RATE: Final = 25
_VERA: Final = Path(__file__).parent / "embedded" / "vera" / "face"

SENTENCE: Final[tuple[tuple[Viseme, float], ...]] = (
    (Viseme.SIL, 0.30),
    (Viseme.KK, 0.06), (Viseme.E, 0.08), (Viseme.NN, 0.07), (Viseme.OH, 0.19),
    (Viseme.SIL, 0.12),
    (Viseme.PP, 0.08), (Viseme.AA, 0.15), (Viseme.IH, 0.07), (Viseme.NN, 0.06), (Viseme.E, 0.12), (Viseme.PP, 0.08),
    (Viseme.IH, 0.09), (Viseme.SS, 0.10), (Viseme.FF, 0.09), (Viseme.E, 0.11), (Viseme.RR, 0.08), (Viseme.AA, 0.16),
    (Viseme.SIL, 0.35),
)  # fmt: skip
"""'Hello, my name is Vera': mouth shapes and seconds."""


def timed(sentence: Sequence[tuple[Viseme, float]], start: float) -> list[TimedViseme]:
    """Shapes one after the other, the first at ``start``."""
    out: list[TimedViseme] = []
    for viseme, seconds in sentence:
        out.append(TimedViseme(viseme, start, start + seconds))
        start += seconds
    return out


def still(package: AvatarPackage, face: FaceFrame, width: int = 512, height: int = 512) -> Pixels:
    """One picture, BGR."""
    renderer = PuppetRenderer(package, width, height)
    frame = np.empty((height * 3 // 2, width), np.uint8)
    renderer.paint(face, frame)
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_I420), np.uint8)


def poster(package: AvatarPackage, side: int = 720) -> Pixels:
    """The avatar as it waits for a call: friendly, looking at the visitor. BGR."""
    smile = shape(mouthSmile=0.3, cheekSquint=0.22, browInnerUp=0.12, eyeSquint=0.05)
    return still(package, FaceFrame(smile, roll=0.02), side, side)


def contact_sheet(package: AvatarPackage, side: int = 320, columns: int = 5) -> Pixels:
    """Every viseme, every state as it settles, blinks and turns of the head, labelled. BGR."""
    cells: list[tuple[str, FaceFrame]] = [
        (viseme.value, FaceFrame(SHAPES[viseme].weights, tongue=SHAPES[viseme].tongue)) for viseme in Viseme
    ]
    cells += [(state.value, _settled(state)) for state in FaceState]
    cells += [
        ("blink 0.5", FaceFrame(blink=0.5)),
        ("blink 1", FaceFrame(blink=1.0)),
        ("turned left", FaceFrame(shape(mouthSmile=0.2), yaw=0.12, pitch=0.04, roll=0.03, gaze_x=-0.26)),
        ("turned right", FaceFrame(SHAPES[Viseme.E].weights, yaw=-0.12, pitch=-0.04, roll=-0.03, gaze_x=0.26)),
        ("gaze", FaceFrame(gaze_x=0.45, gaze_y=0.3)),
    ]
    pictures = [_label(_small(still(package, face), side), name) for name, face in cells]
    return _grid(pictures, columns)


def film_strip(package: AvatarPackage, side: int = 160, columns: int = 12, crop: float = 0.5) -> Pixels:
    """Every frame at 25 a second of a spoken sentence, cropped to the middle ``crop`` of the picture. BGR."""
    visemes = timed(SENTENCE, 0.0)
    animator = Animator(seed=7)
    animator.state(FaceState.SPEAKING, 0.0)
    animator.speak(visemes)
    renderer = PuppetRenderer(package)
    frame = np.empty((renderer.height * 3 // 2, renderer.width), np.uint8)
    pictures: list[Pixels] = []
    for index in range(int(visemes[-1].end * _RATE)):
        at = index / _RATE
        renderer.paint(animator.frame(at), frame)
        whole = np.asarray(cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_I420), np.uint8)
        edge = int(renderer.width * (1 - crop) / 2)
        low = int(renderer.height * 0.1)
        part = whole[edge + low : renderer.height - edge + low, edge : renderer.width - edge]
        now = next((v.viseme.value for v in visemes if v.start <= at < v.end), "")
        pictures.append(_label(_small(part, side), now))
    return _grid(pictures, columns)


def _settled(state: FaceState) -> FaceFrame:
    animator = Animator(seed=3)
    animator.state(state, 0.0)
    until = 0.6 if state is FaceState.INTERRUPTED else 1.6
    return _last(animator.frame, until)


def _last(frame: Callable[[float], FaceFrame], until: float) -> FaceFrame:
    face = frame(0.0)
    for index in range(1, int(until * _RATE) + 1):
        face = frame(index / _RATE)
    return face


def _small(picture: Pixels, side: int) -> Pixels:
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _label(picture: Pixels, text: str) -> Pixels:
    for colour, width in (((20, 20, 20), 3), ((240, 240, 240), 1)):
        cv2.putText(picture, text, (7, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, width, cv2.LINE_AA)
    return picture


def _grid(pictures: Sequence[Pixels], columns: int) -> Pixels:
    blank = np.zeros_like(pictures[0])
    filled = [*pictures, *[blank] * (-len(pictures) % columns)]
    return np.vstack([np.hstack(filled[first : first + columns]) for first in range(0, len(filled), columns)])


def _write(path: Path, picture: Pixels) -> None:
    if not cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 88]):
        raise OSError(f"{path} cannot be written")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m visavis.avatar.preview", description="Draw an avatar's pictures.")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--package", type=Path, default=_VERA, help="an avatar package; else the embedded one")
    options = parser.parse_args()
    try:
        package = load_package(options.package)
    except PackageError as error:
        print(error, file=sys.stderr)
        return 1
    options.folder.mkdir(parents=True, exist_ok=True)
    portrait = poster(package)
    _write(options.folder / "poster.jpg", portrait)
    _write(options.folder / "thumbnail.jpg", _small(portrait, 256))
    _write(options.folder / "sheet.png", contact_sheet(package))
    _write(options.folder / "film.png", film_strip(package))
    return 0


if __name__ == "__main__":
    sys.exit(main())
