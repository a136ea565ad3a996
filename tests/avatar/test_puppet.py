import gc
import itertools
import random
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from visavis.avatar.animation.visemes import SHAPES, shape
from visavis.avatar.face import FaceFrame, Tongue
from visavis.avatar.manifest import Box, Eyes
from visavis.avatar.package import AvatarPackage, EyePictures, load_package
from visavis.avatar.puppet.eye_table import STEPS, build_eye_table
from visavis.avatar.puppet.opencv import zoomed
from visavis.avatar.puppet.renderer import PuppetRenderer
from visavis.avatar.puppet.rig import rig_of
from visavis.avatar.puppet.warp import BackwardMap, grid_nodes
from visavis.avatar.view import View
from visavis.viseme import Viseme

EYES = np.s_[16:26, 12:52]
MOUTH = np.s_[38:56, 20:44]


def painted(renderer: PuppetRenderer, face: FaceFrame) -> np.ndarray:
    frame = np.full((renderer.height * 3 // 2, renderer.width), 77, np.uint8)
    renderer.paint(face, frame)
    return frame


def bgr(frame: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_I420)


def luma(package: AvatarPackage, face: FaceFrame, side: int = 64) -> np.ndarray:
    return painted(PuppetRenderer(package, View(side, side)), face)[:side].astype(int)


def mark(picture: np.ndarray) -> tuple[float, float]:
    """Centre (x, y) of the dark mark on the forehead."""
    rows, columns = np.nonzero(picture[4:16, 22:42] < 90)
    return float(columns.mean()) + 22, float(rows.mean()) + 4


def expected(package: AvatarPackage) -> np.ndarray:
    return cv2.cvtColor(package.picture, cv2.COLOR_BGR2YUV_I420)


def test_a_neutral_face_is_the_picture(small: AvatarPackage) -> None:
    difference = painted(PuppetRenderer(small, View(64, 64)), FaceFrame()).astype(int) - expected(small)
    assert np.abs(difference).max() <= 2


def test_i420_is_limited_range_and_fully_written(small: AvatarPackage) -> None:
    for size in ((64, 64), (128, 72), (72, 128)):
        renderer = PuppetRenderer(small, View(*size))
        first = np.zeros((size[1] * 3 // 2, size[0]), np.uint8)
        second = np.full_like(first, 255)
        renderer.paint(FaceFrame(shape(jawOpen=0.5)), first)
        for _ in range(3):
            renderer.paint(FaceFrame(shape(jawOpen=0.5)), first)
            renderer.paint(FaceFrame(shape(jawOpen=0.5)), second)
        assert np.abs(first.astype(int) - second).max() <= 2
        assert first.min() >= 16
        assert first[: size[1]].max() <= 235
        assert first[size[1] :].max() <= 240


def test_colours_are_kept(small: AvatarPackage) -> None:
    back = bgr(painted(PuppetRenderer(small, View(64, 64)), FaceFrame()))
    assert np.abs(back[30:34, 24:40].astype(int) - small.picture[30:34, 24:40]).max() < 12


def test_an_open_jaw_shows_the_dark_of_the_mouth(small: AvatarPackage) -> None:
    dark = [int((luma(small, FaceFrame(shape(jawOpen=jaw)))[MOUTH] < 70).sum()) for jaw in (0, 0.3, 0.6, 1.0)]
    assert dark[0] == 0
    assert dark == sorted(set(dark))
    assert dark[3] > 50


def test_a_slightly_parted_mouth_does_not_pop(small: AvatarPackage) -> None:
    renderer = PuppetRenderer(small, View(64, 64))
    last = painted(renderer, FaceFrame()).astype(int)
    for step in range(1, 40):
        now = painted(renderer, FaceFrame(shape(jawOpen=step / 400))).astype(int)
        assert np.abs(now - last).max() < 30
        last = now


def test_the_tongue_shows(small: AvatarPackage) -> None:
    pictures = []
    for tongue in Tongue:
        renderer = PuppetRenderer(small, View(64, 64))
        for _ in range(3):
            frame = painted(renderer, FaceFrame(shape(jawOpen=1.0), tongue=tongue))
        pictures.append(int(bgr(frame)[48:51, 30:34, 2].max()))
    assert pictures[0] < pictures[1] < pictures[2]


def test_a_tongue_that_moves_fades(small: AvatarPackage) -> None:
    renderer = PuppetRenderer(small, View(64, 64))
    rest, out = (FaceFrame(shape(jawOpen=1.0), tongue=t) for t in (Tongue.REST, Tongue.OUT))
    for _ in range(3):
        before = painted(renderer, rest).astype(int)
    halfway = painted(renderer, out).astype(int)
    for _ in range(3):
        after = painted(renderer, out).astype(int)
    assert np.abs(after - before).max() > 10
    assert 0 < np.abs(halfway - before).sum() < np.abs(after - before).sum()


def test_blinks_close_the_eyes(small: AvatarPackage) -> None:
    assert luma(small, FaceFrame())[EYES].min() < 40
    assert luma(small, FaceFrame(blink=1.0))[EYES].min() > 120
    half = luma(small, FaceFrame(blink=0.5))[EYES].min()
    assert 40 < half < 130


def test_one_eye_can_wink(small: AvatarPackage) -> None:
    eyes = luma(small, FaceFrame(shape(eyeBlinkLeft=1.0)))[EYES]
    # The avatar's left eye is on the image's right.
    assert eyes[:, 20:].min() > 120
    assert eyes[:, :20].min() < 40


def test_eyes_look_where_the_frame_says(small: AvatarPackage) -> None:
    def pupil(face: FaceFrame) -> float:
        dark = np.nonzero(luma(small, face)[16:26, 12:32] < 90)[1]
        return float(dark.mean())

    straight = pupil(FaceFrame())
    assert pupil(FaceFrame(gaze_x=0.5)) > straight + 2
    assert pupil(FaceFrame(gaze_x=-0.5)) < straight - 2
    assert pupil(FaceFrame(shape(eyeLookInRight=0.5))) > straight + 2


def test_between_two_gazes_the_pupil_is_seen_once_and_in_between(vera: AvatarPackage) -> None:
    table = rig_of(vera).eyes
    assert table is not None

    def pupil(gaze_x: float) -> tuple[float, int]:
        row, column = table.gaze_place(gaze_x, 0.0)
        eyes = table.at(0, row, column, slice(None))
        height, width = eyes.shape[:2]
        ball = eyes[round(0.35 * height) : round(0.75 * height), round(0.12 * width) : round(0.4 * width)]
        dark = np.nonzero(ball.max(-1) < 40)
        return float(np.median(dark[1])), len(dark[0])

    places = [pupil(x)[0] for x in (0.0, 0.15, 0.3, 0.45, 0.6)]
    assert places == sorted(places)
    assert places[0] + 1 < places[2] < places[4] - 1
    # Mixed by fading, the pupil in between would be pale.
    assert pupil(0.15)[1] > 0.6 * min(pupil(0.0)[1], pupil(0.3)[1])


@pytest.mark.parametrize("size", [(2, 2), (2, 60), (60, 2), (7, 9)])
def test_tiny_eyes_are_made_finer_too(size: tuple[int, int]) -> None:
    draw = np.random.default_rng(1)
    height, width = size
    pictures = EyePictures(
        draw.integers(0, 255, (2, height, width, 3), dtype=np.uint8),
        draw.integers(0, 255, (1, 2, height, width, 3), dtype=np.uint8),
    )
    manifest = Eyes(
        box=Box(left=0, top=0, right=width, bottom=height),
        split=width // 2,
        blink=(0.0, 1.0),
        gaze_x=(0.0, 1.0),
        gaze_y=(0.0,),
    )
    table = build_eye_table(manifest, pictures)
    assert table.blink.shape == (STEPS + 1, height, width, 3)
    assert table.gaze.shape == (1, STEPS + 1, height, width, 3)
    assert np.array_equal(table.blink[::STEPS], pictures.blink)


def test_eyes_open_again(small: AvatarPackage) -> None:
    renderer = PuppetRenderer(small, View(64, 64))
    before = painted(renderer, FaceFrame())
    painted(renderer, FaceFrame(blink=1.0, gaze_x=0.5))
    assert np.array_equal(painted(renderer, FaceFrame()), before)


def test_the_head_moves_as_the_contract_says(small: AvatarPackage) -> None:
    x, y = mark(luma(small, FaceFrame()))
    assert mark(luma(small, FaceFrame(yaw=0.15)))[0] > x + 0.3
    assert mark(luma(small, FaceFrame(pitch=0.15)))[1] > y + 0.3
    assert mark(luma(small, FaceFrame(roll=0.1)))[0] > x + 0.8
    assert mark(luma(small, FaceFrame(tx=3.0)))[0] > x + 0.8
    assert mark(luma(small, FaceFrame(ty=2.0)))[1] > y + 0.5


def test_breath_lifts_the_chest_only(small: AvatarPackage) -> None:
    difference = np.abs(luma(small, FaceFrame(breath=1.0)) - luma(small, FaceFrame()))
    assert difference[:36].max() <= 2
    chest = np.abs(luma(small, FaceFrame(shape(jawOpen=0.0), breath=1.0)) - luma(small, FaceFrame()))[40:]
    assert chest.max() > 2


def test_shading_darkens_only_its_part(small: AvatarPackage) -> None:
    neutral, shaded = luma(small, FaceFrame()), luma(small, FaceFrame(shape(browInnerUp=1.0)))
    ratio = shaded[40:50, 28:36] / neutral[40:50, 28:36]
    assert np.all((ratio > 0.6) & (ratio < 0.85))
    assert np.abs(shaded[:, :4] - neutral[:, :4]).max() <= 1


def random_face(draw: random.Random, package: AvatarPackage) -> FaceFrame:
    return FaceFrame(
        shape(**{name: draw.uniform(0, 0.6) for name in package.manifest.shapes if draw.random() < 0.5}),
        yaw=draw.uniform(-0.12, 0.12),
        pitch=draw.uniform(-0.1, 0.1),
        roll=draw.uniform(-0.1, 0.1),
        tx=draw.uniform(-2, 2),
        ty=draw.uniform(-2, 2),
        breath=draw.random(),
        gaze_x=draw.uniform(-1, 1),
        gaze_y=draw.uniform(-1, 1),
        blink=draw.random(),
        tongue=draw.choice(list(Tongue)),
    )


@pytest.mark.parametrize("which", ["small", "vera"])
def test_what_was_painted_before_leaves_no_trace(which: str, request: pytest.FixtureRequest) -> None:
    package: AvatarPackage = request.getfixturevalue(which)
    draw = random.Random(4)
    side = package.manifest.size if which == "small" else 256
    used = PuppetRenderer(package, View(side, side))
    for _ in range(60):
        painted(used, random_face(draw, package))
    for _ in range(4):
        face = random_face(draw, package)
        fresh = PuppetRenderer(package, View(side, side))
        for _ in range(3):
            a, b = painted(used, face), painted(fresh, face)
        difference = np.abs(a.astype(int) - b)
        assert np.mean(difference > 12) < 0.002


def test_small_steps_make_small_changes(vera: AvatarPackage) -> None:
    """No tearing: a face that moves a little from frame to frame changes a little everywhere."""
    draw = random.Random(11)
    renderer = PuppetRenderer(vera, View(256, 256))
    goals = [random_face(draw, vera) for _ in range(12)]
    last = None
    for start, goal in itertools.pairwise(goals):
        for step in range(25):
            share = step / 25
            face = FaceFrame(
                start.arkit * (1 - share) + goal.arkit * share,
                **{
                    name: getattr(start, name) * (1 - share) + getattr(goal, name) * share
                    for name in ("yaw", "pitch", "roll", "tx", "ty", "breath")
                },
            )
            now = painted(renderer, face)[:256].astype(int)
            if last is not None:
                difference = np.abs(now - last)
                assert np.mean(difference) < 6
                assert np.mean(difference > 60) < 0.01
            last = now


def test_sessions_do_not_touch_each_other(small: AvatarPackage) -> None:
    one, two = PuppetRenderer(small, View(64, 64)), PuppetRenderer(small, View(64, 64))
    before = painted(two, FaceFrame())
    painted(one, FaceFrame(shape(jawOpen=1.0), blink=1.0, yaw=0.1))
    assert np.array_equal(painted(two, FaceFrame()), before)


def test_the_rig_is_shared_while_anyone_paints_and_goes_with_its_package(small_folder: Path) -> None:
    package = load_package(small_folder)
    assert rig_of(package) is rig_of(package)
    gone, rig = weakref.ref(package), weakref.ref(rig_of(package).picture)
    renderer = PuppetRenderer(package, View(64, 64))
    del package
    gc.collect()
    assert gone() is not None
    painted(renderer, FaceFrame())
    del renderer
    gc.collect()
    assert gone() is None
    assert rig() is None


def test_faces_painted_at_the_same_time_do_not_touch_each_other(small: AvatarPackage) -> None:
    faces = [FaceFrame(shape(jawOpen=i % 3 / 2), blink=i % 2, gaze_x=i / 8 - 0.5, yaw=i / 50) for i in range(8)]
    alone = [painted(PuppetRenderer(small, View(128, 64)), face) for face in faces]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            together = list(pool.map(painted, [PuppetRenderer(small, View(128, 64)) for _ in faces], faces))
            assert all(np.array_equal(one, other) for one, other in zip(together, alone, strict=True))


def test_a_further_renderer_takes_little_memory(vera: AvatarPackage) -> None:
    first = PuppetRenderer(vera, View(512, 512))
    painted(first, FaceFrame())
    tracemalloc.start()
    try:
        second = PuppetRenderer(vera, View(512, 512))
        painted(second, FaceFrame(shape(jawOpen=1.0), blink=1.0))
        painted(first, FaceFrame())
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # numpy tells tracemalloc of its arrays; a buffer of the picture's size would be 1 MB at the least.
    assert kept < 1_000_000


@pytest.mark.parametrize("size", [(63, 64), (64, 65), (62, 62), (0, 0)])
def test_odd_and_tiny_sizes_are_refused(small: AvatarPackage, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="even and at least 64"):
        PuppetRenderer(small, View(*size))


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((64, 64), np.uint8),
        np.zeros((96, 64), np.float32),
        np.zeros((96, 128), np.uint8)[:, ::2],
    ],
)
def test_a_wrong_buffer_is_refused(small: AvatarPackage, frame: np.ndarray) -> None:
    with pytest.raises(ValueError, match="the frame must be"):
        PuppetRenderer(small, View(64, 64)).paint(FaceFrame(), frame)


def test_a_wide_frame_holds_the_square_in_its_middle(small: AvatarPackage) -> None:
    wide = painted(PuppetRenderer(small, View(128, 64)), FaceFrame())
    square = painted(PuppetRenderer(small, View(64, 64)), FaceFrame())
    assert np.array_equal(wide[:64, 32:96], square[:64])
    u, v = (wide[64:].reshape(-1)[i * 2048 : (i + 1) * 2048].reshape(32, 64) for i in (0, 1))
    assert np.array_equal(np.stack([u, v])[:, :, 16:48], square[64:].reshape(2, 32, 32))
    # The sides continue the picture's edge and end in the background's colour.
    seam = np.abs(wide[8:56, 31].astype(int) - wide[8:56, 32])
    assert seam.max() < 20
    colour = np.uint8([[small.manifest.background[::-1]]])
    assert abs(int(wide[32, 0]) - int(cv2.cvtColor(colour.repeat(2, 0).repeat(2, 1), cv2.COLOR_BGR2YUV_I420)[0, 0])) < 6


def test_a_package_without_eyes_interior_and_shading_is_painted(small: AvatarPackage) -> None:
    manifest = small.manifest.model_copy(
        update={"eyes": None, "shading": None, "mouth": small.manifest.mouth.model_copy(update={"interior": None})}
    )
    bare = AvatarPackage(manifest, small.picture, small.fields)
    dark = luma(bare, FaceFrame(shape(jawOpen=1.0, browInnerUp=1.0), blink=1.0))
    assert (dark[MOUTH] < 70).sum() > 50


def test_backward_maps_undo_forward_fields() -> None:
    nodes = grid_nodes(2.0, 2.0, 4.0, 20, 20)
    x, y = nodes[..., 0], nodes[..., 1]
    forward = np.dstack([3 * np.sin(y / 15), 5 * np.cos(x / 20)]).astype(np.float32)
    backward = BackwardMap(nodes, 4.0, (0.0, 0.0))
    backward.solve(forward, 12)
    back = backward.points()
    there = back + np.dstack([3 * np.sin(back[..., 1] / 15), 5 * np.cos(back[..., 0] / 20)])
    assert np.abs(there - nodes)[3:-3, 3:-3].max() < 0.35


def test_a_zoomed_grid_is_exact_for_planes() -> None:
    x, y = np.meshgrid(np.arange(10, dtype=np.float32), np.arange(12, dtype=np.float32))
    fine = zoomed(np.dstack([x, y]), 2.667)
    at = (np.arange(2, 20) + 0.5) / 2.667 - 0.5
    assert np.allclose(fine[2:20, 2:20, 0], at[None], atol=1e-4)
    assert np.allclose(fine[2:20, 2:20, 1], at[:, None], atol=1e-4)


# The embedded face.


def box(region: Box, side: int, package: AvatarPackage) -> tuple[slice, slice]:
    scale = side / package.manifest.size
    return (
        slice(int(region.top * scale), int(region.bottom * scale)),
        slice(int(region.left * scale), int(region.right * scale)),
    )


def unlike_rest(package: AvatarPackage, viseme: Viseme, side: int = 512) -> int:
    """How many pixels of the mouth look other than those of closed lips: teeth, tongue, the dark between."""
    part = box(package.manifest.mouth.box, side, package)
    rest, now = (luma(package, FaceFrame(weights), side)[part] for weights in (shape(), SHAPES[viseme].weights))
    return int((np.abs(now.astype(int) - rest) > 40).sum())


def test_vera_opens_her_mouth_for_vowels_and_closes_it_for_p(vera: AvatarPackage) -> None:
    closed, wide = unlike_rest(vera, Viseme.PP), unlike_rest(vera, Viseme.AA)
    assert closed < 80
    assert wide > closed + 400
    for viseme in Viseme:
        if viseme not in (Viseme.SIL, Viseme.PP):
            assert unlike_rest(vera, viseme) > closed


def test_vera_blinks_and_looks_aside(vera: AvatarPackage) -> None:
    assert vera.manifest.eyes is not None
    part = box(vera.manifest.eyes.box, 512, vera)
    still = luma(vera, FaceFrame(), 512)[part]
    assert np.mean(np.abs(luma(vera, FaceFrame(blink=1.0), 512)[part] - still) > 40) > 0.05
    assert np.abs(luma(vera, FaceFrame(gaze_x=0.6), 512)[part] - still).max() > 50


@pytest.mark.parametrize("size", [(512, 512), (720, 720), (1280, 720), (256, 256), (360, 640)])
def test_vera_in_every_size(vera: AvatarPackage, size: tuple[int, int]) -> None:
    renderer = PuppetRenderer(vera, View(*size))
    assert (renderer.width, renderer.height) == size
    side = min(size)
    frame = bgr(painted(renderer, FaceFrame()))
    # Who can be cut out stands on the frame's lower edge.
    top, left = size[1] - side, (size[0] - side) // 2
    square = frame[top : top + side, left : left + side]
    assert vera.matte is not None
    assert vera.plate is not None
    share = vera.matte[..., None] / np.float32(255)
    whole = (vera.picture * share + vera.plate * (1 - share)).astype(np.uint8)
    target = cv2.resize(whole, (side, side), interpolation=cv2.INTER_LINEAR)
    assert np.mean(np.abs(square.astype(int) - target)) < 3.5
