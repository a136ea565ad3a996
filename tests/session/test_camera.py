"""The visitor's camera as pictures for the language model."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from visavis.language.ports import Image
from visavis.media.peer import CameraFrame
from visavis.session.camera import Camera


def frame(level: int) -> CameraFrame:
    """A grey picture of 64 x 48."""
    picture = np.full((72, 64), 128, np.uint8)
    picture[:48] = level
    return CameraFrame(64, 48, picture)


def level(image: Image) -> int:
    assert image.media_type == "image/jpeg"
    decoded = cv2.imdecode(np.frombuffer(image.data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert decoded.shape == (48, 64)
    return round(float(decoded.mean()), -1)


async def test_frames_that_come_during_an_encoding_are_dropped() -> None:
    shown: list[Image] = []
    gate = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        camera = Camera(pool, shown.append)
        pool.submit(gate.wait)
        for grey in (40, 90, 140):
            camera.take(frame(grey))
            await asyncio.sleep(0.01)
        assert not shown
        gate.set()
        async with asyncio.timeout(10):
            while not shown:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        camera.take(frame(200))
        async with asyncio.timeout(10):
            while len(shown) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await camera.close()
    # Video range: 16 is black, 235 white.
    assert [level(image) for image in shown] == [30, 210]


async def test_a_closed_camera_shows_nothing() -> None:
    shown: list[Image] = []
    gate = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        camera = Camera(pool, shown.append)
        pool.submit(gate.wait)
        camera.take(frame(90))
        await asyncio.sleep(0)
        await camera.close()
        gate.set()
    await asyncio.sleep(0.05)
    assert not shown
