import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError

from tests.media import libopus
from tests.media.scene import Scene, speech
from tests.virtual_time import run_virtual
from visavis.media.clock import MediaClock
from visavis.media.congestion import CongestionGuard
from visavis.media.encoder import VideoCodec
from visavis.media.playout import Playout
from visavis.media.track import AudioTrack, VideoTrack


class Inline(Executor):
    """Does the work where it is submitted, so that virtual time stands still meanwhile."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def make_video(clock: MediaClock, scene: Scene | None = None, *, fps: float = 25, rate: int = 250_000) -> VideoTrack:
    guard = CongestionGuard(start=rate, floor=50_000, ceiling=900_000)
    track = VideoTrack(scene or Scene(), clock, Inline(), guard, fps=fps, floor=50_000, ceiling=900_000)
    track.codec = VideoCodec.VP8
    return track


def test_pictures_leave_when_they_are_due() -> None:
    async def scenario() -> None:
        clock = MediaClock()
        track = make_video(clock)
        left: list[float] = []
        stamps: list[int] = []
        for _ in range(50):
            packet = await track.recv()
            left.append(clock.now())
            stamps.append(packet.pts)
        assert stamps == [index * 3600 for index in range(50)]
        assert left == pytest.approx([index / 25 for index in range(50)])
        assert track.sent_until() == pytest.approx(49 / 25)
        assert (track.sent, track.late, track.held, track.keyframes) == (50, 0, 0, 1)
        await track.close()

    run_virtual(scenario())


def test_the_rate_of_pictures_is_a_setting() -> None:
    async def scenario() -> None:
        track = make_video(MediaClock(), fps=30)
        assert [(await track.recv()).pts for _ in range(4)] == [0, 3000, 6000, 9000]
        await track.close()

    run_virtual(scenario())


def test_pictures_are_posed_a_little_ahead_of_their_time() -> None:
    async def scenario() -> None:
        clock = MediaClock()

        class Watched(Scene):
            def pose(self, at: float) -> int:
                early.append(at - clock.now())
                return super().pose(at)

        early: list[float] = []
        track = make_video(clock, Watched())
        for _ in range(20):
            await track.recv()
        assert all(0.02 < ahead < 0.04 for ahead in early[1:])
        await track.close()

    run_virtual(scenario())


def test_after_a_pause_of_the_process_old_pictures_are_skipped() -> None:
    async def scenario() -> None:
        clock = MediaClock()
        track = make_video(clock)
        for _ in range(5):
            await track.recv()
        await asyncio.sleep(3.0)
        packet = await track.recv()
        assert abs(packet.pts / 90_000 - clock.now()) <= 1 / 25 + 1e-6
        assert track.late == packet.pts // 3600 - 5
        await track.close()

    run_virtual(scenario())


def test_keyframes_on_request_are_at_most_two_a_second() -> None:
    async def scenario() -> None:
        track = make_video(MediaClock())
        keyframes: list[float] = []
        for _ in range(100):
            track.request_keyframe()
            before = track.keyframes
            packet = await track.recv()
            if track.keyframes > before:
                keyframes.append(packet.pts / 90_000)
        assert 7 <= len(keyframes) <= 8
        assert min(np.diff(keyframes)) >= 0.5
        assert keyframes[0] == 0.0
        await track.close()

    run_virtual(scenario())


def test_a_request_that_came_too_soon_is_not_forgotten() -> None:
    async def scenario() -> None:
        track = make_video(MediaClock())
        await track.recv()
        track.request_keyframe()
        for _ in range(25):
            await track.recv()
        assert track.keyframes == 2

    run_virtual(scenario())


def test_pictures_wait_while_the_rate_is_exceeded_and_keep_their_time() -> None:
    async def scenario() -> None:
        clock = MediaClock()
        track = make_video(clock, Scene(256, grain=20.0), rate=50_000)
        stamps = [(await track.recv()).pts for _ in range(30)]
        assert track.held > 10
        assert len(track._source.poses) == 30, "a picture that is held back is not painted"  # type: ignore[attr-defined]
        assert abs(stamps[-1] / 90_000 - clock.now()) < 1e-6
        assert all(stamp % 3600 == 0 for stamp in stamps)
        await track.close()

    run_virtual(scenario())


def test_a_source_that_keeps_failing_ends_the_track() -> None:
    class Broken(Scene):
        def paint(self, pose: int, frame: Any) -> None:
            raise ValueError("broken")

    async def scenario() -> None:
        track = make_video(MediaClock(), Broken())
        with pytest.raises(MediaStreamError):
            await track.recv()
        assert track.readyState == "ended"
        assert track.failed > 20

    run_virtual(scenario())


def test_the_codec_is_fixed_once_pictures_are_sent() -> None:
    async def scenario() -> None:
        track = make_video(MediaClock())
        await track.recv()
        track.codec = VideoCodec.VP8
        with pytest.raises(RuntimeError):
            track.codec = VideoCodec.H264
        await track.close()

    run_virtual(scenario())


def test_sound_leaves_every_20_ms_without_gaps() -> None:
    async def scenario() -> None:
        clock = MediaClock()
        playout = Playout(clock)
        track = AudioTrack(playout, clock, Inline())
        playout.append(speech(0.5))
        left: list[float] = []
        stamps: list[int] = []
        for _ in range(50):
            packet = await track.recv()
            stamps.append(packet.pts)
            left.append(clock.now())
        assert stamps == [index * 960 for index in range(50)]
        assert left == pytest.approx([index * 0.02 for index in range(50)])
        assert playout.position == pytest.approx(1.0)
        assert track.sent_until() == pytest.approx(49 * 0.02 - 0.0065), "the codec's delay is told, too"
        await track.close()

    run_virtual(scenario())


def test_a_short_hold_up_is_made_good_and_a_long_one_cut() -> None:
    async def scenario() -> None:
        clock = MediaClock()
        playout = Playout(clock)
        track = AudioTrack(playout, clock, Inline())
        await track.recv()
        await asyncio.sleep(0.5)
        stamps = [(await track.recv()).pts // 960 for _ in range(30)]
        assert stamps == list(range(1, 31)), "half a second of sound is sent in a burst"
        assert track.skipped == 0
        await asyncio.sleep(5.0)
        at = (await track.recv()).pts / 48_000
        assert abs(at - clock.now()) <= 0.02 + 1e-6
        assert track.skipped > 200
        assert playout.position == pytest.approx(at + 0.02), "the playout stays on the clock"
        await track.close()

    run_virtual(scenario())


def test_both_tracks_share_one_origin() -> None:
    async def scenario() -> None:
        clock = MediaClock()
        video, audio = make_video(clock), AudioTrack(Playout(clock), clock, Inline())
        await audio.recv()
        await asyncio.sleep(0.2)
        first = await video.recv()
        assert first.pts / 90_000 == pytest.approx(clock.now())
        await video.close()
        await audio.close()

    run_virtual(scenario())


def test_a_pool_that_was_shut_down_ends_the_track_quietly(pool: Executor) -> None:
    async def scenario() -> None:
        clock = MediaClock()
        track = AudioTrack(Playout(clock), clock, pool)
        pool.shutdown()
        with pytest.raises(MediaStreamError):
            await track.recv()

    run_virtual(scenario())


@pytest.mark.skipif(libopus.find() is None, reason="PyAV brings no libopus of its own")
def test_long_silence_is_not_encoded_and_stays_silent_and_speech_after_it_is_whole() -> None:
    async def scenario() -> None:
        clock = MediaClock()
        playout = Playout(clock)
        track = AudioTrack(playout, clock, Inline())
        sent = speech(1.0)
        playout.append(sent)
        decoder = libopus.Decoder()
        heard: list[np.ndarray] = []
        while clock.now() < 5.0:
            heard.append(decoder.decode(bytes(await track.recv())))
        encoded = track._encoder.encode  # type: ignore[method-assign]

        def forbidden(pcm: np.ndarray, pts: int) -> bytes:
            raise AssertionError("silence that has settled is not encoded")

        track._encoder.encode = forbidden  # type: ignore[method-assign]
        for _ in range(100):
            heard.append(decoder.decode(bytes(await track.recv())))
        track._encoder.encode = encoded  # type: ignore[method-assign]
        assert np.abs(np.concatenate(heard[-200:])).max() <= 8
        at = playout.append(sent)
        start = len(heard)
        while clock.now() < at + 1.2:
            heard.append(decoder.decode(bytes(await track.recv())))
        decoder.close()
        begin = round(at / 0.02)
        first, again = np.concatenate(heard[3:53]), np.concatenate(heard[begin : begin + 50])
        assert np.corrcoef(first, again)[0, 1] > 0.8
        assert not any(np.abs(chunk).max() > 1.3 * np.abs(sent).max() for chunk in heard[start : start + 6])
        await track.close()

    run_virtual(scenario())
