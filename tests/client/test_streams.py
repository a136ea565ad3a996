"""What comes, taken by iterating: bounded, from the time it was asked for, to the call's end."""

import asyncio

import pytest

from tests.client.stage import Grey, Line, Tone, media, nothing_left, scripted, until
from visavis.client import AUDIO_RATE, AudioFrame, Call, VideoFrame
from visavis.client.stream import Stream, Streams


async def test_of_what_nobody_takes_the_oldest_goes() -> None:
    stream = Stream[int](3)
    for number in range(5):
        stream.put(number)
    stream.end()
    stream.put(9)
    assert [number async for number in stream] == [2, 3, 4]
    assert stream.dropped == 2


async def test_who_waits_is_woken_by_an_item_and_by_the_end() -> None:
    stream = Stream[int](3)
    waiting = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    stream.put(1)
    assert await waiting == 1
    waiting = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    stream.end()
    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_a_wait_that_is_cancelled_loses_nothing() -> None:
    stream = Stream[int](3)
    waiting = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    stream.put(1)
    waiting.cancel()
    await asyncio.wait([waiting])
    stream.end()
    assert [number async for number in stream] == [1]


async def test_each_stream_has_what_came_since_it_was_made() -> None:
    streams = Streams[int]()
    first = streams.new(9)
    streams.put(1)
    with streams.new(9) as second:
        streams.put(2)
    streams.put(3)
    streams.end()
    assert [number async for number in first] == [1, 2, 3]
    assert [number async for number in second] == []
    assert [number async for number in streams.new(9)] == []
    assert not streams._open


async def with_media(line: Line) -> None:
    await line.accept()
    async with media(line, Tone(), Grey()):
        await line.begin()
        await line.until_left()


async def test_sound_and_picture_come_as_arrays_until_the_call_ends() -> None:
    async with nothing_left(), scripted(with_media) as place:
        async with Call(place.url, license="x", name="n") as call:
            sound, pictures, idle = call.audio(), call.video(), call.video()
            frame = await anext(sound)
            assert isinstance(frame, AudioFrame)
            assert (frame.pcm.shape, frame.pcm.dtype.name) == ((AUDIO_RATE // 50,), "int16")
            picture = await anext(pictures)
            assert isinstance(picture, VideoFrame)
            assert picture.bgr().shape == picture.rgb().shape == (96, 64, 3)
            assert abs(int(picture.rgb()[50, 30, 0]) - 128) < 8
            await until(lambda: idle.dropped > 2)
        async with asyncio.timeout(5):
            assert len([one async for one in pictures]) <= 5
            assert [one async for one in sound]
            assert len([one async for one in idle]) == 5
