"""Leaving and coming back to the same conversation: another page, another tab, a lost network, a killed server."""

import asyncio
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.browser import needs_chromium
from tests.e2e.brain import TOOL, Brain, thinking
from tests.e2e.caller import Caller
from tests.e2e.connection_states.browsing import App, launch, visiting
from tests.e2e.connection_states.servers import closed_port
from tests.e2e.network import PAGE_THROUGH_NETWORK, Network, needs_addresses, network, through_network
from tests.e2e.records import ask, record, times, until_reads, until_there
from visavis.bench.server_process import LICENSE, ServerProcess
from visavis.client import (
    Call,
    HistoryItem,
    NoSessionToResumeError,
    Reconnecting,
    Reconnection,
    Resumed,
    Timeouts,
    Tool,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), needs_addresses, pytest.mark.timeout(240)]

PATIENCE = 90.0
KEEPING, FORGETFUL = "keeping", "forgetful"
"""Avatars: one whose sessions are kept, and one whose are kept only for a moment, for who was lost."""
GREETING = "Hello, {{guest}}."
RECONNECT = 6.0
"""Seconds for which the forgetful avatar's sessions are kept."""
SECRET = "The lake is warm."


class House:
    """A server on one port behind a network, which may be killed and started again; and what it thinks with."""

    def __init__(self, folder: Path, brain: Brain, between: Network, port: int) -> None:
        self.brain = brain
        self.network = between
        self._arguments = ["--port", str(port), "--avatars", str(folder), "--log-format", "json"]
        self._environment = {
            "VISAVIS_STORE__URL": f"sqlite:///{folder}/visavis.db",
            "VISAVIS_SESSION__RECONNECT_WINDOW": str(RECONNECT),
            "VISAVIS_SESSION__MAX_SESSIONS": "6",
            **brain.settings,
            **between.server_settings,
        }
        self._servers = AsyncExitStack()
        self.server = ServerProcess()

    async def start(self) -> None:
        self.server = await self._servers.enter_async_context(
            ServerProcess(self._arguments, environment=self._environment)
        )

    async def kill(self) -> None:
        """As when the machine loses power: nothing of it is left."""
        workers = psutil.Process(self.server.pid).children(recursive=True)
        self.server.send_signal(signal.SIGKILL)
        assert await self.server.wait(PATIENCE) == -signal.SIGKILL
        async with asyncio.timeout(PATIENCE):
            while any(_alive(worker) for worker in workers):  # noqa: ASYNC110 (other processes' state)
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        assert await self.server.stop() == 0

    async def close(self) -> None:
        await self._servers.aclose()


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("house")
    for avatar, kept in ((KEEPING, "true"), (FORGETFUL, "false")):
        (folder / avatar).mkdir()
        (folder / avatar / "avatar.toml").write_text(
            f'name = "{avatar}"\npackage = "vera"\ngreeting = "{GREETING}"\nprompt = "Guest: {{{{guest}}}}"\n'
            f"persistence = {kept}\n"
        )
    port = closed_port()
    async with thinking() as brain, network(port) as between:
        running = House(folder, brain, between, port)
        try:
            await running.start()
            yield running
            await running.stop()
        finally:
            await running.close()
        assert not [line for line in running.server.log if '"level": "error"' in line or "Traceback" in line]
        assert not [line for line in running.server.log if re.search(r"resume_\w", line)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        running = await launch(playwright)
        yield running
        await running.close()


# In the browser.

ADD_TOOL = f"""() => scene.addTool({{ name: "{TOOL}", description: "Look it up", run: () => "{SECRET}" }})"""


async def scene(app: App, house: House, *, avatar: str = KEEPING, **options: Any) -> None:
    await app.make_scene(house.network.url, license=LICENSE, avatarId=avatar, variables={"guest": "Ada"}, **options)
    await app.page.evaluate(ADD_TOOL)


async def captions(app: App) -> list[tuple[str, str]]:
    """What both sides said to its end, as the page was told."""
    told = await app.told("caption")
    return [(caption["side"], caption["text"]) for caption in told if caption["state"] == "final" and caption["text"]]


async def hears(app: App, words: str) -> None:
    """Wait until the avatar has said it, and is silent."""
    await app.until(
        """(words) => scene.activity === "idle" && told.some(([kind, caption]) => kind === "caption" &&
          caption.side === "avatar" && caption.state === "final" && caption.text === words)""",
        words,
    )


async def says(app: App, text: str, answer: str) -> None:
    assert await app.page.evaluate("(text) => scene.sendText(text)", text)
    await hears(app, answer)


async def history(app: App) -> list[tuple[str, str]]:
    items = await app.page.evaluate("() => scene.history")
    return [(item["role"], item["content"]) for item in items]


TALKED = [
    ("assistant", "Hello, Ada."),
    ("user", "Good morning."),
    ("assistant", "That was number 1."),
    ("user", "Please look up the lake."),
    ("assistant", f"It says {SECRET}"),
]
"""What was said after ``talk``."""
KNOWN = [
    *TALKED[:2],
    ("assistant", "[happy] That was number 1."),
    TALKED[3],
    ("assistant", TOOL),
    ("tool", SECRET),
    TALKED[4],
]
"""What the language model was told of that: it reads its marks of emotions, which nobody else does."""


async def talk(app: App) -> str:
    """A conversation with all that is to be kept; the session's id."""
    session_id = await app.connect()
    await hears(app, "Hello, Ada.")
    await says(app, "Good morning.", "That was number 1.")
    await says(app, "Please look up the lake.", f"It says {SECRET}")
    return session_id


async def goes_on(app: App, house: House, session_id: str, *, before: list[tuple[str, str]] = KNOWN) -> None:
    """The page has the session, and the conversation goes on where it was."""
    assert await app.page.evaluate("() => scene.sessionId") == session_id
    (resumed,) = await app.told("resumed")
    assert [(item["role"], item["content"]) for item in resumed["history"]] == TALKED
    assert resumed["variables"] == {"guest": "Ada"}
    # A greeting would come within a moment; there is nothing else by which to know that none comes.
    await asyncio.sleep(1.0)
    await says(app, "And now?", "That was number 3.")
    assert await captions(app) == [("user", "And now?"), ("avatar", "That was number 3.")]
    assert await history(app) == [*TALKED, ("user", "And now?"), ("assistant", "That was number 3.")]
    system = house.brain.asked[-1][0]
    assert system["role"] == "system"
    assert system["content"].startswith("Guest: Ada\n\n")
    assert house.brain.told == [*before, ("user", "And now?")]


@pytest.mark.browser
@needs_chromium
async def test_a_page_is_left_and_come_back_to(house: House, browser: Browser) -> None:
    async with visiting(browser) as visitor:
        app = await visitor.open(house.server.url)
        await scene(app, house, sessionPersistence="tab")
        session_id = await talk(app)
        await app.page.goto(f"{app.page.url}another-page")
        await until_there(house.server, 0)
        await app.page.go_back()
        await scene(app, house, sessionPersistence="tab")
        assert await app.connect() == session_id
        await goes_on(app, house, session_id)
        # A tab of its own has a session of its own.
        other = await visitor.open(house.server.url)
        await scene(other, house, sessionPersistence="tab")
        assert await other.connect() != session_id
        assert await app.told("disconnected") == []
        await app.page.evaluate("() => scene.disconnect()")
        await other.page.evaluate("() => scene.disconnect()")
    kept = await record(house.server, session_id)
    assert kept["resumptions"] == 1
    assert [entry["state"] for entry in kept["states"]] == 2 * [
        "queued",
        "preparing",
        "connecting",
        "connected",
        "ended",
    ]
    assert kept["counts"]["toolCalls"] == 1
    assert times(kept)["ended"].isoformat() <= kept["endedAt"].replace("Z", "+00:00")


@pytest.mark.browser
@needs_chromium
async def test_of_two_tabs_the_newer_wins_and_the_older_is_told(house: House, browser: Browser) -> None:
    async with visiting(browser) as visitor:
        older = await visitor.open(house.server.url)
        await scene(older, house, sessionPersistence="browser")
        session_id = await talk(older)
        newer = await visitor.open(house.server.url)
        await scene(newer, house, sessionPersistence="browser")
        assert await newer.connect() == session_id
        end = await older.disconnected()
        assert (end.session_id, end.reason, end.code) == (session_id, "normal", "replaced")
        await goes_on(newer, house, session_id)
        # The older one does not fight for it.
        assert await newer.told("disconnected") == []
        assert (await until_reads(house.server, lambda _: True)).samples["visavis_sessions_active"] == 1
        await newer.page.close()
        await until_there(house.server, 0)
        # The older tab may have it again, when its visitor wants to.
        assert await older.connect() == session_id
        await older.page.evaluate("() => scene.disconnect()")


@pytest.mark.browser
@needs_chromium
async def test_a_page_whose_network_is_gone_for_a_while(house: House, browser: Browser) -> None:
    async with visiting(browser) as visitor:
        app = await visitor.open(house.server.url, before=PAGE_THROUGH_NETWORK)
        await scene(app, house)
        session_id = await talk(app)
        await app.page.evaluate("() => told.length = 0")
        # For so long that the client gives up the line that it has.
        async with app.page.expect_event("websocket"):
            house.network.cut()
        assert await app.told("media") == [{"flowing": False}]
        house.network.mend()
        await app.until("() => told.some(([kind, media]) => kind === 'media' && media.flowing)")
        await goes_on(app, house, session_id)
        assert await app.told("disconnected") == []
        assert await app.page.evaluate("() => scene.isConnected()")
        await app.page.evaluate("() => scene.disconnect()")


# In Python.


class Talker:
    """A call in Python, with all that is to be kept."""

    def __init__(self, house: House, *, avatar: str = KEEPING, resume: str = "") -> None:
        async def look_up() -> str:
            return SECRET

        self.resumed: list[Resumed] = []
        self.attempts = 0
        self.call = Call(
            house.network.url,
            license=LICENSE,
            avatar_id=avatar,
            variables={"guest": "Ada"},
            tools=[Tool(TOOL, "Look it up", look_up)],
            resume=resume,
            timeouts=Timeouts(stall=2.0),
            reconnection=Reconnection(attempts=60, longest_delay=1.0),
            on_event=self._note,
        )

    async def talk(self) -> str:
        session_id = await self.call.connect()
        await self.call.idle()
        assert await self.call.ask("Good morning.") == "That was number 1."
        assert await self.call.ask("Please look up the lake.") == f"It says {SECRET}"
        assert self.call.history == tuple(HistoryItem(*said) for said in TALKED)
        return session_id

    async def until_resumed(self, times: int = 1) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.resumed) < times or not self.call.connected:  # noqa: ASYNC110 (the call's own tasks)
                await asyncio.sleep(0.05)

    async def goes_on(self, house: House, session_id: str) -> None:
        assert self.call.session_id == session_id
        assert self.call.disconnection is None
        assert self.resumed[-1].history == tuple(HistoryItem(*said) for said in TALKED)
        assert self.resumed[-1].variables == {"guest": "Ada"}
        assert await self.call.ask("And now?") == "That was number 3."
        assert house.brain.told == [*KNOWN, ("user", "And now?")]

    def _note(self, event: object) -> None:
        if isinstance(event, Resumed):
            self.resumed.append(event)
        self.attempts += isinstance(event, Reconnecting)


async def test_a_network_that_is_gone_for_a_while(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    through_network(monkeypatch)
    talker = Talker(house, avatar=FORGETFUL)
    session_id = await talker.talk()
    house.network.cut()
    async with asyncio.timeout(PATIENCE):
        while not talker.attempts:  # noqa: ASYNC110 (the call's own tasks)
            await asyncio.sleep(0.05)
    assert not talker.call.connected
    house.network.mend()
    await talker.until_resumed()
    await talker.goes_on(house, session_id)
    await talker.call.disconnect()
    assert (await record(house.server, session_id))["resumptions"] == 1


async def test_another_network(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is dead, and says nothing; media finds its way."""
    monkeypatch.setattr("visavis.client.link._PING_SECONDS", 1.0)
    monkeypatch.setattr("visavis.client.link._PONG_SECONDS", 2.0)
    through_network(monkeypatch)
    talker = Talker(house, avatar=FORGETFUL)
    session_id = await talker.talk()
    house.network.change()
    await talker.until_resumed()
    await talker.goes_on(house, session_id)
    await talker.call.disconnect()


async def test_what_is_not_kept_cannot_be_come_back_to(house: House) -> None:
    async def comes_back(token: str) -> bool:
        talker = Talker(house, avatar=FORGETFUL, resume=token)
        try:
            await talker.call.connect()
        except NoSessionToResumeError:
            return False
        assert talker.call.resumed
        await talker.call.disconnect(keep=True)
        return True

    stranger = Talker(house, avatar=FORGETFUL, resume="resume_nonsense")
    with pytest.raises(NoSessionToResumeError) as raised:
        await stranger.call.connect()
    assert (raised.value.name, raised.value.code) == ("noSessionToResume", "no_session_to_resume")
    assert stranger.call.resume_token == "", "it is forgotten"
    for keep in (True, False):
        talker = Talker(house, avatar=FORGETFUL)
        await talker.call.connect()
        await talker.call.disconnect(keep=keep)
        assert await comes_back(talker.call.resume_token) is keep
    # Nor is it kept for longer than it says.
    talker = Talker(house, avatar=FORGETFUL)
    await talker.call.connect()
    await talker.call.disconnect(keep=True)
    await until_there(house.server, 0)
    await asyncio.sleep(RECONNECT + 0.5)
    assert not await comes_back(talker.call.resume_token)


@pytest.mark.browser
@needs_chromium
async def test_a_server_that_is_killed_and_started_again(house: House, browser: Browser) -> None:
    """Everybody comes back to the session as it was, but for the last moment."""
    async with visiting(browser) as visitor:
        app, talker = await visitor.open(house.server.url), Talker(house)
        await scene(app, house)
        page_id = await talk(app)
        await app.page.evaluate("() => told.length = 0")
        talker_id = await talker.talk()
        counting = Caller(house.server.url, LICENSE, avatarId=KEEPING)
        await counting.call()
        await counting.until_state("connecting")
        sent: list[float] = []
        for number in range(60):
            await counting.say({"type": "realtime.session.variables", "data": {"variables": {"number": number}}})
            sent.append(time.monotonic())
            await asyncio.sleep(0.02)
        killed = time.monotonic()
        await house.kill()
        await house.start()

        await talker.until_resumed()
        await talker.goes_on(house, talker_id)
        await app.until("() => told.some(([kind, media]) => kind === 'media' && media.flowing)")
        await goes_on(app, house, page_id)
        assert await app.told("disconnected") == []
        for session_id in (page_id, talker_id):
            kept = (await ask(house.server, f"/v1/sessions/{session_id}")).json()
            assert (kept["status"], kept["resumptions"], kept["counts"]["toolCalls"]) == ("running", 1, 1)
        back, resumed = await comes_back(house, counting.token)
        assert back == counting.session_id
        # 0.3 s are meant; a busy machine is given more.
        assert killed - sent[resumed["variables"]["number"]] < 1.5

        # One that is stopped in order keeps them, too.
        await house.stop()
        assert (await app.disconnected()).code == "normal"
        await house.start()
        back, resumed = await comes_back(house, talker.call.resume_token)
        assert back == talker_id
        assert [item["content"] for item in resumed["items"]][-2:] == ["And now?", "That was number 3."]
        await counting.leave()


async def comes_back(house: House, token: str) -> tuple[str, dict[str, Any]]:
    """The session's id, and what is told of it."""
    async with Caller(house.server.url, LICENSE, avatarId=KEEPING, resume=token) as caller:
        await caller.until(lambda: caller.of("conversation.connected.resumed"))
        return caller.session_id, caller.of("conversation.connected.resumed")[0]
