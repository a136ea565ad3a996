"""The embedded recognizer with real decoders on synthesized speech."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterable, Mapping

import numpy as np
import psutil
import pytest
from structlog.testing import capture_logs

from tests.speech.spoken import Speaker, recorded, word_errors
from visavis.speech import recognition_pool, utterance_buffer
from visavis.speech.pocketsphinx import PocketsphinxRecognizer
from visavis.speech.ports import LISTEN_RATE, Pcm16, RecognitionContext, RecognitionStream, SpeechError

PHRASES = (
    "What can you help me with?",
    "Where is the meeting room?",
    "How do I reset my password?",
    "Tell me about the opening hours.",
    "I would like to book a table for two people.",
    "How much does the ticket cost?",
    "Who painted the picture in the hall?",
    "Thank you very much, goodbye.",
    "Does room 42 have a balcony?",
    "Yes, please!",
)
PERSONA = RecognitionContext("en-US", PHRASES)
DICTATION = (
    "My brother works in a small factory near the station.",
    "He never told me why he left the company.",
    "There is a new library on the other side of the town.",
    "The doctor said that I should drink more water.",
)


@pytest.fixture
async def recognizer() -> AsyncIterator[PocketsphinxRecognizer]:
    recognizer = PocketsphinxRecognizer(workers=2)
    await recognizer.start()
    yield recognizer
    await recognizer.close()


async def feed(stream: RecognitionStream, sound: Pcm16, pause: float = 0.0) -> None:
    for at in range(0, len(sound), 512):
        stream.push(sound[at : at + 512])
        if pause:
            await asyncio.sleep(pause)


async def understand(recognizer: PocketsphinxRecognizer, sound: Pcm16, context: RecognitionContext = PERSONA) -> str:
    stream = recognizer.open(context)
    await feed(stream, sound)
    return (await stream.finish()).text


@pytest.mark.parametrize(
    ("voice", "phrases"),
    [
        ("espeak:en-us", PHRASES[::2]),
        ("espeak:en-us+f3", PHRASES[1::2]),
        ("flite:slt", PHRASES[1::2]),
        ("flite:rms", PHRASES[::2]),
    ],
)
async def test_the_personas_phrases_come_back_as_they_were_written(
    recognizer: PocketsphinxRecognizer, speaker: Speaker, voice: str, phrases: tuple[str, ...]
) -> None:
    if voice not in speaker.voices:
        pytest.skip("the voice is not installed")
    heard = [await understand(recognizer, recorded(speaker.say(phrase, voice))) for phrase in phrases]
    assert heard == list(phrases)


@pytest.mark.parametrize(("noise", "gain"), [(0.0, 1.0), (100.0, 1.0), (5.0, 0.3)])
async def test_pure_silence_noise_and_a_quiet_voice_do_no_harm(
    recognizer: PocketsphinxRecognizer, speaker: Speaker, noise: float, gain: float
) -> None:
    for phrase in PHRASES[1:3]:
        sound = recorded(speaker.say(phrase, speaker.best), noise=noise, gain=gain)
        assert await understand(recognizer, sound) == phrase


async def test_free_speech_is_half_understood_and_not_forced_into_the_phrases(
    recognizer: PocketsphinxRecognizer, speaker: Speaker
) -> None:
    heard = [await understand(recognizer, recorded(speaker.say(text, speaker.best))) for text in DICTATION]
    assert not set(heard) & set(PHRASES)
    errors = sum(map(word_errors, DICTATION, heard))
    bound = 0.25 if speaker.best.startswith("flite") else 0.7
    assert errors < bound * sum(len(text.split()) for text in DICTATION)


async def test_without_phrases_everything_is_dictation(recognizer: PocketsphinxRecognizer, speaker: Speaker) -> None:
    text = await understand(recognizer, recorded(speaker.say(DICTATION[0], speaker.best)), RecognitionContext("en"))
    assert text[0].isupper()
    assert word_errors(DICTATION[0], text) <= len(DICTATION[0].split()) // 2


@pytest.mark.parametrize("sound", [np.zeros(0, np.int16), np.zeros(LISTEN_RATE, np.int16), np.full(20, 3000, np.int16)])
async def test_nothing_said_gives_no_words(recognizer: PocketsphinxRecognizer, sound: Pcm16) -> None:
    assert await understand(recognizer, sound) == ""
    # And the decoders are ready for the next one.
    assert await understand(recognizer, sound) == ""


async def test_words_come_while_the_user_talks(recognizer: PocketsphinxRecognizer, speaker: Speaker) -> None:
    phrase = PHRASES[4]
    sound = recorded(speaker.say(phrase, speaker.best))
    stream = recognizer.open(PERSONA)
    await feed(stream, sound[: int(len(sound) * 0.6)], pause=0.005)
    partial = await stream.partial()
    assert partial
    assert phrase.lower().startswith(partial.lower()[:6])
    assert len(partial) < len(phrase)
    await feed(stream, sound[int(len(sound) * 0.6) :])
    assert (await stream.finish()).text == phrase
    assert await stream.partial() == ""
    assert (await stream.finish()).text == phrase


async def test_a_short_question_is_decoded_before_it_is_over(
    recognizer: PocketsphinxRecognizer, speaker: Speaker
) -> None:
    sound = recorded(speaker.say(PHRASES[1], speaker.best))
    stream = recognizer.open(PERSONA)
    await feed(stream, sound[: round(0.9 * LISTEN_RATE)], pause=0.005)
    assert (await stream.partial()).startswith("Where")
    await stream.cancel()


async def test_more_speakers_than_workers_are_all_understood(
    recognizer: PocketsphinxRecognizer, speaker: Speaker
) -> None:
    streams = [recognizer.open(PERSONA) for _ in range(5)]
    sounds = [recorded(speaker.say(phrase, speaker.best)) for phrase in PHRASES[:5]]
    await asyncio.gather(*(feed(stream, sound, 0.001) for stream, sound in zip(streams, sounds, strict=True)))
    texts = [(await stream.finish()).text for stream in streams]
    assert texts == list(PHRASES[:5])
    assert 1 <= len(recognizer.pids) <= 2


async def test_workers_are_started_when_they_are_needed(recognizer: PocketsphinxRecognizer, speaker: Speaker) -> None:
    assert len(recognizer.pids) == 1
    await understand(recognizer, recorded(speaker.say(PHRASES[0])))
    await understand(recognizer, recorded(speaker.say(PHRASES[1])))
    assert len(recognizer.pids) == 1


async def test_a_crash_in_the_middle_loses_nothing(recognizer: PocketsphinxRecognizer, speaker: Speaker) -> None:
    sound = recorded(speaker.say(PHRASES[2], speaker.best))
    stream = recognizer.open(PERSONA)
    await feed(stream, sound[: len(sound) // 2])
    await stream.partial()
    os.kill(recognizer.pids[0], signal.SIGKILL)
    await feed(stream, sound[len(sound) // 2 :], pause=0.002)
    assert (await stream.finish()).text == PHRASES[2]
    # The pool is whole again.
    assert await understand(recognizer, sound) == PHRASES[2]


async def test_workers_that_crash_again_are_an_error_and_later_forgotten(speaker: Speaker) -> None:
    recognizer = PocketsphinxRecognizer(workers=1)
    await recognizer.start()
    sound = recorded(speaker.say(PHRASES[2], speaker.best))
    stream = recognizer.open(PERSONA)
    await feed(stream, sound)
    finishing: asyncio.Task[object] | None = None
    killed: set[int] = set()
    while len(killed) < 2:
        for pid in recognizer.pids:
            if pid not in killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        if finishing is None:
            finishing = asyncio.create_task(stream.finish())
        await asyncio.sleep(0.005)
    assert finishing is not None
    with pytest.raises(SpeechError):
        await finishing
    assert await understand(recognizer, sound) == PHRASES[2]
    await recognizer.close()


async def test_a_cancelled_utterance_frees_its_worker(speaker: Speaker) -> None:
    recognizer = PocketsphinxRecognizer(workers=1)
    await recognizer.start()
    sound = recorded(speaker.say(PHRASES[1], speaker.best))
    for finishing in (False, True):
        stream = recognizer.open(PERSONA)
        await feed(stream, sound)
        await stream.partial()
        waiting = asyncio.create_task(stream.finish()) if finishing else None
        await asyncio.sleep(0)
        await stream.cancel()
        await stream.cancel()
        stream.push(sound)
        with pytest.raises(SpeechError, match="cancelled"):
            await (waiting or stream.finish())
    assert await understand(recognizer, sound) == PHRASES[1]
    assert len(recognizer.pids) == 1
    finished = recognizer.open(PERSONA)
    await feed(finished, sound)
    await finished.finish()
    await finished.cancel()
    await recognizer.close()


async def test_an_endless_utterance_is_cut(
    recognizer: PocketsphinxRecognizer, speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, unheard = (recorded(speaker.say(phrase, speaker.best)) for phrase in PHRASES[1:3])
    monkeypatch.setattr(utterance_buffer, "MAX_SECONDS", len(heard) / LISTEN_RATE)
    stream = recognizer.open(PERSONA)
    with capture_logs() as logs:
        await feed(stream, heard)
        await feed(stream, unheard)
        assert (await stream.finish()).text == PHRASES[1]
    assert [entry["event"] for entry in logs].count("utterance cut") == 1


async def test_another_language_is_refused(recognizer: PocketsphinxRecognizer) -> None:
    stream = recognizer.open(RecognitionContext("de-DE"))
    stream.push(np.zeros(LISTEN_RATE, np.int16))
    assert await stream.partial() == ""
    with pytest.raises(SpeechError, match="English only"):
        await stream.finish()


async def test_unknown_words_are_learnt_from_the_given_pronunciations(speaker: Speaker) -> None:
    asked: list[list[str]] = []

    async def pronounce(words: Iterable[str]) -> Mapping[str, str]:
        asked.append(list(words))
        return {"visavis": "V IY Z AH V IY"}

    recognizer = PocketsphinxRecognizer(workers=1, pronounce=pronounce)
    await recognizer.start()
    phrases = ("Tell me about Visavis.", "Where is the Grumbolt office?", "Is there an ATMX nearby?")
    context = RecognitionContext("en", phrases)
    for phrase in phrases[:2]:
        sound = recorded(speaker.say(phrase.replace("Visavis", "veezavee"), speaker.best))
        assert await understand(recognizer, sound, context) == phrase
    await recognizer.close()
    # Once per context; acronyms are spelled, not asked for.
    assert asked == [["grumbolt", "visavis"]]


async def test_a_failing_pronouncer_is_made_up_for_by_rule(speaker: Speaker) -> None:
    async def pronounce(words: Iterable[str]) -> Mapping[str, str]:
        raise SpeechError("no synthesizer")

    recognizer = PocketsphinxRecognizer(workers=1, pronounce=pronounce)
    await recognizer.start()
    context = RecognitionContext("en", ("Where is the Grumbolt office?", "東京はどこですか"))
    with capture_logs() as logs:
        text = await understand(recognizer, recorded(speaker.say(context.phrases[0], speaker.best)), context)
    assert text == context.phrases[0]
    assert any(entry.get("reason") == "no synthesizer" for entry in logs)
    await recognizer.close()


async def test_close_ends_utterances_processes_and_tasks(speaker: Speaker) -> None:
    before = asyncio.all_tasks()
    recognizer = PocketsphinxRecognizer(workers=2)
    await recognizer.start()
    streams = [recognizer.open(PERSONA) for _ in range(3)]
    for stream in streams:
        await feed(stream, recorded(speaker.say(PHRASES[0])))
    await streams[0].partial()
    pids = recognizer.pids
    finishing = asyncio.create_task(streams[0].finish())
    await recognizer.close()
    await recognizer.close()
    for waiting in (finishing, streams[1].finish()):
        with pytest.raises(SpeechError):
            await waiting
    assert pids
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert asyncio.all_tasks() == before
    with pytest.raises(SpeechError, match="closed"):
        await understand(recognizer, np.zeros(100, np.int16))


async def test_a_recognizer_that_cannot_work_says_so_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing(recognition_pool.WorkerProcess):
        def __init__(self, module: str) -> None:
            super().__init__("visavis.speech.workers.no_such_program")

    monkeypatch.setattr(recognition_pool, "WorkerProcess", Missing)
    recognizer = PocketsphinxRecognizer(workers=1)
    with pytest.raises(SpeechError, match="no_such_program"):
        await recognizer.start()
    with pytest.raises(SpeechError, match="no_such_program"):
        await understand(recognizer, np.zeros(100, np.int16))
    assert recognizer.pids == ()
    await recognizer.close()
