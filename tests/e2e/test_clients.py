"""The known programs for the protocol, each talking to the real server as its own source does.

Each is as strict as its original (see ``tests/e2e/clients``), and ends with the avatar heard.
"""

import asyncio
import functools
import threading
import wave
from collections.abc import AsyncIterator, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray

from tests.browser import chromium_page, needs_chromium
from tests.e2e.clients.client import Client, Place
from tests.e2e.clients.javascript_sdk import JavascriptSdk
from tests.e2e.clients.peer import Peer
from tests.e2e.clients.phones import AndroidSdk, FlutterSample, IosSdk, ReactNativeSample
from tests.e2e.clients.web_apps import (
    AvatarCore,
    ClinicApp,
    HotelApp,
    HtmlSample,
    RecruitmentApp,
    WordpressPlugin,
)
from tests.e2e.conftest import nobody_there
from tests.e2e.test_browser import LOUDNESS
from tests.e2e.voices import SILENCE, spoken
from visavis.bench.server_process import ServerProcess
from visavis.client import MICROPHONE_RATE

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAME = "Mira Lane"
GREETING = "Hello, I am Mira."
AVATAR = f"""
name = "{NAME}"
package = "vera"
greeting = "{GREETING}"
phrases = ["How old are you?", "What is your name?", "My name is Anna.", "What is my name?",
  "What is the weather like?", "Thank you, goodbye."]
"""
WEATHER = {
    "type": "function",
    "name": "show_weather",
    "description": "Show the weather",
    "parameters": {"type": "object", "properties": {}},
}
Recordings = dict[str, NDArray[np.int16]]


@pytest.fixture(scope="module")
def pages() -> Iterator[ThreadingHTTPServer]:
    """A web server of somebody else's, with one page."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Keep the tests' output clean."""

    folder = str(Path(__file__).with_name("clients"))
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        yield web
        web.shutdown()
        thread.join()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(pages: ThreadingHTTPServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """Only pages of one origin may call it."""
    folder = tmp_path_factory.mktemp("clients")
    (folder / "avatars" / "mira").mkdir(parents=True)
    (folder / "avatars" / "mira" / "avatar.toml").write_text(AVATAR)
    settings = folder / "visavis.toml"
    origin = f"http://127.0.0.1:{pages.server_port}"
    settings.write_text(f'[server]\nallowed_origins = ["{origin}"]\n[session]\ntool_timeout = 2.0\n')
    arguments = ["--config", str(settings), "--avatars", str(folder / "avatars"), "--log-format", "json"]
    async with ServerProcess(arguments) as process:
        yield process
        assert await process.stop() == 0
    assert not [line for line in process.log if '"level": "error"' in line]
    assert not [line for line in process.log if process.license in line]


@pytest.fixture(scope="module")
def place(server: ServerProcess, pages: ThreadingHTTPServer) -> Place:
    return Place(server.url, server.license, f"http://127.0.0.1:{pages.server_port}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recordings() -> Recordings:
    sentences = [
        "How old are you?",
        "My name is Anna.",
        "What is my name?",
        "What is the weather like?",
        "Thank you, goodbye.",
    ]
    return dict(zip(sentences, await spoken(*(("en-us", sentence) for sentence in sentences)), strict=True))


def plain(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalpha() or letter == " ")


async def greeted(client: Client) -> None:
    """The avatar is seen and heard, and has said its greeting once."""
    await client.hears_out()
    await client.until(lambda: client.answers)
    assert client.answers == [GREETING]
    assert client.peer.size == (512, 512)
    assert client.peer.offers == 1
    assert len(client.microphones) == 1


async def asked(client: Client, recordings: Recordings, question: str) -> str:
    """Ask aloud; the answer, which was heard, as the program shows it."""
    answers = len(client.answers)
    ended = await client.say(recordings[question])
    await client.until(lambda: client.users and plain(client.users[-1]) == plain(question))
    await client.hears(ended)
    await client.until(lambda: len(client.answers) > answers)
    return client.answers[-1]


async def test_javascript_sdk(server: ServerProcess, place: Place, recordings: Recordings) -> None:
    function = {
        "function_call_name": "show_weather",
        "function_call_description": "Show the weather",
        "function_call_parameters": {},
    }
    async with JavascriptSdk(place, "mira", functions=[function]) as first:
        await greeted(first)
        await asked(first, recordings, "My name is Anna.")
        await first.hears_out()
        await first.say(recordings["What is the weather like?"])
        await first.until(lambda: first.tool_calls)
        called = asyncio.get_running_loop().time()
        (detail,) = first.tool_calls
        assert detail["raw_data"]["name"] == detail["data"]["function_name"] == "show_weather"
        assert detail["data"]["arguments"] == {}
        # It returns no result; the avatar goes on all the same.
        await first.hears(called)
        await first.hang_up()
    await nobody_there(server)
    # It says nothing of its own before the answer, and then what it remembers.
    second = JavascriptSdk(place, "mira")
    second.memory = first.memory
    async with second:
        await greeted(second)
        assert "Anna" in await asked(second, recordings, "What is my name?")


async def test_a_client_that_only_its_own_candidates_lead_to(place: Place) -> None:
    client = JavascriptSdk(place, "mira")
    client.peer = Peer(client.changed, blind=True)
    async with client:
        await greeted(client)


async def test_ios_sdk(place: Place, recordings: Recordings) -> None:
    async with IosSdk(place, NAME, functions=[WEATHER]) as client:
        await greeted(client)
        client.open_camera()
        await client.negotiate_anew()
        await client.until(lambda: client.renegotiated == 1)
        pictures = client.peer.pictures
        await client.say(recordings["What is the weather like?"])
        await client.until(lambda: client.tool_calls)
        assert client.tool_calls == [("show_weather", {})]
        await client.hears(asyncio.get_running_loop().time())
        assert client.peer.pictures > pictures


async def test_android_sdk(place: Place, recordings: Recordings) -> None:
    history = ("Good morning.", "My name is Anna.")
    async with AndroidSdk(place, NAME, functions=[WEATHER], history=history) as client:
        await greeted(client)
        client.open_camera()
        assert "Anna" in await asked(client, recordings, "What is my name?")
        await client.hears_out()
        await client.say(recordings["What is the weather like?"])
        await client.until(lambda: client.tool_calls == ["show_weather"])


async def test_flutter_sample(place: Place, recordings: Recordings) -> None:
    async with FlutterSample(place, NAME, functions=[WEATHER], history=("My name is Anna.",)) as client:
        await greeted(client)
        assert "Anna" in await asked(client, recordings, "What is my name?")
        await client.hears_out()
        await client.say(recordings["What is the weather like?"])
        await client.until(lambda: client.tool_calls == ["show_weather"])


async def test_react_native_sample(place: Place, recordings: Recordings) -> None:
    async with ReactNativeSample(place, NAME) as client:
        await greeted(client)
        client.open_camera()
        # Every third sample is left out: recorded at 16 kHz.
        slow = recordings["How old are you?"]
        fast = np.interp(np.arange(0, len(slow), 1.5), np.arange(len(slow)), slow).astype(np.int16)
        await client.say(np.concatenate((fast, SILENCE[:8000])))
        # Whatever was understood of it, the turn is over and the avatar is there.
        await client.until(lambda: client.users)


async def test_react_native_sample_with_a_wrong_license(place: Place) -> None:
    class Careless(ReactNativeSample):
        async def look_up(self) -> None:
            """Not at all."""

    async with Careless(Place(place.url, "wrong", place.origin), NAME) as client:
        await client.until(lambda: client.toast)
        assert "license" in client.toast.lower()
        await client.until_closed()


async def test_wordpress_plugin(place: Place, recordings: Recordings) -> None:
    async with WordpressPlugin(place, NAME) as client:
        await greeted(client)
        await client.negotiate_anew()
        await client.until(lambda: client.renegotiated == 1)
        await asked(client, recordings, "How old are you?")
        assert not client.typing
        assert [text.strip() for text in client.bubbles.values()] == client.answers
        await client.hears_out()
        ended = await client.say(recordings["Thank you, goodbye."])
        await client.until_closed()
        assert client.hung_up
        assert client.peer.heard_after(ended) is not None


async def test_html_sample(place: Place, recordings: Recordings) -> None:
    async with HtmlSample(place, NAME, history=("My name is Anna.",)) as client:
        await greeted(client)
        assert "Anna" in await asked(client, recordings, "What is my name?")


async def test_clinic_app(place: Place, recordings: Recordings) -> None:
    async with ClinicApp(place, NAME) as client:
        await greeted(client)
        await client.open_camera()
        await client.until(lambda: client.renegotiated == 1)
        await client.add_tools([WEATHER])
        await client.say(recordings["What is the weather like?"])
        await client.until(lambda: client.tool_calls)
        assert client.tool_calls == [("show_weather", {})]
        called = asyncio.get_running_loop().time()
        # It knows no such tool, says so, and wants to hear about it.
        await client.hears(called)
        await client.until(lambda: len(client.answers) > 1)
        assert client.answers.count(GREETING) == 1


async def test_recruitment_app(place: Place, recordings: Recordings) -> None:
    async with RecruitmentApp(place, NAME) as client:
        await greeted(client)
        await asked(client, recordings, "How old are you?")
        # The wish that the avatar speaks first was the greeting's, and made no answer of its own.
        assert len(client.answers) == 2
        await client.hears_out()
        ended = await client.say(recordings["Thank you, goodbye."])
        await client.until_closed()
        assert client.hung_up
        assert client.peer.heard_after(ended) is not None
        assert client.tool_arguments == {}


async def test_hotel_and_tutor_apps(place: Place, recordings: Recordings) -> None:
    history = ("Good morning.", "My name is Anna.", "Nice to meet you.")
    async with HotelApp(place, NAME, history=history) as client:
        await greeted(client)
        assert "Anna" in await asked(client, recordings, "What is my name?")
        await client.hears_out()
        await client.configure("You teach English.", "coral")
        await client.type("What is the weather in Paris?")
        await client.until(lambda: client.tool_calls == [("get_weather", {"city": "Paris"})])
        await client.hears(asyncio.get_running_loop().time())
        await client.until(lambda: "sunny" in client.answers[-1])
        await client.until(lambda: client.kinds()[-1] == "realtime.response.audio.done")
        assert client.kinds().count("realtime.session.updated") == 1
        await client.hears_out()
        typed = asyncio.get_running_loop().time()
        await client.type("Thank you, goodbye.")
        await client.until_closed()
        assert client.tool_calls[1:] == [("end_conversation", {})]
        assert client.peer.heard_after(typed) is not None
        assert "bye" in client.answers[-1].lower()


async def test_avatar_core(place: Place, recordings: Recordings) -> None:
    speech = recordings["What is the weather like?"]
    async with AvatarCore(place, NAME) as client:
        await client.until(lambda: client.peer.pictures)
        for number, commit in enumerate((True, False)):
            start = asyncio.get_running_loop().time()
            await client.speak(speech, commit=commit)
            heard = await client.hears(start)
            await client.until(lambda: client.finished == number + 1)  # noqa: B023 (used within the loop only)
            last = client.peer.last_heard()
            assert last is not None
            # The end of it was not lost, and nothing was put to it.
            assert last - heard == pytest.approx(len(speech) / MICROPHONE_RATE, abs=0.3)
        assert not [kind for kind in client.kinds() if "transcript" in kind or "speech_" in kind]


@pytest.fixture
def question(recordings: Recordings, tmp_path: Path) -> Path:
    """A microphone: silence while the avatar greets, a question, silence."""
    sound = np.concatenate([SILENCE] * 6 + [recordings["How old are you?"]] + [SILENCE] * 60)
    path = tmp_path / "question.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(MICROPHONE_RATE)
        file.writeframes(sound.tobytes())
    return path


@needs_chromium
@pytest.mark.browser
async def test_a_page_that_follows_the_documentation(place: Place, question: Path) -> None:
    address = f"documented_page.html?server={place.url}&license={place.license}"
    async with chromium_page(wav=question) as browser:
        page = browser.page
        await page.goto(f"{place.origin}/{address}")
        await page.evaluate("(name) => call(name)", NAME)
        await page.wait_for_function("() => seen.avatar.length > 0", timeout=40_000)
        assert await page.evaluate("() => seen.types.slice(0, 4)") == [
            "conversation.connected.success",
            "webrtc.signaling.offer",
            "realtime.session.created",
            "realtime.session.updated",
        ]
        assert await page.evaluate("() => seen.avatar") == [GREETING]
        assert await page.evaluate("() => seen.ice") == "connected"
        assert await page.evaluate("() => document.images[0].naturalWidth") > 0
        assert await page.evaluate("() => document.querySelector('video').videoWidth") == 512
        await page.wait_for_function("() => seen.user.length > 0", timeout=40_000)
        assert await page.evaluate(LOUDNESS) > 0.05
        assert plain((await page.evaluate("() => seen.user"))[0]) == "how old are you"
        # Both reasons for which a page negotiates anew: a camera, and new paths.
        for number, step in enumerate(("startCamera()", "peer.restartIce()")):
            await page.evaluate(f"() => {step}")
            await page.wait_for_function(f"() => seen.answers === {number + 1}", timeout=20_000)
            before = await browser.frames_shown()
            await page.wait_for_timeout(3000)
            assert await browser.frames_shown() > before + 30
        assert await page.evaluate("() => seen.ice") == "connected"
        assert await page.evaluate("() => seen.closed") is None
        assert [text for text in browser.complaints if "ScriptProcessorNode" not in text] == []


@needs_chromium
@pytest.mark.browser
async def test_a_page_of_another_origin_reads_why_it_may_not_call(place: Place) -> None:
    stranger = place.origin.replace("127.0.0.1", "localhost")
    async with chromium_page() as browser:
        page = browser.page
        await page.goto(f"{stranger}/documented_page.html?server={place.url}&license={place.license}")
        await page.evaluate("(name) => call(name)", NAME)
        await page.wait_for_function("() => seen.closed !== null", timeout=20_000)
        assert await page.evaluate("() => seen.closed") == 1008
        assert await page.evaluate("() => seen.failure")
        assert await page.evaluate("() => seen.types") == ["conversation.connected.fail"]
