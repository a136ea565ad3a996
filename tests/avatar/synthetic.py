"""A synthetic person of 128 pixels with all that a package may have: matte with loose hair, plate, eyes, mouth, light.

Drawn at four times the size and made smaller, so that edges are soft and the colour beside them is the person's own.
"""

import random

import cv2
import numpy as np

from visavis.avatar.manifest import Box, Eyes, Head, Interior, Manifest, Mouth, Shading, Window
from visavis.avatar.package import AvatarPackage, EyePictures, Fields, InteriorPictures

SIZE, GRID, FINE = 128, 32, 4
SKIN, HAIR, CLOTH, LIP = (150, 175, 215), (40, 55, 80), (120, 70, 40), (110, 110, 190)
SLIT = tuple((float(x), 84.0 + 1.5 * (1 - ((x - 64) / 14) ** 2)) for x in range(50, 79, 4))
SHAPES = (
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "browInnerUp",
    "browDownLeft",
    "browDownRight",
)
EYES = Box(left=36, top=48, right=92, bottom=64)
MOUTH = Box(left=42, top=72, right=86, bottom=110)


def standing() -> AvatarPackage:
    """The package; the same at every call."""
    manifest = Manifest(
        format=1,
        name="Standing",
        kind="layers",
        licence="Apache-2.0",
        size=SIZE,
        grid=GRID,
        background=(70, 90, 60),
        shapes=SHAPES,
        head=Head(pivot=(64, 100), pivot_depth=0.2, unit=40.0),
        mouth=Mouth(
            box=MOUTH,
            window=Window(left=36.0, top=68.0, step=2.0, columns=29, rows=25),
            slit=SLIT,
            interior=Interior(left=44, top=76, width=40, height=36, jaw_travel=12.0, jaw_offset=1.0),
        ),
        eyes=Eyes(box=EYES, split=64, blink=(0.0, 0.5, 1.0), gaze_x=(-0.6, 0.0, 0.6), gaze_y=(-0.4, 0.0, 0.4)),
        shading=Shading(
            box=Box(left=32, top=20, right=96, bottom=108),
            columns=16,
            rows=22,
            shapes=(("jawOpen",), ("mouthSmileLeft", "mouthSmileRight")),
        ),
    )
    layers = _person()
    small = cv2.resize(layers, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
    alpha = small[..., 3:] / 255
    # What was averaged was premultiplied; where nothing of the person is, a colour of hers goes on.
    near = cv2.GaussianBlur(small, (0, 0), 3)
    straight = np.where(
        alpha > 0.02, small[..., :3] / np.maximum(alpha, 0.02), near[..., :3] * 255 / (near[..., 3:] + 1)
    )
    picture = np.clip(straight + 0.5, 0, 255).astype(np.uint8)
    return AvatarPackage(
        manifest, picture, _fields(), _eyes(picture), _interior(), small[..., 3].astype(np.uint8), _plate()
    )


def _person() -> np.ndarray:
    """(4 · SIZE, 4 · SIZE, 4): BGRA, premultiplied, at rest, the eyes' whites empty."""
    out = np.zeros((SIZE * FINE, SIZE * FINE, 4), np.uint8)
    draw = random.Random(3)

    def ellipse(x: float, y: float, across: float, down: float, colour: tuple[int, int, int]) -> None:
        centre, axes = (round(x * FINE), round(y * FINE)), (round(across * FINE), round(down * FINE))
        cv2.ellipse(out, centre, axes, 0, 0, 360, (*colour, 255), -1)

    for _ in range(60):
        start = (round((64 + draw.uniform(-30, 30)) * FINE), round((40 + draw.uniform(-20, 5)) * FINE))
        end = (round((64 + draw.uniform(-50, 50)) * FINE), round((50 + draw.uniform(-46, 30)) * FINE))
        cv2.line(out, start, end, (*HAIR, 255), draw.choice((1, 2, 3)))
    ellipse(64, 50, 36, 42, HAIR)
    ellipse(64, 148, 82, 40, CLOTH)
    ellipse(64, 108, 14, 18, tuple(round(part * 0.85) for part in SKIN))
    ellipse(64, 66, 29, 40, SKIN)
    for x in (50, 78):
        ellipse(x, 45, 8, 1.5, HAIR)
        ellipse(x, 56, 8, 4, (235, 235, 235))
    ellipse(64, 70, 3, 4, tuple(round(part * 0.9) for part in SKIN))
    ellipse(64, 85, 13, 4.5, LIP)
    line = np.rint(np.array(SLIT) * FINE).astype(np.int32)
    cv2.polylines(out, [line], False, (50, 50, 90, 255), 3)
    for row in range(114, 128, 4):
        cv2.line(out, (0, row * FINE), (SIZE * FINE, row * FINE), (160, 100, 60, 255), 2)
    out[out[..., 3] == 0] = 0
    outside = np.zeros(out.shape[:2], np.uint8)
    cv2.ellipse(outside, (64 * FINE, 148 * FINE), (82 * FINE, 40 * FINE), 0, 0, 360, 255, -1)
    beside = (outside == 0) & (np.arange(out.shape[0])[:, None] >= 114 * FINE - 2)
    out[beside] = 0
    return out


def _plate() -> np.ndarray:
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    plate = np.dstack([90 + x // 2, 110 + y // 2, np.where((x + y) // 16 % 2, 120, 150)])
    return cv2.GaussianBlur(plate.astype(np.uint8), (0, 0), 1.5)


def _eyes(picture: np.ndarray) -> EyePictures:
    base = cv2.resize(picture[EYES.top : EYES.bottom, EYES.left : EYES.right], None, fx=FINE, fy=FINE)
    white = cv2.absdiff(base, np.full_like(base, 235)).max(-1) < 40

    def looking(x: float, y: float, closed: float) -> np.ndarray:
        eyes = base.copy()
        for middle in (50 - EYES.left, 78 - EYES.left):
            centre = (round((middle + 6 * x) * FINE), round((8 + 3 * y) * FINE))
            cv2.circle(eyes, centre, round(3.5 * FINE), (70, 60, 40), -1)
        eyes = np.where(white[..., None], eyes, base)
        lids = cv2.dilate(white.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        lid = np.zeros_like(white)
        lid[: round((4 + 9 * closed) * FINE)] = closed > 0
        eyes[lid & lids] = SKIN
        if closed > 0:
            edge = round((4 + 9 * closed) * FINE)
            eyes[edge - 3 : edge][white[edge - 3 : edge]] = HAIR
        return cv2.resize(eyes, (EYES.width, EYES.height), interpolation=cv2.INTER_AREA)

    blink = np.stack([looking(0, 0, closed) for closed in (0.0, 0.5, 1.0)])
    gaze = np.stack([np.stack([looking(x, y, 0.0) for x in (-0.6, 0.0, 0.6)]) for y in (0.4, 0.0, -0.4)])
    return EyePictures(blink, gaze)


def _interior() -> InteriorPictures:
    back = np.zeros((36, 40, 4), np.uint8)
    cv2.ellipse(back, (20, 14), (16, 14), 0, 0, 360, (30, 25, 60, 255), -1)
    teeth = np.zeros_like(back)
    cv2.rectangle(teeth, (8, 6), (32, 10), (215, 225, 225, 255), -1)
    lower = np.zeros((3, 36, 40, 4), np.uint8)
    for index, top in enumerate((14, 9, 11)):
        cv2.ellipse(lower[index], (20, top + 6), (10, 6 + 2 * index), 0, 0, 360, (90, 80, 170, 255), -1)
    return InteriorPictures(*(cv2.GaussianBlur(layer, (0, 0), 0.7) for layer in (back, teeth)), lower)


def _fields() -> Fields:
    step = SIZE / GRID
    at = (np.arange(GRID, dtype=np.float32) + 0.5) * step
    x, y = np.meshgrid(at, at)
    window_x, window_y = np.meshgrid(36.0 + 2 * np.arange(29), 68.0 + 2 * np.arange(25))
    main = np.stack([_moved(name, x, y, None) for name in SHAPES])
    upper = np.stack([_moved(name, window_x, window_y, True) for name in SHAPES])
    lower = np.stack([_moved(name, window_x, window_y, False) for name in SHAPES])
    round_head = np.clip(1 - ((x - 64) / 40) ** 2 - ((y - 58) / 52) ** 2, 0, 1)
    rows = np.linspace(-1, 1, 22)[:, None] * np.ones((1, 16))
    columns = np.linspace(-1, 1, 16)[None] * np.ones((22, 1))
    bump = np.clip(1 - rows**2, 0, 1) * np.clip(1 - columns**2, 0, 1)
    return Fields(
        main=main.astype(np.float16),
        upper=upper.astype(np.float16),
        lower=lower.astype(np.float16),
        depth=(0.9 * np.sqrt(round_head)).astype(np.float16),
        head=np.clip((118 - y) / 24, 0, 1).astype(np.float16),
        breath=np.clip((y - 90) / 30, 0, 1).astype(np.float16),
        gain=np.stack([-0.25 * bump, 0.2 * bump * np.abs(columns)]).astype(np.float16),
    )


def _moved(name: str, x: np.ndarray, y: np.ndarray, above: bool | None) -> np.ndarray:
    """(rows, columns, 2): where a shape at weight 1 moves the points; ``above``: as if all were above the slit."""
    line = np.interp(x, [p[0] for p in SLIT], [p[1] for p in SLIT])
    below = (y > line) if above is None else np.full(x.shape, not above)

    def bump(middle_x: float, middle_y: float, across: float, down: float) -> np.ndarray:
        near = np.clip(1 - ((x - middle_x) / across) ** 2, 0, 1) * np.clip(1 - ((y - middle_y) / down) ** 2, 0, 1)
        return near**2

    lips, left, right = bump(64, 85, 26, 22), bump(78, 85, 20, 18), bump(50, 85, 20, 18)
    corner = np.clip(1 - np.abs(x - 64) / 16, 0, 1)
    moves = {
        "jawOpen": (0, 13 * below * np.clip(1 - ((x - 64) / 30) ** 2, 0, 1) * np.clip((126 - y) / 40, 0, 1) * corner),
        "mouthClose": (0, -9 * below * lips * corner),
        "mouthFunnel": (-0.25 * (x - 64) * lips, 2.5 * (2 * below - 1.0) * lips * corner),
        "mouthPucker": (-0.4 * (x - 64) * lips, 0 * x),
        "mouthSmileLeft": (4 * left, -3 * left),
        "mouthSmileRight": (-4 * right, -3 * right),
        "mouthLowerDownLeft": (0, 4 * below * left * corner),
        "mouthLowerDownRight": (0, 4 * below * right * corner),
        "mouthUpperUpLeft": (0, -3 * ~below * left * corner),
        "mouthUpperUpRight": (0, -3 * ~below * right * corner),
        "browInnerUp": (0, -4 * bump(64, 45, 24, 10)),
        "browDownLeft": (0, 3 * bump(78, 45, 16, 10)),
        "browDownRight": (0, 3 * bump(50, 45, 16, 10)),
    }
    across, down = moves[name]
    return np.dstack([across + 0 * x, down + 0 * x])
