import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator

import numpy as np
import psutil
import pytest

from tests.speech.utterances import Utterance, agreement, onsets, speak
from visavis.speech.alignment import Alignment, SpeechAligner
from visavis.speech.auto_synthesizer import AutoSynthesizer
from visavis.speech.flite import flite_installed
from visavis.speech.ports import SPEECH_RATE, SpeechError, Voice
from visavis.speech.workers.timewarp import warp
from visavis.viseme import Viseme

needs_flite = pytest.mark.skipif(not flite_installed(), reason="libflite1 is not installed")

SENTENCES = (
    "Please bring me a big bowl of soup, and a spoon.",
    "We have fourteen rooms with a view of the mountains.",
    "Bob moved his piano to the basement; Zbigniew Kowalski helped him.",
)


@contextlib.asynccontextmanager
async def aligning() -> AsyncIterator[tuple[SpeechAligner, AutoSynthesizer]]:
    voices = AutoSynthesizer()
    aligner = SpeechAligner(voices.espeak)
    await voices.start()
    await aligner.start()
    try:
        yield aligner, voices
    finally:
        await aligner.close()
        await voices.close()


def assert_covers(alignment: Alignment, said: Utterance) -> None:
    at = 0.0
    for viseme in alignment.visemes:
        assert viseme.start == pytest.approx(at, abs=1e-6)
        at = viseme.end
    assert at == pytest.approx(said.duration)
    times = [mark.at for mark in alignment.words]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] <= said.duration


def word_errors(alignment: Alignment, said: Utterance) -> list[float]:
    truth = {mark.offset: mark.at for mark in said.words}
    return [abs(truth[mark.offset] - mark.at) for mark in alignment.words if mark.offset in truth]


@needs_flite
@pytest.mark.parametrize("voice", ["flite:slt", "flite:rms"])
async def test_english_is_aligned_to_its_phones(voice: str) -> None:
    agreements: list[float] = []
    errors: list[float] = []
    lips: list[float] = []
    async with aligning() as (aligner, voices):
        for text in SENTENCES:
            said = await speak(voices, text, Voice(voice))
            alignment = await aligner.align(said.pcm, text, "en")
            assert_covers(alignment, said)
            assert [mark.offset for mark in alignment.words] == [mark.offset for mark in said.words]
            agreements.append(agreement(alignment.visemes, said.visemes, said.duration))
            errors += word_errors(alignment, said)
            truth = onsets(said.visemes, Viseme.PP)
            lips += [min(abs(a - b) for b in truth) for a in onsets(alignment.visemes, Viseme.PP)]
    assert np.median(agreements) > 0.7
    assert np.median(errors) < 0.04
    assert np.median(lips) < 0.04


async def test_numbers_names_and_signs_are_aligned_too() -> None:
    text = "Visavis costs “$25” – that's well-known… Łukasz & 3 others said 😀 so!"
    async with aligning() as (aligner, voices):
        said = await speak(voices, text, Voice("espeak:en-us"))
        alignment = await aligner.align(said.pcm, text, "en-GB")
    assert_covers(alignment, said)
    starts = [text[mark.offset] for mark in alignment.words]
    assert starts == list("Vc$twkŁ3oss")
    assert np.median(word_errors(alignment, said)) < 0.06


@pytest.mark.parametrize(
    ("language", "text", "voice"),
    [
        ("de", "Guten Tag, mein Name ist Peter. Wie geht es Ihnen heute?", "de+f3"),
        ("fr", "Bonjour, je voudrais bien un petit pain et un café, s'il vous plaît.", "fr+m3"),
    ],
)
async def test_other_languages_are_warped(language: str, text: str, voice: str) -> None:
    async with aligning() as (aligner, voices):
        said = await speak(voices, text, Voice(voice, language, rate=0.85))
        alignment = await aligner.align(said.pcm, text, language)
    assert_covers(alignment, said)
    assert [mark.offset for mark in alignment.words] == [mark.offset for mark in said.words]
    assert agreement(alignment.visemes, said.visemes, said.duration) > 0.6
    assert np.median(word_errors(alignment, said)) < 0.06


@pytest.mark.parametrize(
    ("seconds", "text", "language"),
    [(1.0, "", "en"), (1.0, "…!", "en"), (0.0, "Hello.", "en"), (60.0, "Hello.", "en"), (1.0, "Hello.", "xx")],
)
async def test_what_cannot_be_aligned_is_said(seconds: float, text: str, language: str) -> None:
    async with aligning() as (aligner, _):
        with pytest.raises(SpeechError):
            await aligner.align(np.zeros(round(seconds * SPEECH_RATE), np.int16), text, language)


async def test_a_long_text_over_short_noise_is_no_catastrophe() -> None:
    noise = np.random.default_rng(0).integers(-3000, 3000, SPEECH_RATE // 2).astype(np.int16)
    text = "This is a long text of which not a single word can be in there, really none of them at all."
    async with aligning() as (aligner, voices):
        with contextlib.suppress(SpeechError):
            alignment = await aligner.align(noise, text, "en")
            assert alignment.visemes[-1].end == pytest.approx(0.5)
        said = await speak(voices, SENTENCES[1])
        assert_covers(await aligner.align(said.pcm, SENTENCES[1], "en"), said)


async def test_a_crash_is_followed_by_recovery() -> None:
    async with aligning() as (aligner, voices):
        said = await speak(voices, SENTENCES[0])
        pid = aligner._worker.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        waiting = asyncio.create_task(aligner.align(said.pcm, SENTENCES[0], "en"))
        await asyncio.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        # Forced alignment fails with its worker; the other way of aligning goes on with a new one.
        assert_covers(await waiting, said)
        assert_covers(await aligner.align(said.pcm, SENTENCES[0], "en"), said)
        pid = aligner._worker.pid
    assert pid is not None
    assert not psutil.pid_exists(pid)


def test_warping_finds_a_known_stretch() -> None:
    rng = np.random.default_rng(3)
    # Noise whose colour changes every 0.1 s is told apart like speech is.
    parts = [
        np.convolve(rng.standard_normal(1600), np.cos(np.arange(32) * f), "same").astype(np.float32) / 32
        for f in rng.uniform(0.2, 2.8, 12)
    ]
    reference = np.concatenate(parts)
    target = np.concatenate([np.concatenate((part, part)) if index >= 6 else part for index, part in enumerate(parts)])
    matched = warp(reference, target)
    assert (np.diff(matched.target) >= 0).all()
    assert abs(matched(0.3) - 0.3) < 0.05
    assert abs(matched(0.9) - (0.6 + 2 * 0.3)) < 0.08
    assert matched(1.2) == pytest.approx(1.8, abs=0.12)
    other = np.concatenate(parts[::-1])
    assert warp(other, target).distance > 1.3 * matched.distance


@needs_flite
async def test_the_sound_decides_how_a_number_is_read() -> None:
    """flite says years and prices otherwise than espeak-ng, which pronounces words outside the dictionary."""
    text = "Bob paid $3.50 for it in 1995 and $12 today."
    async with aligning() as (aligner, voices):
        said = await speak(voices, text, Voice("flite:slt"))
        alignment = await aligner.align(said.pcm, text, "en")
    assert [mark.offset for mark in alignment.words] == [mark.offset for mark in said.words]
    assert max(word_errors(alignment, said)) < 0.15
    assert agreement(alignment.visemes, said.visemes, said.duration) > 0.7
