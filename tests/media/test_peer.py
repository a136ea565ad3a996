import asyncio
import gc
import threading
import time
import weakref
from concurrent.futures import Executor

import aioice.ice
import numpy as np
import psutil
import pytest
from aiortc.mediastreams import VideoStreamTrack

from tests.media.relay import Relay
from tests.media.scene import Scene, portrait, speech
from tests.media.visitor import VP8_ONLY, Call, calling, eventually
from visavis.media.encoder import available
from visavis.media.peer import CameraFrame, PeerError, PeerSettings, PeerState, VideoCodec
from visavis.speech.ports import SPEECH_RATE

BOTH = (VideoCodec.H264, VideoCodec.VP8)


def sections(sdp: str) -> list[list[str]]:
    return [("m=" + part).splitlines() for part in sdp.split("m=")[1:]]


async def test_the_offer_has_the_form_that_clients_need(pool: Executor) -> None:
    call = Call(pool)
    try:
        offer = await call.peer.offer()
    finally:
        await call.close()
    assert offer.endswith("\r\n")
    assert "\n" not in offer.replace("\r\n", "")
    audio, video = sections(offer)
    assert audio[0].startswith("m=audio")
    assert video[0].startswith("m=video")
    streams = set()
    for section in (audio, video):
        assert "a=sendonly" in section
        assert any(line.startswith("a=candidate") for line in section)
        (msid,) = [line for line in section if line.startswith("a=msid:")]
        streams.add(msid.split(":")[1].split()[0])
    assert len(streams) == 1, "sound and picture in one stream"
    assert "a=group:BUNDLE 0 1" in offer
    assert [line for line in audio if "rtpmap" in line] == ["a=rtpmap:96 opus/48000/2"]


@pytest.mark.skipif(not available(VideoCodec.H264), reason="PyAV has no x264")
async def test_codecs_are_offered_in_order_constrained_baseline_first(pool: Executor) -> None:
    for codecs, names in (
        (BOTH, ["H264", "rtx", "H264", "rtx", "VP8", "rtx"]),
        (BOTH[::-1], ["VP8", "rtx", "H264", "rtx", "H264", "rtx"]),
        (VP8_ONLY, ["VP8", "rtx"]),
    ):
        call = Call(pool, codecs=codecs)
        offer = await call.peer.offer()
        await call.close()
        assert [line.split()[1].split("/")[0] for line in sections(offer)[1] if "rtpmap" in line] == names
        profiles = [line.split("profile-level-id=")[1] for line in offer.splitlines() if "profile-level-id" in line]
        assert profiles in ([], ["42e01f", "42001f"])


@pytest.mark.parametrize("codec", [codec for codec in BOTH if available(codec)])
async def test_picture_and_sound_arrive(pool: Executor, codec: VideoCodec) -> None:
    async with calling(pool, codecs=(codec,)) as call:
        sent = speech(1.0)
        call.playout.append(sent)
        (first,) = await call.visitor.frames("video", 1)
        picture = first.to_ndarray()[:128]
        error = np.abs(picture.astype(int) - portrait(128)[0][:128])
        assert error.mean() < 6, "the first frame is decoded and shows the scene's first picture"
        heard = np.concatenate([f.to_ndarray()[0][::2] for f in await call.visitor.frames("audio", 60)])
        assert np.abs(heard[: 48 * 50]).max() < 500
        assert np.abs(heard).max() > 8000
        assert call.peer.stats().codec is codec


async def test_a_client_that_wants_no_picture_hears_the_sound(pool: Executor) -> None:
    call = Call(pool, codecs=VP8_ONLY)
    try:
        answer = await call.visitor.take(await call.peer.offer(), picture=False)
        assert "a=inactive" in answer
        await call.peer.answer(answer)
        await call.reaches(PeerState.CONNECTED)
        call.playout.append(speech(1.0))
        heard = np.concatenate([f.to_ndarray()[0][::2] for f in await call.visitor.frames("audio", 60)])
        assert np.abs(heard).max() > 8000
        assert call.peer.stats().frames_sent == 0
    finally:
        await call.close()


async def test_the_clients_choice_decides_the_codec(pool: Executor) -> None:
    call = Call(pool, codecs=BOTH)
    try:
        offer = await call.peer.offer()
        lines = offer.splitlines()
        drop = {line.split(":")[1].split()[0] for line in lines if "rtpmap" in line and "H264" in line}
        kept = [line for line in lines if not any(f":{pt} " in line for pt in drop)]
        media = next(n for n, line in enumerate(kept) if line.startswith("m=video"))
        kept[media] = " ".join(part for part in kept[media].split() if part not in drop)
        await call.peer.answer(await call.visitor.take("\r\n".join(kept) + "\r\n"))
        await call.reaches(PeerState.CONNECTED)
        await call.visitor.frames("video", 3)
        assert call.peer.stats().codec is VideoCodec.VP8
    finally:
        await call.close()


async def test_timestamps_have_no_gaps(pool: Executor) -> None:
    async with calling(pool, codecs=VP8_ONLY) as call:
        sound, pictures = await asyncio.gather(call.visitor.frames("audio", 60), call.visitor.frames("video", 30))
    assert set(np.diff([frame.pts for frame in sound])) == {960}
    steps = np.diff([frame.pts for frame in pictures])
    assert set(steps % 3600) == {0}
    assert np.median(steps) == 3600


async def test_states_are_told_in_order(pool: Executor) -> None:
    told: list[PeerState] = []
    call = Call(pool, codecs=VP8_ONLY, on_state=told.append)
    assert call.peer.state is PeerState.NEW
    await call.connect()
    await call.close()
    assert told == [PeerState.CONNECTING, PeerState.CONNECTED, PeerState.CLOSED]


async def test_nothing_is_posed_or_pulled_before_media_flows(pool: Executor) -> None:
    scene = Scene()
    call = Call(pool, scene, codecs=VP8_ONLY)
    try:
        offer = await call.peer.offer()
        await asyncio.sleep(0.3)
        assert not call.clock.started
        assert not scene.poses
        assert call.playout.position == 0
        await call.peer.answer(await call.visitor.take(offer))
        await call.reaches(PeerState.CONNECTED)
        await call.visitor.frames("video", 2)
        assert scene.poses[0] == 0.0
    finally:
        await call.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda sdp: "", "empty"),
        (lambda sdp: sdp[: len(sdp) // 3], "."),
        (lambda sdp: sdp.replace("opus/48000/2", "speex/16000"), "audio codec"),
        (lambda sdp: sdp.replace("VP8", "VP10").replace("H264", "H999"), "video codec"),
        (lambda sdp: sdp.replace("m=video", "m=application"), "sections"),
        (lambda sdp: sdp.replace("a=recvonly", "a=inactive"), "receive"),
        (lambda sdp: sdp.replace("a=setup:active", "a=setup:actpass"), "does not fit"),
        (lambda sdp: sdp[: sdp.index("m=video")], "sections"),
    ],
)
async def test_a_bad_answer_is_explained_and_a_good_one_still_works(pool: Executor, change, message) -> None:  # type: ignore[no-untyped-def]
    call = Call(pool, codecs=VP8_ONLY)
    try:
        answer = await call.visitor.take(await call.peer.offer())
        with pytest.raises(PeerError, match=message):
            await call.peer.answer(change(answer))
        await call.peer.answer(answer)
        await call.reaches(PeerState.CONNECTED)
    finally:
        await call.close()


async def test_negotiation_at_the_wrong_time_is_explained(pool: Executor) -> None:
    call = Call(pool, codecs=VP8_ONLY)
    answer = await call.visitor.take(await call.peer.offer())
    with pytest.raises(PeerError, match="not been answered"):
        await call.peer.accept_offer(answer)
    await call.peer.answer(answer)
    await call.reaches(PeerState.CONNECTED)
    with pytest.raises(PeerError, match="wrong time"):
        await call.peer.answer(answer)
    await call.close()
    with pytest.raises(PeerError):
        await call.peer.offer()
    with pytest.raises(PeerError):
        await call.peer.answer(answer)
    await call.peer.add_candidate("candidate:1 1 udp 1 192.0.2.1 5000 typ host")


async def test_a_client_that_never_answers_ice_fails_in_time(pool: Executor) -> None:
    call = Call(pool, codecs=VP8_ONLY, connect_timeout=0.5)
    try:
        answer = await call.visitor.take(await call.peer.offer())
        await call.visitor.close()
        await call.peer.answer(answer)
        await call.reaches(PeerState.FAILED, within=3)
    finally:
        await call.close()


async def test_silence_of_the_client_is_noticed_within_seconds_and_so_is_its_return(pool: Executor) -> None:
    relay = Relay()
    call = Call(pool, codecs=VP8_ONLY, lost_after=2.0)
    try:
        answer = await call.visitor.take(await relay.through(await call.peer.offer()))
        await call.peer.answer("\r\n".join(line for line in answer.splitlines() if "candidate" not in line) + "\r\n")
        await call.reaches(PeerState.CONNECTED)
        draining = call.visitor.drain()
        await asyncio.sleep(3)
        assert call.peer.state is PeerState.CONNECTED
        relay.up.loss = relay.down.loss = 1.0
        await call.reaches(PeerState.LOST, within=4)
        relay.up.loss = relay.down.loss = 0.0
        await call.reaches(PeerState.CONNECTED, within=4)
        for task in draining:
            task.cancel()
    finally:
        await call.close()
        relay.close()


async def test_a_client_that_stays_away_fails(pool: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.2)
    relay = Relay()
    call = Call(pool, codecs=VP8_ONLY, lost_after=1.0)
    try:
        answer = await call.visitor.take(await relay.through(await call.peer.offer()))
        await call.peer.answer("\r\n".join(line for line in answer.splitlines() if "candidate" not in line) + "\r\n")
        await call.reaches(PeerState.CONNECTED)
        relay.up.loss = relay.down.loss = 1.0
        await call.reaches(PeerState.FAILED, within=15)
    finally:
        await call.close()
        relay.close()


async def test_a_client_that_hangs_up_is_closed(pool: Executor) -> None:
    async with calling(pool, codecs=VP8_ONLY) as call:
        await call.visitor.frames("video", 2)
        await call.visitor.close()
        await call.reaches(PeerState.CLOSED, within=5)


async def test_a_source_that_fails_costs_frames_not_the_call(pool: Executor) -> None:
    class Failing(Scene):
        painted = 0

        def paint(self, pose, frame) -> None:  # type: ignore[no-untyped-def]
            self.painted += 1
            if 5 <= self.painted < 8:
                raise OSError("no paint")
            super().paint(pose, frame)

    async with calling(pool, Failing(), codecs=VP8_ONLY) as call:
        await call.visitor.frames("video", 12)
        stats = call.peer.stats()
        assert stats.frames_failed == 3
        assert stats.frames_skipped >= 3


async def test_a_slow_source_loses_frames_and_keeps_time(pool: Executor) -> None:
    class Slow(Scene):
        def paint(self, pose, frame) -> None:  # type: ignore[no-untyped-def]
            time.sleep(0.11)
            super().paint(pose, frame)

    async with calling(pool, Slow(), codecs=VP8_ONLY) as call:
        frames = await call.visitor.frames("video", 12)
        assert call.peer.stats().frames_late > 10
        steps = np.diff([frame.pts for frame in frames]) / 3600
        assert steps.min() >= 2, "late pictures are left out"
        assert abs(call.clock.now() - frames[-1].pts / 90_000) < 1.0, "what is shown is not old"


async def test_an_offer_of_the_client_is_answered_and_media_goes_on(pool: Executor) -> None:
    async with calling(pool, codecs=VP8_ONLY) as call:
        await call.visitor.frames("video", 3)
        answer = await call.peer.accept_offer(await call.visitor.offer())
        assert answer.endswith("\r\n")
        assert answer.count("a=sendonly") == 2
        await call.visitor.took(answer)
        before = call.peer.stats().frames_sent
        await call.visitor.frames("video", 5)
        assert call.peer.stats().frames_sent > before
        assert call.peer.state is PeerState.CONNECTED


async def test_a_camera_is_received_and_handed_on_now_and_then(pool: Executor) -> None:
    seen: list[CameraFrame] = []
    async with calling(pool, codecs=VP8_ONLY, on_camera=seen.append, camera_interval=0.5) as call:
        await call.visitor.frames("video", 2)
        call.visitor.connection.addTransceiver(VideoStreamTrack(), direction="sendonly")
        answer = await call.peer.accept_offer(await call.visitor.offer())
        assert "a=recvonly" in answer
        await call.visitor.took(answer)
        draining = call.visitor.drain()
        await eventually(lambda: len(seen) >= 3, within=10)
        stats = call.peer.stats()
        assert stats.camera_frames > len(seen), "most frames are dropped"
        assert seen[0].picture.shape == (seen[0].height * 3 // 2, seen[0].width)
        assert seen[0].picture.dtype == np.uint8
        assert stats.frames_sent > 20, "the avatar goes on"
        for task in draining:
            task.cancel()


async def test_a_camera_in_the_section_of_the_avatars_picture_is_received_too(pool: Executor) -> None:
    """What a browser's ``addTrack`` does: the section it receives in becomes sendrecv."""
    seen: list[CameraFrame] = []
    async with calling(pool, codecs=VP8_ONLY, on_camera=seen.append, camera_interval=0.2) as call:
        await call.visitor.frames("video", 2)
        transceiver = call.visitor.connection.getTransceivers()[1]
        transceiver.sender.replaceTrack(VideoStreamTrack())
        transceiver.direction = "sendrecv"
        answer = await call.peer.accept_offer(await call.visitor.offer())
        assert "a=sendrecv" in answer
        await call.visitor.took(answer)
        await eventually(lambda: seen, within=10)


async def test_a_camera_nobody_wants_is_declined(pool: Executor) -> None:
    async with calling(pool, codecs=VP8_ONLY) as call:
        await call.visitor.frames("video", 2)
        call.visitor.connection.addTransceiver(VideoStreamTrack(), direction="sendonly")
        threads = threading.active_count()
        answer = await call.peer.accept_offer(await call.visitor.offer())
        assert "a=inactive" in answer
        await call.visitor.took(answer)
        await call.visitor.frames("video", 3)
        assert threading.active_count() <= threads


async def test_an_offer_that_drops_the_call_is_refused(pool: Executor) -> None:
    async with calling(pool, codecs=VP8_ONLY) as call:
        offer = await call.visitor.offer()
        with pytest.raises(PeerError, match="keep the sections"):
            await call.peer.accept_offer(offer[: offer.index("m=video")])
        with pytest.raises(PeerError):
            await call.peer.accept_offer("nonsense")
        await call.visitor.frames("video", 3)


async def test_close_leaves_no_task_socket_or_thread(pool: Executor) -> None:
    async with calling(pool, codecs=VP8_ONLY):
        """The pool's threads and the loop's own sockets exist from here on."""
    await asyncio.sleep(0.1)
    process = psutil.Process()

    def threads() -> list[str]:
        """Those of no pool: a pool keeps its threads."""
        return [t.name for t in threading.enumerate() if not t.name.startswith(("asyncio_", "render"))]

    tasks, files, before = asyncio.all_tasks(), process.num_fds(), threads()
    seen: list[CameraFrame] = []
    for _ in range(3):
        seen.clear()
        async with calling(pool, codecs=BOTH, on_camera=seen.append) as call:
            await call.visitor.frames("video", 2)
            call.visitor.connection.addTransceiver(VideoStreamTrack(), direction="sendonly")
            await call.visitor.took(await call.peer.accept_offer(await call.visitor.offer()))
            await eventually(lambda: seen, within=5)
    await eventually(lambda: not asyncio.all_tasks() - tasks)
    await eventually(lambda: process.num_fds() <= files)
    await eventually(lambda: threads() == before)


async def test_close_before_an_answer_and_twice(pool: Executor) -> None:
    call = Call(pool)
    await call.peer.offer()
    await call.peer.close()
    await call.peer.close()
    assert call.peer.state is PeerState.CLOSED
    untouched = Call(pool)
    await untouched.close()
    assert untouched.peer.state is PeerState.CLOSED
    await call.visitor.close()


async def test_close_while_connecting(pool: Executor) -> None:
    call = Call(pool)
    await call.peer.answer(await call.visitor.take(await call.peer.offer()))
    await asyncio.sleep(0)
    await call.close()
    await eventually(lambda: len(asyncio.all_tasks()) == 1, within=5)


async def test_close_releases_who_waits_for_the_sound(pool: Executor) -> None:
    async with calling(pool, codecs=VP8_ONLY) as call:
        call.playout.append(np.zeros(SPEECH_RATE * 60, np.int16))
        waiting = asyncio.create_task(call.playout.wait_until(50))
        await asyncio.sleep(0)
    async with asyncio.timeout(1):
        await waiting


async def test_close_frees_everything_without_a_collection(pool: Executor) -> None:
    """A collection would hold up every other session; so nothing may be left to it."""
    call = Call(pool, codecs=BOTH)
    await call.connect()
    await call.visitor.frames("video", 2)
    peer = call.peer
    transport = peer._senders[0].receiver.transport
    kept = (peer, peer._connection, peer._audio, peer._video, peer._senders[1].sender, transport, transport.transport)
    gone = [weakref.ref(thing) for thing in kept]
    gc.collect()
    gc.disable()
    try:
        await call.close()
        del call, peer, kept, transport
        await eventually(lambda: all(ref() is None for ref in gone), within=3)
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "wrong",
    [
        {"fps": 0},
        {"fps": 120},
        {"min_bitrate": 300_000, "start_bitrate": 250_000},
        {"codecs": ()},
        {"ports": (9, 3)},
        {"bind": ("nowhere",)},
        {"public_address": "example"},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        PeerSettings(**wrong)  # type: ignore[arg-type]
