"""Moving pictures and sound like speech, made of nothing: what the media tests send."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from visavis.speech.ports import SPEECH_RATE, Pcm16

LOOP = 100
"""Pictures before the scene repeats: 4 s at 25 fps."""


def _smooth(shape: tuple[int, int], scale: int, seed: int) -> NDArray[np.float32]:
    """Soft noise: random values ``scale`` pixels apart with straight lines between them."""
    rows, columns = shape[0] // scale + 2, shape[1] // scale + 2
    grid = np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)
    y, x = np.arange(shape[0]) / scale, np.arange(shape[1]) / scale
    yi, xi = y.astype(int), x.astype(int)
    yf, xf = (y - yi)[:, None].astype(np.float32), (x - xi)[None].astype(np.float32)
    top = grid[yi][:, xi] * (1 - xf) + grid[yi][:, xi + 1] * xf
    bottom = grid[yi + 1][:, xi] * (1 - xf) + grid[yi + 1][:, xi + 1] * xf
    return top * (1 - yf) + bottom * yf


@lru_cache(maxsize=4)
def portrait(size: int, grain: float = 0.0) -> NDArray[np.uint8]:
    """A talking head on a still background: I420, shape (LOOP, size * 3 // 2, size).

    ``grain`` is the deviation of noise added to each picture anew: a camera's, which takes all bits there are.
    """
    chance = np.random.default_rng(7)
    unit = size / 512
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    still = 90 + 30 * y / size + 6 * _smooth((size, size), max(2, int(40 * unit)), 1)
    wide = size * 2
    skin = 150 + sum(
        w * _smooth((wide, wide), max(2, int(s * unit)), n)
        for n, (w, s) in enumerate(((14, 60), (8, 20), (5, 6), (3, 2)), 2)
    )
    frames = np.full((LOOP, size * 3 // 2, size), 128, np.uint8)
    for index in range(LOOP):
        turn = 2 * np.pi * index / LOOP
        cx, cy = size / 2 + 6 * unit * np.sin(turn), size * 0.45 + 4 * unit * np.sin(2 * turn)
        opened = max(0.0, 0.6 * np.sin(9 * turn) + 0.5 * np.sin(4 * turn)) * 14 * unit
        head = np.clip(8 - 8 * (((x - cx) / (150 * unit)) ** 2 + ((y - cy) / (200 * unit)) ** 2), 0, 1)
        dx, dy = round(size / 2 + cx - size / 2), round(size / 2 + cy - size / 2)
        face = skin[wide // 2 - dy : wide // 2 - dy + size, wide // 2 - dx : wide // 2 - dx + size]
        luma = still * (1 - head) + face * head
        mouth = ((x - cx) / (45 * unit)) ** 2 + ((y - cy - 90 * unit) / (4 * unit + opened)) ** 2 < 1
        luma[mouth] = 45
        lids = 2 if index % 50 < 4 else 9
        for side in (-60, 60):
            eye = ((x - cx - side * unit) / (24 * unit)) ** 2 + ((y - cy + 40 * unit) / (lids * unit)) ** 2 < 1
            luma[eye] = 60
        if grain:
            luma += chance.normal(0, grain, luma.shape)
        frames[index, :size] = np.clip(luma, 16, 235).astype(np.uint8)
    frames.setflags(write=False)
    return frames


class Scene:
    """A ``VideoSource`` of the portrait; ``idle`` shows its first picture only."""

    def __init__(self, size: int = 128, *, fps: float = 25.0, idle: bool = False, grain: float = 0.0) -> None:
        self.width = self.height = size
        self._frames = portrait(size, grain)
        self._fps = fps
        self._idle = idle
        self.poses: list[float] = []

    def pose(self, at: float) -> int:
        self.poses.append(at)
        return 0 if self._idle else round(at * self._fps) % LOOP

    def paint(self, pose: int, frame: NDArray[np.uint8]) -> None:
        frame[:] = self._frames[pose]


def speech(seconds: float, seed: int = 3) -> Pcm16:
    """Voiced syllables with some noise, mono at ``SPEECH_RATE``."""
    chance = np.random.default_rng(seed)
    t = np.arange(round(seconds * SPEECH_RATE)) / SPEECH_RATE
    phase = 2 * np.pi * np.cumsum(120 + 15 * np.sin(2 * np.pi * 0.7 * t)) / SPEECH_RATE
    loud = np.clip(0.6 * np.sin(2 * np.pi * 3.7 * t) + 0.5 * np.sin(2 * np.pi * 1.3 * t + 1), 0, 1)
    voice = sum(np.sin(k * phase) / k for k in range(1, 20)) * loud
    hiss = chance.normal(0, 0.25, t.size) * np.clip(np.sin(2 * np.pi * 2.1 * t), 0, 1) * loud
    mixed = voice + hiss
    return (mixed / np.abs(mixed).max() * 20_000).astype(np.int16)
