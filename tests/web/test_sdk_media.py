"""Picture and sound: new paths through the network, the visitor's camera, sound alone."""

import asyncio

import pytest

from tests.browser import NOTHING, chromium_page, needs_chromium
from tests.web.fake_server import FakeServer, eventually
from tests.web.somebody import begin, hears, make_scene, told

pytestmark = [pytest.mark.browser, needs_chromium]

OFFER = "webrtc.signaling.offer"

VIDEO = """() => { const { videoWidth, srcObject } = document.querySelector("video");
  return [videoWidth, srcObject.getVideoTracks().length, srcObject.getAudioTracks().length]; }"""

FRAMES = "() => document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"


def users(sdp: str) -> set[str]:
    """The ICE user fragments of a description."""
    return {line for line in sdp.splitlines() if line.startswith("a=ice-ufrag")}


async def test_another_network_means_new_paths(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin(browser, server)
        first = server.call.received("webrtc.signaling.answer")[0]["data"]["sdp"]["sdp"]
        await browser.page.evaluate("() => dispatchEvent(new Event('online'))")
        await eventually(lambda: len(server.call.received(OFFER)) == 1)
        again = server.call.received(OFFER)[0]["data"]["sdp"]["sdp"]
        assert users(again)
        assert not users(again) & users(first), "an ICE restart has new credentials"
        await browser.page.wait_for_function("() => held.peers[0].signalingState === 'stable'")
        await browser.page.wait_for_timeout(5000)
        assert len(server.call.received(OFFER)) == 1, "media flows: once is enough"
        assert await told(browser, "disconnected") == []
        assert await browser.page.evaluate("() => scene.isConnected()")
        assert len(server.calls) == 1


async def test_a_line_that_is_dead_without_knowing_it(server: FakeServer) -> None:
    server.states = True
    async with chromium_page() as browser:
        await begin(browser, server)
        server.deaf = True
        await browser.page.evaluate("() => dispatchEvent(new Event('online'))")
        await eventually(lambda: len(server.calls) == 2)
        assert server.call.socket.query_params["resume"] == "token-1"
        await hears(browser, "media", 2)
        assert await told(browser, "media") == [{"flowing": False}, {"flowing": True}]
        assert await told(browser, "disconnected") == []


async def test_a_picture_that_stops_is_told_and_forgotten_when_it_moves_again(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin(browser, server)
        video = next(sender for sender in server.call.peers[0].getSenders() if sender.kind == "video")
        track = video.track
        video.replaceTrack(None)
        assert await hears(browser, "media") == {"flowing": False}
        video.replaceTrack(track)
        assert await hears(browser, "media", 2) == {"flowing": True}


async def test_sound_alone(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin(browser, server, audioOnly=True)
        answer = server.call.received("webrtc.signaling.answer")[0]["data"]["sdp"]["sdp"]
        sections = answer.split("m=")[1:]
        assert [section.split()[0] for section in sections] == ["audio", "video"]
        assert "a=recvonly" in sections[0]
        assert "a=inactive" in sections[1]
        assert await browser.page.evaluate(VIDEO) == [0, 0, 1]
        assert await browser.page.evaluate("() => document.querySelector('video').poster") == ""
        await browser.page.wait_for_timeout(3000)
        assert await told(browser, "media") == []
        await browser.page.evaluate("() => scene.disconnect()")
        assert await browser.held() == NOTHING


async def test_sound_alone_needs_no_element(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin(browser, server, audioOnly=True, videoElement=None)
        assert await browser.page.evaluate("() => scene.isConnected()")
        assert await browser.page.evaluate("() => document.querySelector('video').srcObject") is None


class TestCamera:
    """The visitor is seen."""

    async def test_from_the_start(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await begin(browser, server, requestedMediaDevices={"microphone": True, "camera": True})
            assert await browser.page.evaluate("() => [scene.microphoneOn, scene.cameraOn]") == [True, True]
            await eventually(lambda: len(server.call.received(OFFER)) == 1)
            receiver = server.call.peers[0].getReceivers()[1]
            frame = await asyncio.wait_for(receiver.track.recv(), 20)
            assert frame.width > 0
            assert await told(browser, "notice") == []
            await browser.page.evaluate("() => scene.disconnect()")
            assert await browser.held() == NOTHING

    async def test_in_the_middle_on_and_off(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await begin(browser, server)
            assert await browser.page.evaluate("() => scene.setCamera(true)") is True
            assert (await browser.held()).tracks == 2
            assert await browser.page.evaluate("() => scene.cameraStream.getVideoTracks().length") == 1
            receiver = server.call.peers[0].getReceivers()[1]
            assert (await asyncio.wait_for(receiver.track.recv(), 20)).width > 0
            frames = await browser.page.evaluate(FRAMES)
            await browser.page.wait_for_function(f"(frames) => ({FRAMES})() > frames + 10", arg=frames)
            assert await browser.page.evaluate("() => scene.setCamera(false)") is False
            assert (await browser.held()).tracks == 1, "its light is out"
            await eventually(lambda: len(server.call.received(OFFER)) == 2)
            assert await browser.page.evaluate("() => [scene.cameraOn, scene.cameraStream]") == [False, None]

    async def test_an_avatar_that_does_not_look(self, server: FakeServer) -> None:
        server.looks = False
        async with chromium_page() as browser:
            await begin(browser, server)
            assert await browser.page.evaluate("() => scene.setCamera(true)") is False
            assert await hears(browser, "notice") == "This avatar does not look at the camera."
            assert await browser.page.evaluate("() => scene.cameraOn") is False
            assert (await browser.held()).tracks == 1

    async def test_it_is_shown_again_after_a_lost_line(self, server: FakeServer) -> None:
        server.states = True
        async with chromium_page() as browser:
            await begin(browser, server)
            assert await browser.page.evaluate("() => scene.setCamera(true)") is True
            server.cut()
            await eventually(lambda: len(server.calls) == 2 and len(server.call.received(OFFER)) == 1)
            receiver = server.call.peers[0].getReceivers()[1]
            assert (await asyncio.wait_for(receiver.track.recv(), 20)).width > 0

    async def test_a_browser_that_refuses_it(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await make_scene(browser, server)
            await browser.page.evaluate("() => scene.connect()")
            await browser.page.evaluate(
                """() => {
                  navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", "NotAllowedError"); };
                }"""
            )
            found = await browser.page.evaluate("() => scene.setCamera(true).catch(({ name, code }) => [name, code])")
            assert found == ["noUserMedia", "permission_denied"]
