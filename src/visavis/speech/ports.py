"""The ports of hearing and speaking, and the small values that cross them.

Every buffer of sound is mono signed 16-bit numpy; what is heard runs at ``LISTEN_RATE``, what is said at
``SPEECH_RATE``.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visavis.blendshape import ArkitFrame
from visavis.viseme import TimedViseme

Pcm16 = NDArray[np.int16]

LISTEN_RATE = 16_000
"""Hz of sound handed to detectors and recognizers."""

SPEECH_RATE = 24_000
"""Hz of sound that synthesizers hand out (also the wire's rate for the microphone)."""

VAD_FRAME = 512
"""Samples per voice activity decision: 32 ms at ``LISTEN_RATE``."""


class SpeechError(Exception):
    """A speech provider could not do its work; the message is fit for a log and for the operator."""


class VoiceActivityDetector(Protocol):
    """Says how likely a frame is speech. Keeps state: one instance listens to one microphone."""

    def probability(self, frame: Pcm16) -> float:
        """The probability (0–1) that ``frame`` (``VAD_FRAME`` samples) is speech."""
        ...

    def reset(self) -> None:
        """Forget what was heard."""
        ...


class TurnDetector(Protocol):
    """Chooses how long a silence must last to end the user's turn."""

    async def silence(self, audio: Pcm16, text: str) -> float:
        """Seconds of silence to wait for.

        ``audio``: the turn so far (at most its last 8 s); ``text``: its words so far, empty when unknown.
        """
        ...


@dataclass(frozen=True, slots=True)
class RecognitionContext:
    """What a recognizer may know beforehand."""

    language: str = "en"
    """BCP 47 tag."""
    phrases: tuple[str, ...] = ()
    """Sentences that this avatar's visitors are likely to say."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """Words that were understood; empty text when none were."""

    text: str
    confidence: float | None = None


class RecognitionStream(Protocol):
    """One utterance being recognized. End it by ``finish`` or ``cancel``."""

    def push(self, pcm: Pcm16) -> None:
        """Hand over sound as it comes; never blocks, holds at most the recognizer's own bound of it."""
        ...

    async def partial(self) -> str:
        """The words so far; empty where the provider has none before the end."""
        ...

    async def finish(self) -> Transcript:
        """The words of the whole utterance. Raises ``SpeechError`` when the provider failed."""
        ...

    async def cancel(self) -> None:
        """Throw the utterance away. Idempotent, also after ``finish``."""
        ...


class Recognizer(Protocol):
    """Speech to text, shared by all sessions."""

    async def start(self) -> None:
        """Load what is needed; a recognizer that cannot work raises ``SpeechError`` here."""
        ...

    def open(self, context: RecognitionContext) -> RecognitionStream:
        """Begin an utterance."""
        ...

    async def close(self) -> None:
        """Free everything."""
        ...


@dataclass(frozen=True, slots=True)
class Voice:
    """How an avatar sounds. ``name`` is the provider's; one that it does not know gives ``own`` or a default voice."""

    name: str = ""
    language: str = "en"
    rate: float = 1.0
    """1.0 is the provider's normal pace; 0.5–2.0."""
    own: str = ""
    """The avatar's own, where a client has chosen ``name``: clients of other servers choose names of theirs."""

    @property
    def names(self) -> tuple[str, str]:
        """What is looked for, in this order."""
        return self.name, self.own

    def renamed(self, name: str) -> "Voice":
        """Another voice, at a client's wish; where it is not known, this one."""
        return replace(self, name=name, own=self.own or self.name)


@dataclass(frozen=True, slots=True)
class WordMark:
    """The word whose first character is ``text[offset]`` begins ``at`` seconds after the chunk's first sample.

    ``stress``: when the vowel of its stressed syllable begins, likewise, where the provider knows; it may lie behind
    the chunk.
    """

    offset: int
    at: float
    stress: float | None = None


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """A stretch of synthesized sound at ``SPEECH_RATE`` with what is known of its timing.

    Times are seconds from this chunk's first sample. ``visemes`` is None when the provider gives no timing.
    """

    pcm: Pcm16
    visemes: tuple[TimedViseme, ...] | None = None
    words: tuple[WordMark, ...] = ()
    arkit: tuple[ArkitFrame, ...] = ()
    """Frames of the whole face, where the provider gives them; they go before the visemes."""


class Synthesizer(Protocol):
    """Text to speech, shared by all sessions."""

    async def start(self) -> None:
        """Load what is needed; a synthesizer that cannot work raises ``SpeechError`` here."""
        ...

    def synthesize(self, text: str, voice: Voice) -> AsyncIterator[SpeechChunk]:
        """Speak ``text`` (a sentence or two). Closing the iterator stops the work. Raises ``SpeechError``."""
        ...

    async def close(self) -> None:
        """Free everything."""
        ...


class VisemeEstimator(Protocol):
    """Mouth shapes from sound alone, as it streams. Keeps state: one instance per stretch of sound."""

    def push(self, pcm: Pcm16) -> tuple[TimedViseme, ...]:
        """Take sound at ``SPEECH_RATE``; shapes that became certain, in seconds from the first sample ever pushed."""
        ...

    def flush(self) -> tuple[TimedViseme, ...]:
        """The shapes still held back; the estimator is then as new."""
        ...
