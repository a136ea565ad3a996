"""A small synthetic avatar: 64 pixels, lips at y = 40, a jaw that opens by 12 pixels, eyes that are black when open."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from visavis.avatar.catalogue import EMBEDDED
from visavis.avatar.manifest import Box, Eyes, Head, Interior, Manifest, Mouth, Shading, Window
from visavis.avatar.package import AvatarPackage, EyePictures, Fields, InteriorPictures, load_package, save_package

SIZE, GRID = 64, 16
SHAPES = ("jawOpen", "mouthPressLeft", "mouthPressRight", "browInnerUp")
LIPS = 40.0


def build_small_package() -> AvatarPackage:
    step = SIZE / GRID
    window = Window(left=12.0, top=30.0, step=2.0, columns=21, rows=17)
    y = (np.arange(GRID) + 0.5)[:, None] * step * np.ones((1, GRID))
    x = y.T
    near = np.clip(1 - np.abs(x - 32) / 20, 0, 1) * np.clip(1 - np.abs(y - 44) / 20, 0, 1)
    main = np.zeros((len(SHAPES), GRID, GRID, 2), np.float16)
    main[0, ..., 1] = 12 * near * (y >= LIPS)
    wy = 30.0 + 2.0 * np.arange(17)[:, None] * np.ones((1, 21))
    wx = 12.0 + 2.0 * np.arange(21)[None] * np.ones((17, 1))
    wide = np.clip(1 - np.abs(wx - 32) / 16, 0, 1) * np.clip((62 - wy) / 14, 0, 1)
    upper = np.zeros((len(SHAPES), 17, 21, 2), np.float16)
    lower = upper.copy()
    lower[0, ..., 1] = 12 * wide
    inside = np.clip(1.6 - np.hypot(x - 32, y - 24) / 20, 0, 1)

    picture = np.empty((SIZE, SIZE, 3), np.uint8)
    picture[:] = (150, 165, 200)
    picture[:, :, 0] += np.arange(SIZE, dtype=np.uint8)[None, :] // 2
    cv2.rectangle(picture, (22, 37), (42, 44), (120, 120, 190), -1)
    picture = cv2.GaussianBlur(picture, (0, 0), 1.0)
    picture[8:12, 30:34] = (40, 40, 40)
    picture[57:59] = (90, 100, 110)
    open_eyes = picture[16:26, 12:52].copy()
    open_eyes[3:7, 6:14] = open_eyes[3:7, 26:34] = 10
    picture[16:26, 12:52] = open_eyes
    shut = np.full_like(open_eyes, 170)
    left_gaze = np.roll(open_eyes, -3, 1)
    right_gaze = np.roll(open_eyes, 3, 1)

    back = np.zeros((24, 32, 4), np.uint8)
    back[..., 3] = 255
    back[..., 2] = 40
    teeth = np.zeros_like(back)
    teeth[:2, 4:28] = (210, 220, 220, 255)
    tongue = np.zeros((3, 24, 32, 4), np.uint8)
    for index, red in enumerate((60, 90, 140)):
        tongue[index, :14, 8:24] = (red // 2, red // 2, red, 255)
    manifest = Manifest(
        format=1,
        name="Small",
        kind="layers",
        licence="Apache-2.0",
        size=SIZE,
        grid=GRID,
        shapes=SHAPES,
        head=Head(pivot=(32, 50), pivot_depth=0.0, unit=60.0),
        mouth=Mouth(
            box=Box(left=16, top=32, right=48, bottom=60),
            window=window,
            slit=((20.0, LIPS), (32.0, LIPS), (44.0, LIPS)),
            interior=Interior(left=16, top=36, width=32, height=24, jaw_travel=12.0),
        ),
        eyes=Eyes(
            box=Box(left=12, top=16, right=52, bottom=26),
            split=32,
            blink=(0.0, 0.5, 1.0),
            gaze_x=(-0.5, 0.0, 0.5),
            gaze_y=(0.0,),
        ),
        shading=Shading(box=Box(left=8, top=8, right=56, bottom=60), columns=12, rows=13, shapes=(("browInnerUp",),)),
    )
    fields = Fields(
        main=main,
        upper=upper,
        lower=lower,
        depth=np.asarray(0.3 * inside, np.float16),
        head=np.asarray(inside, np.float16),
        breath=np.asarray(np.clip((y - 40) / 24, 0, 1), np.float16),
        gain=np.full((1, 13, 12), -0.3, np.float16),
    )
    half = cv2.addWeighted(open_eyes, 0.5, shut, 0.5, 0)
    eyes = EyePictures(np.stack([open_eyes, half, shut]), np.stack([left_gaze, open_eyes, right_gaze])[None])
    return AvatarPackage(manifest, picture, fields, eyes, InteriorPictures(back, teeth, tongue))


@pytest.fixture(scope="session")
def small() -> AvatarPackage:
    return build_small_package()


@pytest.fixture
def small_folder(small: AvatarPackage, tmp_path: Path) -> Path:
    """The small package, written."""
    folder = tmp_path / "small"
    save_package(small, folder)
    return folder


@pytest.fixture(scope="session")
def vera() -> AvatarPackage:
    return load_package(EMBEDDED / "vera" / "face")
