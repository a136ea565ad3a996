import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.speech.utterances import Utterance, agreement, labels, speak
from visavis.speech.acoustics import BANDS, HOP, LogMelStream, log_mel
from visavis.speech.estimator import LOOK_AHEAD, NetVisemeEstimator
from visavis.speech.flite import FliteSynthesizer, flite_installed
from visavis.speech.ports import LISTEN_RATE, SPEECH_RATE, Pcm16, Voice
from visavis.viseme import TimedViseme, Viseme

SENTENCES = (
    "Please bring me a big bowl of soup.",
    "We have fourteen rooms with a view of the mountains.",
    "Bob moved his piano to the basement.",
)


def estimate(pcm: Pcm16, piece: int = 480) -> tuple[TimedViseme, ...]:
    estimator = NetVisemeEstimator()
    shapes = [shape for start in range(0, len(pcm), piece) for shape in estimator.push(pcm[start : start + piece])]
    return (*shapes, *estimator.flush())


def tone(seconds: float) -> Pcm16:
    return (8000 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * SPEECH_RATE)) / SPEECH_RATE)).astype(np.int16)


async def spoken(voice: str) -> list[Utterance]:
    flite = FliteSynthesizer()
    await flite.start()
    try:
        return [await speak(flite, text, Voice(voice)) for text in SENTENCES]
    finally:
        await flite.close()


@pytest.mark.skipif(not flite_installed(), reason="libflite1 is not installed")
async def test_the_net_sees_the_mouth_of_a_voice_that_it_never_heard() -> None:
    for said in await spoken("rms"):
        seen = estimate(said.pcm)
        # Fifteen shapes: guessing the most frequent one gives about 0.15.
        assert agreement(seen, said.visemes, said.duration) > 0.4
        truth, guess = labels(said.visemes, said.duration), labels(seen, said.duration)
        closed = truth == Viseme.PP
        assert (guess[closed] == Viseme.PP).mean() > 0.35
        assert (guess[~closed] == Viseme.PP).mean() < 0.15
        silent = truth == Viseme.SIL
        assert (guess[silent] == Viseme.SIL).mean() > 0.5


def test_silence_is_a_mouth_at_rest() -> None:
    shapes = estimate(np.zeros(SPEECH_RATE, np.int16))
    assert {shape.viseme for shape in shapes} == {Viseme.SIL}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 6000), st.integers(1, 3000))
def test_shapes_cover_the_sound_without_gaps(length: int, piece: int) -> None:
    pcm = tone(0.25)[:length]
    shapes = estimate(pcm, piece)
    if length == 0:
        assert shapes == ()
        return
    at = 0.0
    for shape in shapes:
        assert shape.start == pytest.approx(at, abs=1e-9)
        assert shape.end > shape.start
        at = shape.end
    assert at == pytest.approx(length / SPEECH_RATE)


def test_the_size_of_the_pieces_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    pcm = (rng.standard_normal(SPEECH_RATE) * np.repeat(rng.uniform(10, 6000, 50), SPEECH_RATE // 50)).astype(np.int16)
    whole = labels(estimate(pcm, len(pcm)), 1.0)
    for piece in (37, 480, 5000):
        # The resampler rounds differently at other borders: a frame on the edge of two shapes may fall either way.
        assert (labels(estimate(pcm, piece), 1.0) == whole).mean() > 0.97


def test_shapes_are_told_within_the_look_ahead() -> None:
    estimator = NetVisemeEstimator()
    pcm, told = tone(1.0), 0.0
    for start in range(0, len(pcm), 240):
        for shape in estimator.push(pcm[start : start + 240]):
            told = shape.end
        assert (start + 240) / SPEECH_RATE - told <= LOOK_AHEAD + 0.01


def test_a_flushed_estimator_is_as_new() -> None:
    estimator = NetVisemeEstimator()
    first = (*estimator.push(tone(0.3)), *estimator.flush())
    again = (*estimator.push(tone(0.3)), *estimator.flush())
    assert first == again
    assert estimator.flush() == ()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 900), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_streamed_features_are_those_of_the_whole(sizes: list[int], seed: int) -> None:
    samples = np.random.default_rng(seed).standard_normal(sum(sizes)).astype(np.float32)
    stream, at, parts = LogMelStream(), 0, []
    for size in sizes:
        parts.append(stream.push(samples[at : at + size]))
        at += size
    streamed = np.concatenate((*parts, stream.flush()))
    assert streamed.shape == (1 + len(samples) // HOP, BANDS)
    np.testing.assert_allclose(streamed, log_mel(samples), atol=1e-3)


@pytest.mark.parametrize("frequency", [200, 500, 1000, 2000, 4000])
def test_a_tone_is_loudest_in_its_band(frequency: int) -> None:
    samples = np.sin(2 * np.pi * frequency * np.arange(LISTEN_RATE) / LISTEN_RATE).astype(np.float32)
    low, high = 2595 * np.log10(1 + 80 / 700), 2595 * np.log10(1 + 7600 / 700)
    expected = (2595 * np.log10(1 + frequency / 700) - low) / (high - low) * (BANDS + 1) - 1
    assert abs(log_mel(samples)[50].argmax() - expected) <= 1
