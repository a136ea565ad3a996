"""espeak-ng, flite and the choice between them, as they are installed."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from tests.speech.utterances import Utterance, assert_sound, onsets, same_sound, speak
from visavis.speech.auto_synthesizer import AutoSynthesizer
from visavis.speech.espeak import EspeakSynthesizer
from visavis.speech.espeak_voices import EspeakVoice, EspeakVoices
from visavis.speech.flite import FliteSynthesizer, flite_installed
from visavis.speech.flite_voices import SPEAKERS, VOICES
from visavis.speech.ports import SPEECH_RATE, SpeechError, Synthesizer, Voice
from visavis.speech.workers import flite as flite_worker
from visavis.viseme import Viseme

needs_flite = pytest.mark.skipif(not flite_installed(), reason="libflite1 is not installed")
engines = pytest.mark.parametrize("engine", ["espeak", pytest.param("flite", marks=needs_flite)])

WELCOME = "Good morning, and welcome. I can tell you about the weather in Berlin."
TONGUE_TWISTER = "Bob put a paper cup by the back of a big bed. Please, a better potato, Papa."


@contextlib.asynccontextmanager
async def started(engine: str) -> AsyncIterator[EspeakSynthesizer | FliteSynthesizer]:
    synthesizer = EspeakSynthesizer() if engine == "espeak" else FliteSynthesizer()
    await synthesizer.start()
    try:
        yield synthesizer
    finally:
        await synthesizer.close()


def worker_of(synthesizer: EspeakSynthesizer | FliteSynthesizer) -> int:
    (pid,) = synthesizer._pool.pids
    return pid


@engines
async def test_sound_mouth_and_words_fit(engine: str) -> None:
    async with started(engine) as synthesizer:
        said = await speak(synthesizer, WELCOME)
        assert_sound(said)
        assert said.marked() == WELCOME.split()
        assert -25 < said.level() < -18
        assert said.words[0].at < 0.06
        # The pause between the sentences is a closed mouth, and quiet.
        welcome = next(mark.at for mark in said.words if said.text[mark.offset :].startswith("welcome"))
        pause = max(
            (v for v in said.visemes if v.viseme is Viseme.SIL and v.start > welcome), key=lambda v: v.end - v.start
        )
        assert pause.end - pause.start > 0.05
        assert said.level(pause.start + 0.02, pause.end - 0.02) < said.level() - 15


@engines
async def test_lips_are_closed_when_the_sound_says_so(engine: str) -> None:
    async with started(engine) as synthesizer:
        said = await speak(synthesizer, TONGUE_TWISTER)
    lips = [v for v in said.visemes if v.viseme is Viseme.PP]
    assert len(lips) >= 12
    open_mouth = [v for v in said.visemes if v.viseme in (Viseme.AA, Viseme.E, Viseme.OH)]
    closed = np.median([said.level(v.start, v.end) for v in lips])
    wide = np.median([said.level(v.start, v.end) for v in open_mouth])
    assert closed < wide - 4
    # Bilabials begin the words that they are the first letter of.
    starts = onsets(said.visemes, Viseme.PP)
    for mark in said.words:
        if said.text[mark.offset].lower() in "bp":
            assert min(abs(start - mark.at) for start in starts) < 0.1, said.text[mark.offset :]


@engines
async def test_stresses_fall_on_the_vowels_that_bear_them(engine: str) -> None:
    onsets_of = {"beautiful": (0.05, 0.15), "potatoes": (0.15, 0.3), "tomorrow": (0.14, 0.3), "gardens": (0.05, 0.15)}
    async with started(engine) as synthesizer:
        said = await speak(synthesizer, "Beautiful potatoes, tomorrow. They have gardens.")
    found = 0
    for mark in said.words:
        word = said.text[mark.offset :].split()[0].strip(".,").lower()
        if mark.stress is None or word not in onsets_of:
            continue
        found += 1
        (shape,) = [viseme for viseme in said.visemes if viseme.start <= mark.stress + 0.001 < viseme.end]
        assert shape.viseme in (Viseme.AA, Viseme.E, Viseme.IH, Viseme.OH, Viseme.OU), word
        earliest, latest = onsets_of[word]
        assert earliest < mark.stress - mark.at < latest, word
    # One whose chunk ends before its stressed vowel may go without.
    assert found >= 3


@pytest.mark.parametrize(
    "text",
    [
        "<b>Fish & chips</b> for $3.50, said \"Tom\" & 'Jerry' [[paren]] {x}.",
        "😀 Well 👩‍🚀 done\u200d!",
        "Bell\x07 and\x00 null\x1b[31m there\tand\nthere.",
        "naïve café Ærøskøbing Łódź “quoted” – yes…",
        "3.14159, 25 %, 10:30 a.m., 1995, +49 30 123456, a@b.de",
    ],
)
@engines
async def test_odd_characters_do_no_harm(engine: str, text: str) -> None:
    async with started(engine) as synthesizer:
        said = await speak(synthesizer, text)
        assert_sound(said)
        assert all(not text[mark.offset].isspace() for mark in said.words)
        assert_sound(await speak(synthesizer, "And it still speaks."))


@pytest.mark.parametrize("text", ["", "   ", "…", "!?", "😀", "\x00\x01", "--- *** ---"])
@engines
async def test_what_has_no_words_gives_no_sound(engine: str, text: str) -> None:
    async with started(engine) as synthesizer:
        assert (await speak(synthesizer, text)).chunks == []


@engines
async def test_two_thousand_characters(engine: str) -> None:
    text = ("the quick brown fox, which was rather tired, jumped over it all again; " * 40)[:2000]
    async with started(engine) as synthesizer:
        said = await speak(synthesizer, text)
        assert_sound(said)
        assert len(said.words) > 300
        assert 80 < said.duration < 250


@engines
async def test_the_first_sound_comes_before_the_last_is_made(engine: str) -> None:
    """The order of work, not its speed: a text without an end is heard at once."""
    async with started(engine) as synthesizer:
        endless = "This sentence is one of very many, and they are all alike. " * 2000
        chunks = synthesizer.synthesize(endless, Voice())
        async with asyncio.timeout(20), contextlib.aclosing(chunks):
            first = await anext(chunks)
        assert 0 < len(first.pcm) < 12 * SPEECH_RATE
        assert first.words[0].offset == 0
        # And the worker is free for the next one.
        assert_sound(await speak(synthesizer, "Next."))


@engines
async def test_sentences_at_the_same_time_do_not_mix(engine: str) -> None:
    texts = [f"Number {n} is {'very ' * n}good." for n in range(1, 9)]
    async with started(engine) as synthesizer:
        together = await asyncio.gather(*(speak(synthesizer, text) for text in texts))
        alone = [await speak(synthesizer, text) for text in texts]
    for one, other in zip(together, alone, strict=True):
        assert same_sound(one, other)
        assert one.marked() == other.marked() == one.text.split()


@engines
async def test_a_crash_fails_the_sentence_and_not_the_next_one(engine: str) -> None:
    async with started(engine) as synthesizer:
        chunks = synthesizer.synthesize("This goes on and on and on. " * 200, Voice())
        await anext(chunks)
        os.kill(worker_of(synthesizer), signal.SIGKILL)
        with pytest.raises(SpeechError):
            async for _ in chunks:
                pass
        assert_sound(await speak(synthesizer, WELCOME))


@engines
async def test_close_leaves_no_process_and_no_task(engine: str) -> None:
    async with started(engine) as synthesizer:
        pid = worker_of(synthesizer)
        chunks = synthesizer.synthesize("This goes on and on. " * 100, Voice())
        await anext(chunks)
    await synthesizer.close()
    with contextlib.suppress(SpeechError):
        await chunks.aclose()
    assert not psutil.pid_exists(pid)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    with pytest.raises(SpeechError):
        await speak(synthesizer, "Hello.")


@engines
async def test_rate_changes_the_length(engine: str) -> None:
    async with started(engine) as synthesizer:
        slow, normal, fast = [await speak(synthesizer, WELCOME, Voice(rate=rate)) for rate in (0.6, 1.0, 1.8)]
        again = await speak(synthesizer, WELCOME)
    assert slow.duration > 1.3 * normal.duration
    assert normal.duration > 1.3 * fast.duration
    assert same_sound(again, normal)
    for said in (slow, normal, fast):
        assert_sound(said)


async def test_espeak_speaks_many_languages() -> None:
    hello = {
        "de": "Guten Tag, wie geht es Ihnen?", "fr-FR": "Bonjour, comment allez-vous ?", "es": "¿Cómo está usted hoy?",
        "it": "Buongiorno, come sta?", "pt-BR": "Bom dia, tudo bem?", "ru": "Здравствуйте, как дела?",
        "zh-CN": "你好，我想喝咖啡。", "ja": "こんにちは、おげんきですか。", "ko": "안녕하세요", "ar": "مرحبا كيف حالك",
        "hi-IN": "नमस्ते, आप कैसे हैं?", "tr": "Merhaba, nasılsınız?", "vi": "Xin chào, bạn khỏe không?",
        "pl_PL": "Dzień dobry, jak się pan miewa?", "sv-SE": "Hej, hur mår du?", "uk": "Добрий день",
    }  # fmt: skip
    async with started("espeak") as espeak:
        durations: set[int] = set()
        for language, text in hello.items():
            said = await speak(espeak, text, Voice(language=language))
            assert_sound(said)
            assert said.words[0].offset in (0, 1), language
            durations.add(len(said.pcm))
        assert len(durations) == len(hello)
        assert isinstance(espeak, EspeakSynthesizer)
        assert len({tag.partition("-")[0] for voice in espeak.voices.voices for tag in voice.languages}) > 100


async def test_espeak_names_the_language_that_it_lacks() -> None:
    async with started("espeak") as espeak:
        with pytest.raises(SpeechError, match="'tlh-Xx'"):
            await speak(espeak, "nuqneH", Voice(language="tlh-Xx"))


async def test_espeak_pronounces_words() -> None:
    async with started("espeak") as espeak:
        assert isinstance(espeak, EspeakSynthesizer)
        told = await espeak.phonemes(["hello", "visavis", "😀😀", "", "...", "hello", "Tübingen"])
        assert told["hello"] == "HH AH L OW"
        assert told["visavis"] == "V IH S AH V IH S"
        assert told["Tübingen"].startswith("T ")
        assert "" not in told
        assert "..." not in told
        assert await espeak.phonemes([]) == {}


async def test_espeak_pool_refuses_what_it_cannot_queue() -> None:
    async with started("espeak") as espeak:
        espeak._pool._waiting = 2
        held = [espeak.synthesize(WELCOME, Voice()) for _ in range(2)]
        for chunks in held:
            await anext(chunks)
        with pytest.raises(SpeechError, match="already waiting"):
            await speak(espeak, "One more.")
        for chunks in held:
            await chunks.aclose()
        assert_sound(await speak(espeak, "One more."))


async def test_workers_of_a_pool_share_the_work() -> None:
    espeak = EspeakSynthesizer(workers=2)
    await espeak.start()
    try:
        pids = espeak._pool.pids
        assert len(set(pids)) == 2
        first, second = espeak.synthesize(WELCOME * 50, Voice()), espeak.synthesize(WELCOME, Voice())
        await anext(first)
        await anext(second)
        os.kill(pids[0], signal.SIGKILL)
        with pytest.raises(SpeechError):
            async for _ in first:
                pass
        assert [chunk async for chunk in second]
    finally:
        await espeak.close()
    assert not any(psutil.pid_exists(pid) for pid in pids)


def voices() -> EspeakVoices:
    return EspeakVoices(
        (
            EspeakVoice("gmw/en", "English (Great Britain)", ("en-gb", "en")),
            EspeakVoice("gmw/en-US", "English (America)", ("en-us", "en")),
            EspeakVoice("sit/cmn", "Chinese (Mandarin)", ("cmn", "zh-cmn", "zh")),
            EspeakVoice("sit/yue", "Chinese (Cantonese)", ("yue", "zh-yue", "zh")),
            EspeakVoice("roa/pt-BR", "Portuguese (Brazil)", ("pt-br", "pt")),
            EspeakVoice("roa/pt", "Portuguese (Portugal)", ("pt", "pt-pt")),
        ),
        ("f3", "m1", "Alicia"),
    )


@pytest.mark.parametrize(
    ("name", "language", "found"),
    [
        ("", "en", "gmw/en-US"), ("", "en-GB", "gmw/en"), ("", "en_AU", "gmw/en-US"), ("", "zh-Hant-TW", "sit/cmn"),
        ("", "zh-HK", "sit/yue"), ("", "pt", "roa/pt"), ("", "pt-BR", "roa/pt-BR"), ("en-gb", "pt", "gmw/en"),
        ("EN-US+F3", "en", "gmw/en-US+f3"), ("en-us+nobody", "en", "gmw/en-US"), ("+alicia", "en-GB", "gmw/en+Alicia"),
        ("English (America)", "pt", "gmw/en-US"), ("marin", "en", "gmw/en-US"), ("marin+f3", "pt", "roa/pt"),
    ],
)  # fmt: skip
def test_finding_a_voice(name: str, language: str, found: str) -> None:
    assert voices().find(name, language) == found


@pytest.mark.parametrize("language", ["", "xx", "english", "-"])
def test_no_voice_for_a_language(language: str) -> None:
    with pytest.raises(SpeechError, match=repr(language)):
        voices().find("", language)


def test_flite_text_is_ascii_and_knows_where_it_came_from() -> None:
    text = "Æon “naïve” – 字 3°\u00a0x"
    plain, origins = flite_worker.ascii_text(text)
    assert plain.decode("ascii").split() == ["aeon", '"naive"', "-", "3", "degrees", "x"]
    assert len(origins) == len(plain)
    assert origins == sorted(origins)
    assert text[origins[plain.index(b"naive")]] == "n"


@needs_flite
async def test_flite_voices_differ_and_the_unknown_one_is_the_default() -> None:
    async with started("flite") as flite:
        said = {name: await speak(flite, WELCOME, Voice(name)) for name in (*VOICES, "nobody", "flite:RMS")}
        with pytest.raises(SpeechError, match="'de'"):
            await speak(flite, "Guten Tag", Voice(language="de"))
        own = await speak(flite, WELCOME, Voice("flite:rms").renamed("marin"))
    assert len({len(said[name].pcm) for name in SPEAKERS}) == 3
    assert same_sound(own, said["rms"])
    assert same_sound(said["nobody"], said["slt"])
    assert same_sound(said["flite:RMS"], said["rms"])
    assert not same_sound(said["slt"], said["rms"])
    assert max(u.level() for u in said.values()) - min(u.level() for u in said.values()) < 2.5


def pitch(said: Utterance) -> float:
    """Median of the fundamental in Hz, by the autocorrelation of 40 ms frames."""
    size, found = SPEECH_RATE // 25, list[float]()
    window = np.hanning(size)
    shape = np.fft.irfft(np.abs(np.fft.rfft(window, 4 * size)) ** 2)
    low, high = SPEECH_RATE // 320, SPEECH_RATE // 65
    for start in range(0, len(said.pcm) - size, size // 4):
        frame = said.pcm[start : start + size] / 32768
        if np.sqrt((frame**2).mean()) < 0.03:
            continue
        likeness = np.fft.irfft(np.abs(np.fft.rfft(frame * window, 4 * size)) ** 2) / np.maximum(shape, 1e-9)
        lag = low + int(np.argmax(likeness[low:high]))
        if likeness[lag] > 0.6 * likeness[0]:
            found.append(SPEECH_RATE / lag)
    return float(np.median(found))


def resonances(said: Utterance) -> NDArray[np.float64]:
    """The smoothed mean spectrum in dB on a logarithmic scale, 1 % a step from 250 to 6500 Hz."""
    frames = np.lib.stride_tricks.sliding_window_view(said.pcm / 32768, 1024)[::256] * np.hanning(1024)
    frames = frames[(frames**2).mean(axis=1) > 2e-4]
    spectrum = 10 * np.log10((np.abs(np.fft.rfft(frames, 4096)) ** 2).mean(axis=0))
    smooth = np.convolve(spectrum, np.hanning(101) / np.hanning(101).sum(), "same")
    steps = 250 * 1.01 ** np.arange(328)
    return np.interp(steps, np.arange(len(smooth)) * SPEECH_RATE / 4096, smooth)


@needs_flite
@pytest.mark.parametrize("name", [name for name in VOICES if name not in SPEAKERS])
async def test_a_voice_made_of_a_speaker_is_of_another_size_and_pitch(name: str) -> None:
    voice = VOICES[name]
    text = f"{WELCOME} {TONGUE_TWISTER} She walked along the river and thought about the summer."
    async with started("flite") as flite:
        base, said = [await speak(flite, text, Voice(one)) for one in (voice.speaker, name)]
    assert_sound(said)
    assert said.marked() == text.split()
    assert said.duration * voice.pace == pytest.approx(base.duration, rel=0.02)
    assert pitch(said) == pytest.approx(voice.pitch or pitch(base) * voice.size, rel=0.08)
    before, after = resonances(base), resonances(said)
    likeness = {step: np.corrcoef(np.roll(before, step)[20:-20], after[20:-20])[0, 1] for step in range(-15, 16)}
    assert 1.01 ** max(likeness, key=lambda step: likeness[step]) == pytest.approx(voice.size, abs=0.025)
    # Where the lips are closed, it is quieter; no sample jumps more than the speaker's own.
    lips = [said.level(v.start, v.end) for v in said.visemes if v.viseme is Viseme.PP]
    wide = [said.level(v.start, v.end) for v in said.visemes if v.viseme in (Viseme.AA, Viseme.E, Viseme.OH)]
    assert np.median(lips) < np.median(wide) - 4
    jump, usual = [np.abs(np.diff(one.pcm.astype(int))).max() for one in (said, base)]
    assert jump < 1.4 * usual


async def test_without_flite_each_of_its_voices_has_a_stand_in() -> None:
    assert len({voice.stand_in for voice in VOICES.values()}) == len(VOICES)
    async with started("espeak") as espeak:
        assert isinstance(espeak, EspeakSynthesizer)
        for voice in VOICES.values():
            assert espeak.voices.named(voice.stand_in) == espeak.voices.find(voice.stand_in, "en")
            assert "+" in espeak.voices.find(voice.stand_in, "en")
        said = {
            voice: await speak(espeak, WELCOME, Voice(*voice))
            for voice in (("flite:slt-bright",), ("rms-deep",), ("en-us+f4",), ("flite:rms-deep", "de"), ("", "de"))
        }
    assert same_sound(said["flite:rms-deep", "de"], said["", "de"])
    assert not same_sound(said["rms-deep",], said["flite:slt-bright",])
    assert said["flite:slt-bright",].duration < said["en-us+f4",].duration


async def test_a_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, **_: object) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(flite_worker.ctypes, "CDLL", missing)
    with pytest.raises(RuntimeError, match="apt install libflite1"):
        flite_worker.load({})


async def said_by_auto(choices: dict[str, Voice]) -> dict[str, Utterance]:
    auto = AutoSynthesizer()
    await auto.start()
    try:
        return {key: await speak(auto, WELCOME, voice) for key, voice in choices.items()}
    finally:
        await auto.close()


@needs_flite
async def test_auto_prefers_flite_for_english() -> None:
    said = await said_by_auto(
        {
            "default": Voice(), "slt": Voice("flite:slt"), "bare": Voice("rms"), "unknown": Voice("marin"),
            "espeak": Voice("espeak:en-us"), "espeak bare": Voice("en-us"), "german": Voice("flite:slt", "de"),
            "own": Voice("flite:rms").renamed("marin"), "own espeak": Voice("en-us").renamed("cedar"),
            "chosen": Voice("en-us").renamed("slt"),
        }
    )  # fmt: skip
    async with started("espeak") as espeak, started("flite") as flite:
        slt, rms = [await speak(flite, WELCOME, Voice(name)) for name in ("slt", "rms")]
        english, german = [await speak(espeak, WELCOME, Voice(language=language)) for language in ("en", "de")]
    for key, other in {
        "default": slt, "slt": slt, "bare": rms, "unknown": slt, "espeak": english, "espeak bare": english,
        "german": german, "own": rms, "own espeak": english, "chosen": slt,
    }.items():  # fmt: skip
        assert same_sound(said[key], other), key


async def test_auto_without_flite_is_espeak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visavis.speech.auto_synthesizer.flite_installed", lambda: False)
    said = await said_by_auto({"": Voice(), "en-us+f3": Voice("flite:slt")})
    async with started("espeak") as espeak:
        assert all([same_sound(one, await speak(espeak, WELCOME, Voice(name))) for name, one in said.items()])


@needs_flite
async def test_the_engines_agree_on_the_mouth() -> None:
    async with started("espeak") as espeak, started("flite") as flite:
        synthesizers: list[Synthesizer] = [espeak, flite]
        one, other = [await speak(synthesizer, "Maybe.") for synthesizer in synthesizers]
    shapes = [[v.viseme for v in said.visemes if v.viseme is not Viseme.SIL] for said in (one, other)]
    assert shapes[0] == shapes[1]
