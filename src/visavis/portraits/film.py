"""A film with sound of an avatar that speaks a sentence: VP8 and Opus in WebM, which browsers play everywhere."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import soxr  # pyright: ignore[reportMissingTypeStubs]

from visavis.avatar.animation.animator import Animator
from visavis.avatar.animation.tables import HOUSE
from visavis.avatar.face import FaceState
from visavis.avatar.package import AvatarPackage
from visavis.avatar.puppet.renderer import PuppetRenderer
from visavis.avatar.view import View
from visavis.speech.ports import SPEECH_RATE, Pcm16
from visavis.viseme import TimedViseme

RATE: Final = 25
SIDE: Final = 512
LEAD: Final = 0.5
"""Seconds of silence before the first word …"""
TAIL: Final = 1.0
"""… and after the last one."""
MAX_SECONDS: Final = 30.0
_SOUND: Final = 48_000
_PIECE: Final = 960
"""Samples of an Opus frame of 20 ms."""


def write_speaking_film(package: AvatarPackage, pcm: Pcm16, visemes: Sequence[TimedViseme], path: Path) -> None:
    """Write the film of ``pcm`` (``SPEECH_RATE``) spoken with ``visemes`` (seconds from its first sample). Blocks.

    ``SIDE`` × ``SIDE`` pixels at ``RATE`` a second; sound beyond ``MAX_SECONDS`` is left out. Raises ``OSError``.
    """
    spoken = pcm[: int(MAX_SECONDS * SPEECH_RATE)]
    padded = np.concatenate(
        [np.zeros(int(LEAD * SPEECH_RATE), np.int16), spoken, np.zeros(int(TAIL * SPEECH_RATE), np.int16)]
    )
    ends = LEAD + len(spoken) / SPEECH_RATE
    animator = Animator(11, HOUSE.with_overrides(package.manifest.overrides))
    animator.state(FaceState.LISTENING, 0.0)
    animator.state(FaceState.SPEAKING, LEAD - 0.1)
    animator.speak([shape.shifted(LEAD) for shape in visemes if shape.start + LEAD < ends])
    animator.state(FaceState.LISTENING, ends + 0.1)
    renderer = PuppetRenderer(package, View(SIDE, SIDE))
    frame = np.empty((SIDE * 3 // 2, SIDE), np.uint8)
    writing: Any = av.open(str(path), "w", format="webm")  # av.container.OutputContainer
    with writing as container:
        picture = container.add_stream("libvpx", rate=RATE)
        picture.width = picture.height = SIDE
        picture.pix_fmt = "yuv420p"
        picture.bit_rate = 1_200_000
        # Fast enough for one core; more threads wait for each other.
        picture.options = {"deadline": "realtime", "cpu-used": "8"}
        picture.codec_context.thread_count = 1
        # One key frame at the beginning: another one in the middle is seen as a short blur.
        picture.codec_context.gop_size = int(MAX_SECONDS * RATE)
        sound = container.add_stream("libopus", rate=_SOUND, layout="mono")
        sound.bit_rate = 48_000
        pieces = _pieces(padded)
        for index in range(int(len(padded) / SPEECH_RATE * RATE)):
            at = index / RATE
            renderer.paint(animator.frame(at), frame)
            image = av.VideoFrame.from_ndarray(frame, format="yuv420p")
            image.pts, image.time_base = index, Fraction(1, RATE)
            container.mux(picture.encode(image))
            while pieces and pieces[0].pts <= at * _SOUND:
                container.mux(sound.encode(pieces.pop(0)))
        for piece in pieces:
            container.mux(sound.encode(piece))
        container.mux(picture.encode(None))
        container.mux(sound.encode(None))


def _pieces(pcm: Pcm16) -> list[Any]:
    """The sound in frames of 20 ms at 48 kHz (av.AudioFrame)."""
    samples = np.asarray(soxr.resample(pcm, SPEECH_RATE, _SOUND, "MQ"), np.int16)
    samples = np.pad(samples, (0, -len(samples) % _PIECE))
    frames: list[Any] = []
    for start in range(0, len(samples), _PIECE):
        piece = av.AudioFrame.from_ndarray(samples[None, start : start + _PIECE], format="s16", layout="mono")
        piece.sample_rate, piece.pts, piece.time_base = _SOUND, start, Fraction(1, _SOUND)
        frames.append(piece)
    return frames
