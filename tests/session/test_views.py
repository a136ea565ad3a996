"""How visitors see an avatar: what is refused, what is kept, and what is really sent."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.cut_out import PLATE, cut_out
from tests.session.house import Guest, House, nothing_left
from visavis.avatar.animation.animator import Animator
from visavis.avatar.background import MAX_BYTES
from visavis.avatar.catalogue import Catalogue
from visavis.avatar.emotion import Emotion, Feeling
from visavis.avatar.package import AvatarPackage
from visavis.avatar.puppet.face import PuppetFace
from visavis.avatar.puppet.renderer import PuppetRenderer
from visavis.avatar.view import BlurredBackground, ColourBackground, OwnBackground, PictureBackground, View
from visavis.media.peer import PeerSettings
from visavis.session.commands import NamedBackground, SetBackground, SetEmotion
from visavis.session.events import Picture, Refusal, RefusalKind, SessionState, StateChanged
from visavis.session.ports import ViewRequest
from visavis.session.studio import rates_for
from visavis.session.views import UnknownBackgroundError, Views

BLUE = ColourBackground(20, 40, 200)
CORNER = np.s_[4:20, 4:20]


@pytest.fixture
def backgrounds(tmp_path: Path) -> Path:
    folder = tmp_path / "backgrounds"
    folder.mkdir()
    cv2.imwrite(str(folder / "office.png"), np.full((90, 160, 3), (10, 20, 30), np.uint8))
    cv2.imwrite(str(folder / "beach.jpeg"), np.full((90, 160, 3), (200, 180, 90), np.uint8))
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "huge.jpg").write_bytes(b"\xff\xd8\xff" + bytes(MAX_BYTES))
    (tmp_path / "secret.png").write_bytes((folder / "office.png").read_bytes())
    return folder


def house(pool: ThreadPoolExecutor, tmp_path: Path, **options: Any) -> House:
    views = options.pop("views", Views(View(128, 128), [(256, 128)], options.pop("backgrounds", None)))
    return House(pool, views=views, catalogue=Catalogue(cut_out(tmp_path / "avatars")), **options)


async def picture_of(guest: Guest) -> Picture:
    event = await guest.until_event(
        lambda event: isinstance(event, StateChanged) and event.state is SessionState.CONNECTING
    )
    assert event.picture is not None
    return event.picture


def shown(guest: Guest) -> np.ndarray:
    """The latest picture that came, BGR."""
    assert guest.frames
    return guest.frames[-1].bgr()


async def until_seen(guest: Guest, wanted: Callable[[np.ndarray], bool]) -> None:
    """Wait for a picture that is as wanted."""
    async with asyncio.timeout(15):
        while not guest.frames or not wanted(shown(guest)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def until_corner(guest: Guest, colour: tuple[int, int, int]) -> None:
    """Wait until the picture's corner has nearly this colour (BGR)."""
    await until_seen(guest, lambda picture: bool(np.abs(picture[CORNER].reshape(-1, 3).mean(0) - colour).max() < 12))


def test_a_size_that_is_not_painted_is_refused_with_those_that_are() -> None:
    views = Views(View(640, 480), [(720, 720), (640, 480)])
    assert views.choose(ViewRequest()) == views.choose(ViewRequest((640, 480))) == views.default
    assert views.choose(ViewRequest((720, 720), BLUE, transparent=True)) == View(720, 720, BLUE, transparent=True)
    with pytest.raises(Refusal) as refused:
        views.choose(ViewRequest((512, 512)))
    assert refused.value.kind is RefusalKind.BAD_REQUEST
    assert refused.value.message == "size: this server's pictures have 640x480, 720x720 pixels."


def test_what_is_not_asked_for_stays_as_it_was() -> None:
    views = Views(View(128, 128), [(256, 128)])
    before = View(256, 128, BLUE, transparent=True)
    assert views.choose(ViewRequest(transparent=True), before) == before
    assert views.choose(ViewRequest(), before) == View(256, 128, BLUE)
    assert views.choose(ViewRequest((128, 128), OwnBackground()), before) == View(128, 128)


async def test_the_operators_pictures_are_found_by_name(backgrounds: Path) -> None:
    views = Views(backgrounds=backgrounds)
    office = await views.background(NamedBackground("office"))
    assert isinstance(office, PictureBackground)
    assert office.pixels.shape == (90, 160, 3)
    assert office.pixels[0, 0].tolist() == [10, 20, 30]
    assert await views.background(NamedBackground("office")) is office
    assert isinstance(await views.background(NamedBackground("beach")), PictureBackground)
    assert await views.background(BLUE) is BLUE


async def test_a_picture_that_changed_is_read_again(backgrounds: Path) -> None:
    views = Views(backgrounds=backgrounds)
    office = await views.background(NamedBackground("office"))
    cv2.imwrite(str(backgrounds / "office.png"), np.full((9, 16, 3), 200, np.uint8))
    changed = await views.background(NamedBackground("office"))
    assert changed is not office
    assert isinstance(changed, PictureBackground)
    assert changed.pixels.shape == (9, 16, 3)


@pytest.mark.parametrize("name", ["nowhere", "../secret", "", ".", "office.png", "a/b", "broken", "huge", "of\0fice"])
async def test_a_name_without_a_picture_is_unknown_and_tells_no_path(backgrounds: Path, name: str) -> None:
    for views in (Views(backgrounds=backgrounds), Views(backgrounds=backgrounds / "missing"), Views()):
        with pytest.raises(UnknownBackgroundError) as error:
            await views.background(NamedBackground(name))
        assert str(backgrounds) not in str(error.value)


@pytest.mark.parametrize(
    ("view", "field"),
    [
        (ViewRequest((512, 512)), "size: "),
        (ViewRequest(background=NamedBackground("nowhere")), "background: "),
    ],
)
async def test_what_cannot_be_had_takes_no_slot(
    pool: ThreadPoolExecutor, tmp_path: Path, backgrounds: Path, view: ViewRequest, field: str
) -> None:
    place = house(pool, tmp_path, backgrounds=backgrounds)
    with pytest.raises(Refusal) as refused:
        await place.admit(avatar_id="oval", view=view)
    assert refused.value.kind is RefusalKind.BAD_REQUEST
    assert refused.value.message.startswith(field)
    assert place.slots.taken == place.desk.sessions == 0


async def test_a_wide_picture_before_a_colour(pool: ThreadPoolExecutor, tmp_path: Path) -> None:
    async with nothing_left():
        place = house(pool, tmp_path)
        guest = Guest(await place.admit(avatar_id="oval", view=ViewRequest((256, 128), BLUE))).arrive()
        assert await picture_of(guest) == Picture(256, 128, transparent=False, backgrounds=True)
        await until_corner(guest, (200, 40, 20))
        assert shown(guest).shape == (128, 256, 3)
        await guest.leave()


async def test_the_background_changes_in_the_call(pool: ThreadPoolExecutor, tmp_path: Path, backgrounds: Path) -> None:
    async with nothing_left():
        place = house(pool, tmp_path, backgrounds=backgrounds)
        guest = Guest(await place.admit(avatar_id="oval")).arrive()
        await until_corner(guest, PLATE)
        await guest.session.handle(SetBackground(BLUE))
        await until_corner(guest, (200, 40, 20))
        await guest.session.handle(SetBackground(NamedBackground("beach")))
        await until_corner(guest, (200, 180, 90))
        await guest.session.handle(SetBackground(NamedBackground("nowhere")))
        await guest.session.handle(SetBackground(BlurredBackground()))
        await until_corner(guest, PLATE)
        await guest.leave()


async def test_a_background_that_comes_early_is_there_from_the_first_picture_on(
    pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    place = house(pool, tmp_path)
    session = await place.admit(avatar_id="oval")
    await session.handle(SetBackground(BLUE))
    guest = Guest(session).arrive()
    await until_corner(guest, (200, 40, 20))
    first = guest.frames[0].bgr()
    assert np.abs(first[CORNER].reshape(-1, 3).mean(0) - (200, 40, 20)).max() < 12
    await guest.leave()


@pytest.mark.parametrize("model", [None, "transparency"])
async def test_a_transparent_picture_has_its_opacity_beside_it(
    pool: ThreadPoolExecutor, tmp_path: Path, model: str | None
) -> None:
    place = house(pool, tmp_path)
    guest = Guest(await place.admit(avatar_id="oval", model=model, view=ViewRequest(transparent=True))).arrive()
    assert await picture_of(guest) == Picture(128, 128, transparent=True, backgrounds=False)
    await until_corner(guest, (0, 0, 0))
    frame = shown(guest)
    assert frame.shape == (128, 256, 3)
    opacity = frame[:, 128:]
    assert opacity[CORNER].max() < 20
    assert opacity[56:72, 56:72].min() > 235
    await guest.leave()


async def test_an_avatar_that_was_never_cut_out_says_so(pool: ThreadPoolExecutor, tmp_path: Path) -> None:
    place = house(pool, tmp_path)
    (tmp_path / "avatars" / "oval" / "face" / "matte.png").unlink()
    guest = Guest(await place.admit(avatar_id="oval")).arrive()
    assert not (await picture_of(guest)).backgrounds
    await guest.leave()


class Drawn:
    """A face of a size of its own, as a network draws them."""

    def __init__(self, package: AvatarPackage) -> None:
        self._face = PuppetFace(Animator(1), PuppetRenderer(package, View(96, 96)))
        self.latency = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._face, name)


async def test_a_face_that_a_network_draws_is_as_it_is(pool: ThreadPoolExecutor, tmp_path: Path) -> None:
    place = house(pool, tmp_path, neural=lambda package, path, now: Drawn(package))
    wish = ViewRequest((256, 128), BLUE, transparent=True)
    guest = Guest(await place.admit(avatar_id="oval", view=wish)).arrive()
    assert await picture_of(guest) == Picture(96, 96, transparent=False, backgrounds=False)
    await until_seen(guest, lambda picture: picture.shape == (96, 96, 3))
    await guest.leave()


async def test_a_feeling_is_seen(pool: ThreadPoolExecutor, tmp_path: Path) -> None:
    place = house(pool, tmp_path)
    guest = Guest(await place.admit(avatar_id="oval")).arrive()
    await guest.until_state(SessionState.CONNECTED)
    forehead = np.s_[20:60, 50:78]
    await until_corner(guest, PLATE)
    calm = shown(guest)[forehead].mean()
    # A sad face lifts its inner brows, which darkens this avatar's skin.
    await guest.session.handle(SetEmotion(Feeling(Emotion.SAD)))
    await until_seen(guest, lambda picture: bool(picture[forehead].mean() < calm - 5))
    await guest.leave()


async def test_a_session_that_goes_on_keeps_its_view_unless_another_is_asked_for(
    pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    place = house(pool, tmp_path, persistence=True)
    first = Guest(await place.admit(avatar_id="oval", resumable=True, view=ViewRequest((256, 128)))).arrive()
    await first.until_state(SessionState.CONNECTED)
    await first.session.handle(SetBackground(BLUE))
    key = first.session.resume_key
    second = Guest(await place.admit(resumable=True, resume=key)).arrive()
    assert second.session.view == View(256, 128, BLUE)
    await until_corner(second, (200, 40, 20))
    third = Guest(await place.admit(resumable=True, resume=key, view=ViewRequest((128, 128), OwnBackground()))).arrive()
    assert third.session.view == View(128, 128)
    await until_corner(third, PLATE)
    await third.leave()
    fourth = Guest(await place.admit(resumable=True, resume=key)).arrive()
    assert fourth.session.view == View(128, 128)
    await fourth.leave()


async def test_who_comes_back_is_not_refused_for_a_background_that_is_not_there(
    pool: ThreadPoolExecutor, tmp_path: Path, backgrounds: Path
) -> None:
    place = house(pool, tmp_path, backgrounds=backgrounds, persistence=True)
    first = Guest(await place.admit(avatar_id="oval", resumable=True, view=ViewRequest(background=BLUE))).arrive()
    await first.until_state(SessionState.CONNECTED)
    nowhere = NamedBackground("nowhere")
    await first.session.handle(SetBackground(nowhere))
    key = first.session.resume_key
    second = Guest(await place.admit(resumable=True, resume=key, view=ViewRequest(background=nowhere))).arrive()
    assert second.session.view == View(128, 128, BLUE)
    await second.leave()


def test_larger_pictures_get_more_bits() -> None:
    usual = PeerSettings(start_bitrate=200_000, min_bitrate=50_000, max_bitrate=400_000)
    square = View(128, 128)
    assert rates_for(usual, 128 * 128, square) == usual
    larger = rates_for(usual, 256 * 256, square)
    assert (larger.start_bitrate, larger.max_bitrate) == (round(200_000 * 4**0.75), round(400_000 * 4**0.75))
    assert larger.min_bitrate == 50_000
    smaller = rates_for(usual, 16 * 16, square)
    assert (smaller.start_bitrate, smaller.max_bitrate) == (50_000, 50_000)
