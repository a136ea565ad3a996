"""The visitor's camera: its frames become pictures for the language model."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

import cv2

from visavis.language.ports import Image
from visavis.media.peer import CameraFrame
from visavis.tasks import Tasks


class Camera:
    """Gives ``show`` the frames as JPEG, encoded in ``pool``. Those that come during an encoding are dropped."""

    def __init__(self, pool: Executor, show: Callable[[Image], None]) -> None:
        self._pool = pool
        self._show = show
        self._tasks = Tasks()

    def take(self, frame: CameraFrame) -> None:
        """Another frame, of any size."""
        if not len(self._tasks):
            self._tasks.spawn(self._encode(frame))

    async def close(self) -> None:
        """Show nothing more."""
        await self._tasks.close()

    async def _encode(self, frame: CameraFrame) -> None:
        self._show(await asyncio.get_running_loop().run_in_executor(self._pool, _jpeg, frame))


def _jpeg(frame: CameraFrame) -> Image:
    picture = cv2.cvtColor(frame.picture, cv2.COLOR_YUV2BGR_I420)
    return Image("image/jpeg", cv2.imencode(".jpg", picture)[1].tobytes())
