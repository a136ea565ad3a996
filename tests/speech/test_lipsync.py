"""LipSync over synthesizers that are fast, slow, stuck or broken; with the real aligner and net."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import numpy as np
import pytest

from tests.speech.utterances import Utterance, agreement, assert_sound, joined, same_sound, speak
from visavis.speech.alignment import Alignment, SpeechAligner
from visavis.speech.auto_synthesizer import AutoSynthesizer
from visavis.speech.lipsync import FIRST, LipSync
from visavis.speech.ports import SPEECH_RATE, SpeechChunk, SpeechError, Voice

TEXT = "Please bring me a big bowl of soup, and a spoon for Bob."


class Replay:
    """Hands out given sound without timings, at a given pace; can break off."""

    def __init__(self, pcm: np.ndarray, *, piece: float = 0.2, pause: float = 0.0, breaks_after: float = 1e9) -> None:
        self.pcm = pcm
        self.piece = round(piece * SPEECH_RATE)
        self.pause = pause
        self.breaks_after = breaks_after
        self.given = 0.0
        self.open = 0

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def synthesize(self, text: str, voice: Voice) -> AsyncIterator[SpeechChunk]:
        self.open += 1
        try:
            for start in range(0, len(self.pcm), self.piece):
                await asyncio.sleep(self.pause)
                if self.given >= self.breaks_after:
                    raise SpeechError("broke off")
                self.given = (start + self.piece) / SPEECH_RATE
                yield SpeechChunk(self.pcm[start : start + self.piece])
        finally:
            self.open -= 1


class StuckAligner(SpeechAligner):
    """Never answers."""

    async def align(self, pcm: np.ndarray, text: str, language: str) -> Alignment:
        await asyncio.Event().wait()
        raise AssertionError


@contextlib.asynccontextmanager
async def voices() -> AsyncIterator[AutoSynthesizer]:
    auto = AutoSynthesizer()
    await auto.start()
    try:
        yield auto
    finally:
        await auto.close()


@contextlib.asynccontextmanager
async def lip_synced(
    inner: Replay, auto: AutoSynthesizer, aligner: type[SpeechAligner] = SpeechAligner
) -> AsyncIterator[LipSync]:
    lipsync = LipSync(inner, aligner(auto.espeak))
    await lipsync.start()
    try:
        yield lipsync
    finally:
        await lipsync.close()


def assert_same_words(said: Utterance) -> None:
    assert said.marked() == said.text.split()


async def test_a_fast_synthesizer_gets_exact_shapes_after_the_first_stretch() -> None:
    async with voices() as auto:
        truth = await speak(auto, TEXT)
        inner = Replay(truth.pcm)
        async with lip_synced(inner, auto) as lipsync:
            said = await speak(lipsync, TEXT)
    assert np.array_equal(said.pcm, truth.pcm)
    assert_sound(said)
    assert_same_words(said)
    assert len(said.chunks[0].pcm) == round(FIRST * SPEECH_RATE)
    assert agreement(said.visemes, truth.visemes, said.duration) > 0.65
    late = [(a.at, b.at) for a, b in zip(said.words, truth.words, strict=True) if b.at > 3 * FIRST]
    assert np.median([abs(a - b) for a, b in late]) < 0.05


async def test_the_first_sound_does_not_wait_for_the_last() -> None:
    async with voices() as auto:
        truth = await speak(auto, TEXT * 3)
        inner = Replay(truth.pcm, pause=0.02)
        async with lip_synced(inner, auto) as lipsync:
            chunks = lipsync.synthesize(TEXT * 3, Voice())
            first = await anext(chunks)
            assert inner.given < 1.0
            assert first.visemes
            assert first.words[0].offset == 0
            rest = [chunk async for chunk in chunks]
    said = joined(TEXT * 3, [first, *rest])
    assert np.array_equal(said.pcm, truth.pcm)
    assert_sound(said)


@pytest.mark.parametrize("aligner", [SpeechAligner, StuckAligner])
async def test_a_listener_never_runs_dry(aligner: type[SpeechAligner]) -> None:
    """Sound at twice real time; the alignment comes at its end, or never. What was handed out is always ahead."""
    async with voices() as auto:
        truth = await speak(auto, "Hello there. How are you?")
        inner = Replay(truth.pcm, piece=0.1, pause=0.05)
        loop = asyncio.get_running_loop()
        async with lip_synced(inner, auto, aligner) as lipsync:
            ahead: list[float] = []
            given = began = 0.0
            with contextlib.suppress(TimeoutError):
                async with (
                    asyncio.timeout(truth.duration),
                    contextlib.aclosing(lipsync.synthesize(truth.text, Voice())) as chunks,
                ):
                    async for chunk in chunks:
                        began = began or loop.time()
                        ahead.append(given - (loop.time() - began))
                        given += len(chunk.pcm) / SPEECH_RATE
            # The stuck aligner's last words are held back by the net's look-ahead only.
            assert given > truth.duration - 0.4
            assert min(ahead[1:]) > 0
        assert inner.open == 0


async def test_without_an_alignment_the_net_goes_on() -> None:
    async with voices() as auto:
        truth = await speak(auto, TEXT)
        async with lip_synced(Replay(truth.pcm), auto) as lipsync:
            # No voice speaks this, so nothing can be warped either.
            said = await speak(lipsync, TEXT, Voice(language="xx"))
    assert np.array_equal(said.pcm, truth.pcm)
    assert_sound(said)
    assert_same_words(said)
    assert agreement(said.visemes, truth.visemes, said.duration) > 0.35


async def test_a_synthesizer_with_timings_passes_untouched() -> None:
    async with voices() as auto:
        lipsync = LipSync(auto, SpeechAligner(auto.espeak))
        said, direct = await speak(lipsync, TEXT), await speak(auto, TEXT)
    assert same_sound(said, direct)
    assert [len(chunk.pcm) for chunk in said.chunks] == pytest.approx(
        [len(chunk.pcm) for chunk in direct.chunks], abs=500
    )
    assert said.words == pytest.approx(direct.words) or said.marked() == direct.marked()


async def test_an_error_of_the_synthesizer_reaches_the_listener_after_the_first_sound() -> None:
    async with voices() as auto:
        truth = await speak(auto, TEXT)
        inner = Replay(truth.pcm, breaks_after=0.8)
        async with lip_synced(inner, auto) as lipsync:
            chunks = lipsync.synthesize(TEXT, Voice())
            assert len((await anext(chunks)).pcm)
            with pytest.raises(SpeechError, match="broke off"):
                async for _ in chunks:
                    pass
        assert inner.open == 0


async def test_an_early_end_stops_the_synthesizer() -> None:
    async with voices() as auto:
        truth = await speak(auto, TEXT * 5)
        inner = Replay(truth.pcm, pause=0.01)
        async with lip_synced(inner, auto) as lipsync:
            chunks = lipsync.synthesize(TEXT * 5, Voice())
            await anext(chunks)
            await chunks.aclose()
            assert inner.open == 0
            assert inner.given < truth.duration
    assert {task for task in asyncio.all_tasks() if not task.done()} == {asyncio.current_task()}


@pytest.mark.parametrize("lengths", [(), (0,), (1,), (100, 0, 3), (4000,)])
async def test_hardly_any_sound(lengths: Sequence[int]) -> None:
    async with voices() as auto:
        inner = Replay(np.zeros(sum(lengths), np.int16), piece=0.001)
        async with lip_synced(inner, auto) as lipsync:
            said = await speak(lipsync, "Oh.")
    assert len(said.pcm) == sum(lengths)
    for one, other in pairwise(said.visemes):
        assert one.end == pytest.approx(other.start)
    if sum(lengths):
        assert said.visemes[-1].end == pytest.approx(said.duration)
        assert said.marked() == ["Oh."]
