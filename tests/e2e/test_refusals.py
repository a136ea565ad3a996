"""Every refusal of the real server is accepted, told, then closed."""

import os
from pathlib import Path

import pytest

from tests.e2e.conftest import nobody_there, visit
from visavis.avatar.catalogue import EMBEDDED
from visavis.bench.server_process import ServerProcess
from visavis.client import Call, CallClosed, CallRefused, CallUnreachable
from visavis.client.directory import list_avatars

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refused(server: ServerProcess, **options: str) -> CallRefused:
    given = {"license": server.license, "avatar_id": "vera"} | options
    with pytest.raises(CallRefused) as caught:
        async with Call(server.url, **given):
            pass
    return caught.value


async def test_a_wrong_license(server: ServerProcess) -> None:
    why = await refused(server, license="wrong")
    assert why.kind == "conversation.connected.fail"
    assert "license" in str(why).lower()
    with pytest.raises(CallRefused):
        await list_avatars(server.url, "wrong")


async def test_an_unknown_avatar(server: ServerProcess) -> None:
    assert "avatar" in str(await refused(server, avatar_id="nobody"))


async def test_no_avatar_named(server: ServerProcess) -> None:
    assert "avatarId" in str(await refused(server, avatar_id=""))


async def test_no_server() -> None:
    with pytest.raises(CallUnreachable):
        async with Call("http://127.0.0.1:9", license="x", name="y"):
            pass


async def test_no_slot_and_a_license_limit_and_room_again(tmp_path: Path) -> None:
    settings = tmp_path / "visavis.toml"
    settings.write_text(
        '[session]\nmax_sessions = 2\n[[licenses]]\nkey = "one"\nname = "One"\nmax_sessions = 1\n'
        '[[licenses]]\nkey = "two"\nname = "Two"\n'
    )
    async with ServerProcess(["--config", str(settings)], environment={"VISAVIS_LICENSE": ""}) as process:
        async with Call(process.url, license="one", avatar_id="vera"):
            assert (await refused(process, license="one")).kind == "conversation.connected.connection_limit_exceeded"
            async with Call(process.url, license="two", avatar_id="vera"):
                assert (await refused(process, license="two")).kind == "conversation.connected.gpu_full"
        await nobody_there(process)
        async with Call(process.url, license="two", avatar_id="vera") as call:
            await call.wait_ready()


async def test_the_newest_of_two_avatars_of_one_name_and_a_warning(tmp_path: Path) -> None:
    for number, folder in enumerate(("older", "newer")):
        (tmp_path / folder).mkdir()
        file = tmp_path / folder / "avatar.toml"
        file.write_text('name = "Twin"\npackage = "vera"\n')
        os.utime(file, (2_000_000_000 + number, 2_000_000_000 + number))
    assert (EMBEDDED / "vera").is_dir()
    async with (
        ServerProcess(["--avatars", str(tmp_path)]) as process,
        Call(process.url, license=process.license, name="Twin") as call,
    ):
        await call.wait_ready()
        event = [event async for event in _first(call, 2)][1]
        assert event.type == "conversation.connected.warning"
        assert event.data["avatarId"] == "newer"
        assert event.message["message"]


async def test_media_that_does_not_come_up_ends_the_call(tmp_path: Path) -> None:
    settings = tmp_path / "visavis.toml"
    settings.write_text("[session]\nmedia_timeout = 1.0\n")
    async with ServerProcess(["--config", str(settings)]) as process:
        call = Call(process.url, license=process.license, avatar_id="vera")

        async def no_answer(sdp: str, servers: object) -> str:
            del sdp, servers
            return "v=0\r\n"

        call._receiver.answer = no_answer  # type: ignore[method-assign, assignment]
        async with call:
            kinds = [event.type async for event in call.events()]
        assert kinds[-1] == "conversation.connected.fail"
        assert isinstance(call.over, CallClosed)


async def test_a_hang_up_gives_the_slot_back(server: ServerProcess) -> None:
    async with visit(server):
        assert (await server.read()).samples["visavis_sessions_active"] == 1
    await nobody_there(server)


async def _first(call: Call, count: int):  # type: ignore[no-untyped-def]
    async for event in call.events():
        yield event
        count -= 1
        if not count:
            return
