"""The puppet's pictures against stored ones, small and seen by people before they were stored.

``RENEW_GOLDEN=1 pytest tests/avatar/test_puppet_golden.py`` stores what is painted now: look at the pictures, and
at what changed in them, before they are committed.
"""

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.avatar.synthetic import SIZE, standing
from visavis.avatar.animation.visemes import shape
from visavis.avatar.face import FaceFrame, Tongue
from visavis.avatar.package import AvatarPackage
from visavis.avatar.puppet.renderer import PuppetRenderer
from visavis.avatar.view import BlurredBackground, ColourBackground, OwnBackground, PictureBackground, View

FOLDER = Path(__file__).parent / "golden"
RENEW = bool(os.environ.get("RENEW_GOLDEN"))
LEAST_PSNR = 42.0
"""Decibels. Versions of OpenCV round differently; that costs some, a pixel's shift costs far more."""
MOST_PART = 6.0
"""Mean difference of any 8 × 8 pixels."""

SQUARE = View(SIZE, SIZE)
REST = FaceFrame()
LAUGHING = shape(
    jawOpen=0.5, mouthSmileLeft=0.9, mouthSmileRight=0.9, mouthUpperUpLeft=0.5, mouthUpperUpRight=0.5, browInnerUp=0.4
)
STERN = shape(browDownLeft=1.0, browDownRight=1.0, mouthClose=0.1)
STRIPES = np.zeros((40, 90, 3), np.uint8)
STRIPES[:, ::2] = (30, 160, 220)
STRIPES[20:] = (160, 60, 60)

CASES: dict[str, tuple[View, FaceFrame]] = {
    "rest": (SQUARE, REST),
    "jaw-open": (SQUARE, FaceFrame(shape(jawOpen=1.0))),
    "lips-parted": (SQUARE, FaceFrame(shape(jawOpen=0.12))),
    "tongue-out": (SQUARE, FaceFrame(shape(jawOpen=0.7), tongue=Tongue.OUT)),
    "round": (SQUARE, FaceFrame(shape(mouthPucker=0.9, mouthFunnel=0.6, jawOpen=0.2))),
    "laughing": (SQUARE, FaceFrame(LAUGHING)),
    "stern": (SQUARE, FaceFrame(STERN)),
    "blink": (SQUARE, FaceFrame(blink=1.0)),
    "half-blink-aside": (SQUARE, FaceFrame(blink=0.3, gaze_x=0.6)),
    "wink": (SQUARE, FaceFrame(shape(eyeBlinkLeft=1.0))),
    "gaze": (SQUARE, FaceFrame(gaze_x=-0.47, gaze_y=0.2)),
    "turned-left": (SQUARE, FaceFrame(LAUGHING, yaw=0.105, pitch=0.105, breath=1.0)),
    "turned-right": (SQUARE, FaceFrame(yaw=-0.105, pitch=-0.105, roll=0.1, tx=2.0, ty=-1.5)),
    "colour": (View(SIZE, SIZE, ColourBackground(255, 0, 255)), FaceFrame(yaw=0.105)),
    "blurred": (View(SIZE, SIZE, BlurredBackground()), REST),
    "picture": (View(SIZE, SIZE, PictureBackground(STRIPES)), FaceFrame(LAUGHING, yaw=-0.105)),
    "transparent": (View(SIZE, SIZE, transparent=True), FaceFrame(LAUGHING, yaw=0.105)),
    "wide": (View(172, 96, OwnBackground()), FaceFrame(yaw=-0.105)),
    "wide-colour": (View(172, 96, ColourBackground(250, 250, 250)), FaceFrame(LAUGHING)),
    "wide-transparent": (View(128, 72, transparent=True), FaceFrame(LAUGHING)),
    "tall-picture": (View(72, 128, PictureBackground(STRIPES)), FaceFrame(LAUGHING)),
    "small": (View(64, 64), FaceFrame(LAUGHING)),
    "opaque-wide": (View(172, 96, OwnBackground()), FaceFrame(LAUGHING, yaw=0.105)),
    "opaque-tall-colour": (View(72, 128, ColourBackground(0, 120, 250)), FaceFrame(LAUGHING)),
}


@pytest.fixture(scope="module")
def person() -> AvatarPackage:
    return standing()


def painted(package: AvatarPackage, view: View, face: FaceFrame) -> np.ndarray:
    renderer = PuppetRenderer(package, view)
    frame = np.zeros((renderer.height * 3 // 2, renderer.width), np.uint8)
    # The tongue takes two pictures.
    for _ in range(3):
        renderer.paint(face, frame)
    return cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_I420)


def agrees(picture: np.ndarray, golden: np.ndarray) -> bool:
    if picture.shape != golden.shape:
        return False
    difference = np.abs(picture.astype(np.float32) - golden)
    psnr = 10 * np.log10(255**2 / max(float(np.mean(difference**2)), 1e-9))
    return bool(psnr >= LEAST_PSNR and cv2.blur(difference, (8, 8)).max() <= MOST_PART)


@pytest.mark.parametrize("name", CASES)
def test_the_picture_is_the_stored_one(name: str, person: AvatarPackage) -> None:
    package = replace(person, matte=None, plate=None) if name.startswith("opaque") else person
    picture = painted(package, *CASES[name])
    path = FOLDER / f"{name}.png"
    if RENEW:
        FOLDER.mkdir(exist_ok=True)
        assert cv2.imwrite(str(path), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    golden = cv2.imread(str(path))
    assert golden is not None, "there is no stored picture; see this module's docstring"
    assert agrees(picture, golden)


def test_no_picture_is_stored_without_a_case() -> None:
    assert {path.stem for path in FOLDER.glob("*.png")} == set(CASES)


def test_a_small_fault_is_seen(person: AvatarPackage) -> None:
    """What the tolerance lets pass is less than what would be seen."""
    golden = cv2.imread(str(FOLDER / "laughing.png"))
    assert golden is not None
    view, face = CASES["laughing"]
    for other in (
        FaceFrame(face.arkit, tx=0.5),
        FaceFrame(face.arkit, gaze_x=0.15),
        FaceFrame(face.arkit, blink=0.25),
        FaceFrame(face.arkit * np.float32(0.93)),
    ):
        assert not agrees(painted(person, view, other), golden)
    assert not agrees(painted(replace(person, plate=None), view, face), golden)
    faint = np.asarray(person.matte, np.uint8) // 16 * 15
    assert not agrees(painted(replace(person, matte=faint), view, face), golden)
