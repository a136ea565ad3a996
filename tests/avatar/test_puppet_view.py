"""The person before any background: what lies behind, beside and through."""

import gc
import threading
import tracemalloc
import weakref
from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.avatar.synthetic import standing
from visavis.avatar.animation.visemes import shape
from visavis.avatar.face import FaceFrame
from visavis.avatar.package import AvatarPackage
from visavis.avatar.puppet.compositor import planes
from visavis.avatar.puppet.renderer import PuppetRenderer
from visavis.avatar.view import (
    Background,
    BlurredBackground,
    ColourBackground,
    OwnBackground,
    PictureBackground,
    View,
)

TURNED = FaceFrame(shape(jawOpen=0.4), yaw=0.105, pitch=-0.1, roll=0.05)
MAGENTA, GREEN = ColourBackground(255, 0, 255), ColourBackground(0, 255, 0)


@pytest.fixture(scope="module")
def person() -> AvatarPackage:
    return standing()


@pytest.fixture(scope="module")
def opaque(person: AvatarPackage) -> AvatarPackage:
    return replace(person, matte=None, plate=None)


def frame_of(renderer: PuppetRenderer, face: FaceFrame = TURNED) -> np.ndarray:
    frame = np.full((renderer.height * 3 // 2, renderer.width), 91, np.uint8)
    renderer.paint(face, frame)
    return frame


def seen(package: AvatarPackage, view: View, face: FaceFrame = TURNED) -> np.ndarray:
    return cv2.cvtColor(frame_of(PuppetRenderer(package, view), face), cv2.COLOR_YUV2BGR_I420).astype(int)


def far_from(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.abs(picture - np.array(colour)).max(-1)


def clear_of(alpha: np.ndarray) -> np.ndarray:
    """Where nothing of the person is, nor her colour, which has half the detail."""
    return cv2.dilate((alpha > 0).astype(np.uint8), np.ones((5, 5))) == 0


def alpha_of(package: AvatarPackage, face: FaceFrame, width: int = 128, height: int = 128) -> np.ndarray:
    luma, _ = planes(frame_of(PuppetRenderer(package, View(width, height, transparent=True)), face))
    return (luma[:, width:].astype(float) - 16) / 219


def test_a_background_shows_where_the_person_is_not(person: AvatarPackage) -> None:
    alpha = alpha_of(person, TURNED)
    for background, colour in ((MAGENTA, (255, 0, 255)), (GREEN, (0, 255, 0))):
        picture = seen(person, View(128, 128, background))
        assert far_from(picture, colour)[clear_of(alpha)].max() < 8
        assert far_from(picture, colour)[alpha > 0.99].min() > 30


def test_the_person_is_the_same_before_every_background(person: AvatarPackage) -> None:
    inside = cv2.erode((alpha_of(person, TURNED) > 0.99).astype(np.uint8), np.ones((3, 3))) > 0
    pictures = [seen(person, View(128, 128, background)) for background in (OwnBackground(), MAGENTA, GREEN)]
    assert inside.mean() > 0.3
    assert max(np.abs(picture - pictures[0])[inside].max() for picture in pictures) <= 2


@pytest.mark.parametrize("size", [(128, 128), (200, 128), (96, 160)])
def test_what_shows_is_the_alpha_s_mixture_of_person_and_background(
    person: AvatarPackage, size: tuple[int, int]
) -> None:
    """No halo: at every edge, luma is exactly what the transparent frame says it should be."""
    transparent, _ = planes(frame_of(PuppetRenderer(person, View(*size, transparent=True))))
    premultiplied = transparent[:, : size[0]].astype(float)
    alpha = (transparent[:, size[0] :].astype(float) - 16) / 219
    for background in (MAGENTA, GREEN, ColourBackground(255, 255, 255), ColourBackground(0, 0, 0)):
        luma, _ = planes(frame_of(PuppetRenderer(person, View(*size, background))))
        behind = float(luma[0, 0])
        assert np.abs(luma - (premultiplied + (1 - alpha) * (behind - 16))).max() < 2.5


def test_no_colour_of_the_own_background_is_left_at_the_edges(person: AvatarPackage) -> None:
    """Hair of a plate's colours would shine on black: hers is dark."""
    picture = seen(person, View(128, 128, ColourBackground(0, 0, 0)), FaceFrame())[:30]
    alpha = alpha_of(person, FaceFrame())[:30]
    loose = (alpha > 0) & (alpha < 0.7)
    assert loose.sum() > 100
    assert np.all(picture.max(-1)[loose] < 80 * alpha[loose] + 20)


def test_the_background_does_not_move_with_the_head(person: AvatarPackage) -> None:
    far = cv2.erode((alpha_of(person, FaceFrame()) == 0).astype(np.uint8), np.ones((21, 21))) > 0
    still, turned = (seen(person, View(128, 128), face) for face in (FaceFrame(), TURNED))
    assert far.mean() > 0.1
    assert np.array_equal(still[far], turned[far])
    assert np.abs(still - turned).max() > 60


def test_the_own_background_is_the_plate(person: AvatarPackage) -> None:
    clear = clear_of(alpha_of(person, FaceFrame()))
    own = seen(person, View(128, 128), FaceFrame())
    assert person.plate is not None
    assert np.median(np.abs(own - person.plate)[clear]) <= 2
    assert np.abs(own - person.plate)[clear].max() < 25


def test_a_matte_without_a_plate_stands_before_the_manifest_s_colour(person: AvatarPackage) -> None:
    picture = seen(replace(person, plate=None), View(128, 128))
    assert far_from(picture, person.manifest.background[::-1])[clear_of(alpha_of(person, TURNED))].max() < 8


def test_a_blurred_background_is_the_own_one_out_of_focus(person: AvatarPackage) -> None:
    clear = clear_of(alpha_of(person, TURNED))
    own, blurred = (seen(person, View(128, 128, background)) for background in (OwnBackground(), BlurredBackground()))
    detail = [np.abs(np.diff(picture[..., 2], axis=1))[:, 1:][clear[:, 2:]].mean() for picture in (own, blurred)]
    assert detail[1] < 0.6 * detail[0]
    assert np.abs(own - blurred)[clear].mean() < 20


@pytest.mark.parametrize("size", [(300, 100), (100, 300), (64, 64), (7, 5)])
def test_a_picture_covers_the_frame_from_its_middle(person: AvatarPackage, size: tuple[int, int]) -> None:
    width, height = size
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2] = (200, 40, 40)
    pixels[:, width // 2 :] = (40, 40, 200)
    shown = seen(person, View(256, 128, PictureBackground(pixels)), FaceFrame())
    assert far_from(shown[:, :60], (200, 40, 40)).max() < 12
    assert far_from(shown[:, 196:], (40, 40, 200)).max() < 12


def test_a_picture_is_cut_evenly(person: AvatarPackage) -> None:
    pixels = np.zeros((64, 512, 3), np.uint8)
    pixels[:, ::8] = 255
    pixels[:, 192:320] = (10, 200, 10)
    shown = seen(person, View(256, 128, PictureBackground(pixels)))
    # 128 of 512 columns are seen, and they are those in the middle.
    assert far_from(shown[:4, 4:-4], (10, 200, 10)).max() < 12
    assert far_from(shown[:4, :1], (10, 200, 10)).min() > 12


@pytest.mark.parametrize("shape", [(1, 1), (1, 40_000), (40_000, 1)])
def test_of_a_strip_the_middle_is_seen(person: AvatarPackage, shape: tuple[int, int]) -> None:
    pixels = np.full((*shape, 3), (10, 200, 10), np.uint8)
    along = pixels.reshape(-1, 3)
    along[max(0, len(along) // 2 - 20) : len(along) // 2 + 20] = (200, 40, 40)
    shown = seen(person, View(256, 128, PictureBackground(pixels)), FaceFrame())
    assert far_from(shown[:, :60], (200, 40, 40)).max() < 12


@pytest.mark.parametrize("pixels", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3))])
def test_what_is_no_picture_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a background's picture"):
        PictureBackground(pixels)


def test_what_is_no_colour_is_refused() -> None:
    with pytest.raises(ValueError, match="0–255"):
        ColourBackground(0, 256, 0)


def test_a_wide_frame_goes_on_beside_the_person_who_fades_out(person: AvatarPackage) -> None:
    alpha = alpha_of(person, FaceFrame(), 256, 128)
    assert alpha[:, :64].max() == alpha[:, 192:].max() == 0
    shoulders = alpha[-4]
    assert shoulders[128] > 0.99
    # No step where the picture ends, and none at the lower edge.
    assert np.abs(np.diff(shoulders)).max() < 0.25
    assert alpha[-1, 100:156].min() > 0.99
    own = seen(person, View(256, 128), FaceFrame())
    assert far_from(own[:, :4], person.manifest.background[::-1]).max() < 8
    assert np.abs(own[:, 63] - own[:, 64]).mean() < 12


def test_a_tall_frame_has_the_person_at_its_lower_edge(person: AvatarPackage) -> None:
    alpha = alpha_of(person, FaceFrame(), 96, 160)
    assert alpha[:64].max() == 0
    assert alpha[-1, 48] > 0.99
    # In a tall frame, shoulders are cut by its sides and do not fade.
    assert alpha[-1, 0] > 0.99


def test_a_transparent_frame_is_the_person_on_black_beside_the_alpha(person: AvatarPackage) -> None:
    renderer = PuppetRenderer(person, View(128, 128, MAGENTA, transparent=True))
    assert (renderer.width, renderer.height) == (256, 128)
    luma, chroma = planes(frame_of(renderer))
    left, right = luma[:, :128], luma[:, 128:]
    assert right.min() == 16
    assert right.max() == 235
    assert np.all(chroma[:, :, 64:] == 128)
    assert np.abs(left[right == 16].astype(int) - 16).max() <= 1
    assert np.abs(chroma[:, :, :64][:, right[::2, ::2] == 16].astype(int) - 128).max() <= 1
    # Premultiplied: never brighter than white seen through the alpha.
    assert np.all(left.astype(int) <= right.astype(int) + 2)


def test_an_opaque_package_is_opaque_in_a_transparent_frame(opaque: AvatarPackage) -> None:
    alpha = alpha_of(opaque, TURNED, 200, 128)
    assert np.all(alpha[:, 36:164] == 1)
    assert alpha[:, :36].max() == alpha[:, 164:].max() == 0
    picture = seen(opaque, View(128, 128, transparent=True))
    assert np.array_equal(picture[:, :128], seen(opaque, View(128, 128)))


def test_an_opaque_package_s_background_only_fills_what_lies_beside(opaque: AvatarPackage) -> None:
    own, magenta = (seen(opaque, View(200, 128, background)) for background in (OwnBackground(), MAGENTA))
    assert np.abs(own[:, 37:163] - magenta[:, 37:163]).max() <= 1
    assert far_from(magenta[:, :34], (255, 0, 255)).max() < 8
    assert np.array_equal(seen(opaque, View(128, 128)), seen(opaque, View(128, 128, MAGENTA)))
    blurred = seen(opaque, View(200, 128, BlurredBackground()))
    assert np.array_equal(blurred[:, 40:160], own[:, 40:160])


BACKGROUNDS: list[Background] = [
    MAGENTA,
    OwnBackground(),
    BlurredBackground(),
    PictureBackground(np.full((9, 9, 3), 200, np.uint8)),
    GREEN,
]


@pytest.mark.parametrize("size", [(128, 128), (192, 96)])
def test_a_change_of_background_shows_with_the_next_picture_and_leaves_no_trace(
    person: AvatarPackage, size: tuple[int, int]
) -> None:
    renderer = PuppetRenderer(person, View(*size, GREEN))
    frame_of(renderer)
    for background in BACKGROUNDS:
        renderer.behind(background)
        changed = frame_of(renderer, FaceFrame())
        assert np.array_equal(changed, frame_of(PuppetRenderer(person, View(*size, background)), FaceFrame()))


def test_one_session_s_background_is_not_another_s(person: AvatarPackage) -> None:
    one, two = (PuppetRenderer(person, View(128, 128, background)) for background in (MAGENTA, GREEN))
    before = frame_of(one)
    frame_of(two)
    two.behind(OwnBackground())
    frame_of(two)
    frame_of(one)
    assert np.array_equal(frame_of(one), before)


def test_backgrounds_change_while_pictures_are_painted(person: AvatarPackage) -> None:
    """Each picture has one background, whole."""
    renderer = PuppetRenderer(person, View(128, 128, MAGENTA))
    face = FaceFrame()
    clear = alpha_of(person, face) == 0
    done = threading.Event()

    def change() -> None:
        while not done.is_set():
            for background in (GREEN, MAGENTA, PictureBackground(np.full((2, 2, 3), 255, np.uint8))):
                renderer.behind(background)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(200):
            luma, _ = planes(frame_of(renderer, face))
            assert len(np.unique(luma[clear])) == 1
    finally:
        done.set()
        thread.join()


def test_sessions_share_backdrops_and_let_go_of_them(person: AvatarPackage) -> None:
    package = replace(person)
    picture = PictureBackground(np.zeros((64, 64, 3), np.uint8))
    renderers = [PuppetRenderer(package, View(512, 512, picture)) for _ in range(2)]
    frame_of(renderers[0])
    tracemalloc.start()
    try:
        frame_of(renderers[1])
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A backdrop of its own would be 393 kB.
    assert kept < 200_000
    gone = weakref.ref(picture)
    for renderer in renderers:
        renderer.behind(OwnBackground())
        frame_of(renderer)
    del picture
    gc.collect()
    assert gone() is None


def test_a_session_with_a_colour_of_its_own_takes_little_memory(person: AvatarPackage) -> None:
    frame_of(PuppetRenderer(person, View(512, 512)))
    tracemalloc.start()
    try:
        renderer = PuppetRenderer(person, View(512, 512, MAGENTA))
        frame_of(renderer)
        for step in range(20):
            renderer.behind(ColourBackground(step, 0, 0))
            frame_of(renderer)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_500_000
