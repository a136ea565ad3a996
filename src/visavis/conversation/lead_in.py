"""The silence that a voice begins with: the visitor waits for it, so most of it is left out."""

from dataclasses import replace

import numpy as np

from visavis.speech.ports import SPEECH_RATE, SpeechChunk
from visavis.viseme import Viseme

_QUIET = 330
"""Samples up to this (−40 dB of full scale) are silence."""
_KEPT = 0.02
"""Seconds of silence that stay: an attack is not cut off, and lips have begun to move."""
_LONGEST = 0.3
"""Seconds that are left out at most; a voice that waits longer means it."""


def without_lead_in(chunk: SpeechChunk) -> SpeechChunk:
    """A response's first sound without the silence before it; mouth shapes, weights and words keep their place in it.

    A shape that began in that silence (lips that close for a P) then begins before the chunk.
    """
    loud = np.flatnonzero(np.abs(chunk.pcm[: round((_LONGEST + _KEPT) * SPEECH_RATE)].astype(np.int32)) > _QUIET)
    first = int(loud[0]) if len(loud) else 0
    dropped = max(0, first - round(_KEPT * SPEECH_RATE))
    if not dropped:
        return chunk
    seconds = dropped / SPEECH_RATE
    visemes = None
    if chunk.visemes is not None:
        visemes = tuple(
            viseme.shifted(-seconds)
            for viseme in chunk.visemes
            if viseme.viseme is not Viseme.SIL or viseme.end > seconds
        )
    words = tuple(
        replace(mark, at=max(0.0, mark.at - seconds), stress=mark.stress and max(0.0, mark.stress - seconds))
        for mark in chunk.words
    )
    arkit = tuple(replace(frame, at=frame.at - seconds) for frame in chunk.arkit)
    return SpeechChunk(chunk.pcm[dropped:], visemes, words, arkit)
