"""Every refusal of the real server is accepted, told, then closed."""

import os
from pathlib import Path

import pytest

from tests.e2e.conftest import nobody_there, visit
from visavis.avatar.catalogue import EMBEDDED
from visavis.bench.server_process import ServerProcess
from visavis.client import (
    Call,
    CallError,
    Event,
    MediaStreamFailedError,
    Message,
    NoSceneError,
    Notice,
    ServerConnectionFailedError,
    list_avatars,
)
from visavis.client.media import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refused(server: ServerProcess, **options: str) -> CallError:
    given = {"license": server.license, "avatar_id": "vera"} | options
    with pytest.raises(CallError) as caught:
        async with Call(server.url, **given):
            pass
    return caught.value


async def test_a_wrong_license(server: ServerProcess) -> None:
    why = await refused(server, license="wrong")
    assert isinstance(why, ServerConnectionFailedError)
    assert why.code == "invalid_license"
    assert "license" in str(why).lower()
    with pytest.raises(ServerConnectionFailedError):
        await list_avatars(server.url, "wrong")


async def test_an_unknown_avatar(server: ServerProcess) -> None:
    why = await refused(server, avatar_id="nobody")
    assert isinstance(why, NoSceneError)
    assert "avatar" in str(why)


async def test_no_avatar_named(server: ServerProcess) -> None:
    assert "avatarId" in str(await refused(server, avatar_id=""))


async def test_no_server() -> None:
    with pytest.raises(ServerConnectionFailedError):
        async with Call("http://127.0.0.1:9", license="x", name="y"):
            pass


async def test_no_slot_and_a_license_limit_and_room_again(tmp_path: Path) -> None:
    settings = tmp_path / "visavis.toml"
    settings.write_text(
        '[session]\nmax_sessions = 2\nqueue_size = 0\n[[licenses]]\nkey = "one"\nname = "One"\nmax_sessions = 1\n'
        '[[licenses]]\nkey = "two"\nname = "Two"\n'
    )
    async with ServerProcess(["--config", str(settings)], environment={"VISAVIS_LICENSE": ""}) as process:
        async with Call(process.url, license="one", avatar_id="vera"):
            assert (await refused(process, license="one")).code == "license_limit"
            async with Call(process.url, license="two", avatar_id="vera"):
                assert (await refused(process, license="two")).code == "no_slot"
        await nobody_there(process)
        async with Call(process.url, license="two", avatar_id="vera") as call:
            assert call.connected


async def test_the_newest_of_two_avatars_of_one_name_and_a_warning(tmp_path: Path) -> None:
    for number, folder in enumerate(("older", "newer")):
        (tmp_path / folder).mkdir()
        file = tmp_path / folder / "avatar.toml"
        file.write_text('name = "Twin"\npackage = "vera"\n')
        os.utime(file, (2_000_000_000 + number, 2_000_000_000 + number))
    assert (EMBEDDED / "vera").is_dir()
    messages: list[Message] = []
    async with ServerProcess(["--avatars", str(tmp_path)]) as process:
        told: list[Event] = []
        async with Call(
            process.url,
            license=process.license,
            name="Twin",
            on_message=messages.append,
            on_event=told.append,
        ):
            assert [event.message for event in told if isinstance(event, Notice)]
    warning = messages[1]
    assert warning.type == "conversation.connected.warning"
    assert warning.data["avatarId"] == "newer"
    assert warning.body["message"]


async def test_media_that_does_not_come_up_ends_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "visavis.toml"
    settings.write_text("[session]\nmedia_timeout = 1.0\n")
    async with ServerProcess(["--config", str(settings)]) as process:

        async def no_answer(self: Receiver, sdp: str, servers: object) -> str:
            del self, sdp, servers
            return "v=0\r\n"

        monkeypatch.setattr(Receiver, "answer", no_answer)
        with pytest.raises(MediaStreamFailedError) as raised:
            await Call(process.url, license=process.license, avatar_id="vera").connect()
        assert raised.value.code == "media_failed"


async def test_a_hang_up_gives_the_slot_back(server: ServerProcess) -> None:
    async with visit(server):
        assert (await server.read()).samples["visavis_sessions_active"] == 1
    await nobody_there(server)
