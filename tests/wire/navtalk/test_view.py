"""The picture that a client asks for: by its address, and by messages in the call."""

import base64
import json

import cv2
import numpy as np
import pytest

from tests.wire.house import LICENSE, heard_until_closed, open_house, opened, say, until
from visavis.avatar.background import MAX_BYTES, MAX_SIDE
from visavis.avatar.emotion import Emotion, Feeling
from visavis.avatar.puppet.backdrop import covering
from visavis.avatar.view import BlurredBackground, ColourBackground, OwnBackground, PictureBackground
from visavis.session.commands import NamedBackground, SetBackground, SetEmotion
from visavis.session.events import Picture, SessionState, StateChanged
from visavis.session.ports import ViewRequest
from visavis.wire.navtalk.bad_message import BadKind, BadMessage
from visavis.wire.navtalk.decode import BackgroundDraft, decode, finish
from visavis.wire.navtalk.encode import Encoder
from visavis.wire.navtalk.settings import NavtalkSettings

PLAIN = f"license={LICENSE}&name=mira"


def picture(
    width: int = 64, height: int = 48, suffix: str = ".png", colour: tuple[int, int, int] = (20, 90, 160)
) -> bytes:
    done, data = cv2.imencode(suffix, np.full((height, width, 3), colour, np.uint8))
    assert done
    return data.tobytes()


def url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ViewRequest()),
        ("&size=&background=&transparent=", ViewRequest()),
        ("&size=720x720", ViewRequest((720, 720))),
        ("&size=1280x720&background=own", ViewRequest((1280, 720), OwnBackground())),
        ("&background=blur", ViewRequest(background=BlurredBackground())),
        ("&background=%232F6f6f", ViewRequest(background=ColourBackground(0x2F, 0x6F, 0x6F))),
        ("&background=000102", ViewRequest(background=ColourBackground(0, 1, 2))),
        ("&background=the-office.2", ViewRequest(background=NamedBackground("the-office.2"))),
        ("&transparent=1", ViewRequest(transparent=True)),
        ("&transparent=0", ViewRequest(transparent=False)),
    ],
)
async def test_the_address_says_which_picture_is_wanted(query: str, expected: ViewRequest) -> None:
    async with open_house() as house, house.call(PLAIN + query) as client:
        await opened(client)
        assert house.reception.requests[0].view == expected


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("&size=720", "size"),
        ("&size=720x", "size"),
        ("&size=0512x512", "size"),
        ("&size=99999x99999", "size"),
        ("&size=-12x512", "size"),
        ("&background=..%2Fpasswd", "background"),
        ("&background=%23ff", "background"),
        ("&background=a%20b", "background"),
        ("&background=%00", "background"),
        ("&background=" + "a" * 65, "background"),
        ("&transparent=yes", "transparent"),
    ],
)
async def test_what_cannot_be_painted_is_refused_before_anybody_is_asked(query: str, field: str) -> None:
    async with open_house() as house, house.call(PLAIN + query + "&states=1") as client:
        messages, code, reason = await heard_until_closed(client)
        (refusal,) = messages
        assert refusal["type"] == "conversation.connected.fail"
        assert refusal["message"].startswith(f"{field}: ")
        assert refusal["data"] == {"message": refusal["message"], "code": "bad_request"}
        assert (code, reason) == (1008, "bad_request")
        assert house.reception.requests == []
        assert house.count("calls_total", outcome="bad_request") == 1
        await until(lambda: house.open_sockets() == 0)


async def test_only_who_asks_for_states_is_told_the_picture() -> None:
    event = StateChanged(SessionState.CONNECTING, picture=Picture(1280, 720, transparent=True, backgrounds=False))
    assert list(Encoder("object", False, False).encode(event)) == []
    (message,) = Encoder("object", False, True).encode(event)
    told = json.loads(message.json_text())["data"]
    assert told["picture"] == {"width": 1280, "height": 720, "transparent": True, "backgrounds": False}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"type": "realtime.set_background", "data": {"background": "own"}}, SetBackground(OwnBackground())),
        ({"type": "set_background", "background": "blur"}, SetBackground(BlurredBackground())),
        (
            {"type": "realtime.set_background", "data": {"background": "#FFfe00"}},
            SetBackground(ColourBackground(255, 254, 0)),
        ),
        ({"type": "realtime.set_background", "background": "office"}, SetBackground(NamedBackground("office"))),
        ({"type": "realtime.set_emotion", "data": {"emotion": "happy"}}, SetEmotion(Feeling(Emotion.HAPPY, 1.0))),
        (
            {"type": "set_emotion", "emotion": "stern", "intensity": 0.25},
            SetEmotion(Feeling(Emotion.STERN, 0.25)),
        ),
        ({"type": "set_emotion", "emotion": "neutral", "intensity": 0}, SetEmotion(Feeling(Emotion.NEUTRAL, 0.0))),
    ],
)
def test_what_a_message_asks_for(message: dict[str, object], expected: object) -> None:
    assert decode(json.dumps(message)).commands == (expected,)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "realtime.set_background"},
        {"type": "realtime.set_background", "data": {"background": ""}},
        {"type": "realtime.set_background", "data": {"background": "a/b"}},
        {"type": "realtime.set_background", "data": {"background": 5}},
        {"type": "realtime.set_background", "data": {"background": "x" * 70}},
        {"type": "realtime.set_emotion"},
        {"type": "realtime.set_emotion", "data": {"emotion": "hungry"}},
        {"type": "realtime.set_emotion", "data": {"emotion": "happy", "intensity": 1.1}},
        {"type": "realtime.set_emotion", "data": {"emotion": "happy", "intensity": -0.1}},
        {"type": "realtime.set_emotion", "data": {"emotion": "happy", "intensity": None}},
    ],
)
def test_what_no_face_can_do_is_refused(message: dict[str, object]) -> None:
    with pytest.raises(BadMessage) as bad:
        decode(json.dumps(message))
    assert bad.value.kind is BadKind.BAD_SHAPE


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_picture_becomes_a_background(suffix: str) -> None:
    (draft,) = decode(json.dumps({"type": "set_background", "background": url(picture(suffix=suffix))})).commands
    assert isinstance(draft, BackgroundDraft)
    command, flaws = finish(draft)
    assert isinstance(command, SetBackground)
    assert isinstance(command.background, PictureBackground)
    assert command.background.pixels.shape == (48, 64, 3)
    assert np.abs(command.background.pixels.reshape(-1, 3).mean(0) - (20, 90, 160)).max() < 6
    assert flaws == ()


def test_a_large_picture_is_scaled_down_in_its_own_shape() -> None:
    command, _ = finish(BackgroundDraft(url(picture(2600, 1500, ".jpg"))))
    assert isinstance(command, SetBackground)
    assert isinstance(command.background, PictureBackground)
    height, width, _ = command.background.pixels.shape
    assert 1280 * 710 < width * height < 1280 * 730
    assert width / height == pytest.approx(2600 / 1500, rel=0.002)


@pytest.mark.parametrize("size", [(1, MAX_SIDE), (MAX_SIDE, 1)])
def test_the_longest_pictures_can_be_painted(size: tuple[int, int]) -> None:
    command, _ = finish(BackgroundDraft(url(picture(*size))))
    assert isinstance(command, SetBackground)
    assert isinstance(command.background, PictureBackground)
    assert np.abs(covering(command.background.pixels, 256, 128).mean((0, 1)) - (20, 90, 160)).max() < 2


def forged(width: int, height: int) -> bytes:
    """A small file that says it is a large picture."""
    data = bytearray(picture())
    data[16:24] = width.to_bytes(4) + height.to_bytes(4)
    return bytes(data)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (url(b"GIF89a" + bytes(40)), BadKind.BAD_IMAGE),
        (url(picture(2001, 2000)), BadKind.BAD_IMAGE),
        (url(forged(100_000, 100_000)), BadKind.BAD_IMAGE),
        (url(picture(1, 40_000)), BadKind.BAD_IMAGE),
        (url(picture(40_000, 1)), BadKind.BAD_IMAGE),
        (url(forged(0, 7)), BadKind.BAD_IMAGE),
        (url(picture()[:60]), BadKind.BAD_IMAGE),
        (url(picture() + bytes(MAX_BYTES)), BadKind.BAD_IMAGE),
        (url(bytes(4 * MAX_BYTES)), BadKind.BAD_IMAGE),
        ("data:image/png,abc", BadKind.BAD_IMAGE),
        ("data:image/png;base64,!!!!", BadKind.BAD_BASE64),
        ("data:image/png;base64,", BadKind.BAD_IMAGE),
    ],
    ids=[
        "gif",
        "pixels",
        "forged",
        "long",
        "wide",
        "empty",
        "cut",
        "bytes",
        "far too many",
        "no base64",
        "bad base64",
        "nothing",
    ],
)
def test_what_is_no_background_is_counted_by_its_flaw(source: str, kind: BadKind) -> None:
    assert finish(BackgroundDraft(source)) == (None, (kind,))


async def test_backgrounds_reach_the_session_in_their_order() -> None:
    async with open_house() as house, house.call() as client:
        await opened(client)
        await say(client, "realtime.set_background", {"background": url(picture(1600, 1200))})
        await say(client, "realtime.set_background", {"background": "blur"})
        await say(client, "realtime.set_emotion", {"emotion": "amused"})
        first, second, third = await house.reception.calls[0].wait_for(3)
        assert isinstance(first, SetBackground)
        assert isinstance(first.background, PictureBackground)
        assert (second, third) == (SetBackground(BlurredBackground()), SetEmotion(Feeling(Emotion.AMUSED)))


async def test_a_flood_of_backgrounds_is_thinned_out() -> None:
    async with open_house(NavtalkSettings(images_per_second=0.1, images_burst=3)) as house, house.call() as client:
        await opened(client)
        for colour in range(10):
            await say(client, "realtime.set_background", {"background": f"00000{colour}"})
        await say(client, "realtime.set_emotion", {"emotion": "sad"})
        commands = await house.reception.calls[0].wait_for(4)
        assert [type(command) for command in commands] == [SetBackground] * 3 + [SetEmotion]
        assert house.count("dropped_messages_total", cause="image_flood") == 7


async def test_a_bad_background_is_counted_and_the_call_goes_on() -> None:
    async with open_house() as house, house.call() as client:
        await opened(client)
        await say(client, "realtime.set_background", {"background": url(forged(100_000, 100_000))})
        await say(client, "realtime.set_background", {"background": "no such thing"})
        await say(client, "realtime.set_emotion", {"emotion": "happy"})
        assert await house.reception.calls[0].wait_for(1) == [SetEmotion(Feeling(Emotion.HAPPY))]
        assert house.count("bad_messages_total", kind="bad_image") == 1
        assert house.count("bad_messages_total", kind="bad_shape") == 1
