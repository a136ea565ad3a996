"""Piper with a model of the right signature and random weights: the way to it is tested, not how it sounds."""

import contextlib
import importlib.util
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import psutil
import pytest

from tests.speech.utterances import assert_sound, speak
from visavis.speech.piper import PiperSynthesizer
from visavis.speech.ports import SpeechError, Voice
from visavis.speech.workers import piper as piper_worker
from visavis.speech.workers.utterance import UtteranceWriter
from visavis.viseme import Viseme

TEXT = "Bob may pay the piper. A well-known man, said 3 others."
FRAME = 256
FRAMES = 5

needs_piper = pytest.mark.skipif(
    importlib.util.find_spec("piper") is None or importlib.util.find_spec("onnx") is None,
    reason="the piper extra is not installed",
)


def write_voice(path: Path, *, rate: int = 22_050, aligned: bool = True) -> None:
    """A voice that gives each phoneme five frames of a tone, loud by chance; ``aligned``: with findable durations."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    tone = np.sin(2 * np.pi * 220 * np.arange(FRAME * FRAMES) / rate).astype(np.float32)
    constants = {
        "loudness": rng.uniform(0.2, 1.0, (256, 1)).astype(np.float32),
        "tone": tone[None, None],
        "almost_five": np.array([FRAMES - 0.5], np.float32),
        "flat": np.array([1, 1, -1]),
        "one": np.array([1]),
        "zero": np.array([0.0], np.float32),
    }
    node = helper.make_node
    nodes = [
        node("Gather", ["loudness", "input"], ["each"]),
        node("Mul", ["each", "tone"], ["sounds"]),
        node("Reshape", ["sounds", "flat"], ["output"]),
        node("Cast", ["input"], ["ids"], to=TensorProto.FLOAT),
        node("Mul", ["ids", "zero"], ["nothing"]),
        node("Add", ["nothing", "almost_five"], ["width"]),
        node("Ceil" if aligned else "Round", ["width"], ["w_ceil"]),
        node("Unsqueeze", ["w_ceil", "one"], ["durations"]),
    ]
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, [1, None]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, None])]
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "voice", inputs, outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP

    config = {
        "audio": {"sample_rate": rate},
        "espeak": {"voice": "en-us"},
        "num_symbols": 256,
        "num_speakers": 1,
        "phoneme_id_map": DEFAULT_PHONEME_ID_MAP,
    }
    Path(f"{path}.json").write_text(json.dumps(config))


@contextlib.asynccontextmanager
async def started(voice: str, directory: Path | None = None) -> AsyncIterator[PiperSynthesizer]:
    piper = PiperSynthesizer(voice, directory=directory)
    await piper.start()
    try:
        yield piper
    finally:
        await piper.close()


@needs_piper
async def test_sound_mouth_and_words(tmp_path: Path) -> None:
    write_voice(tmp_path / "en_US-random-low.onnx")
    async with started("en_US-random-low", tmp_path) as piper:
        said = await speak(piper, TEXT)
        assert piper._pool is not None
        (pid,) = piper._pool.pids
    assert not psutil.pid_exists(pid)
    assert_sound(said)
    assert said.marked() == TEXT.split()
    # Every character of IPA lasts five frames, and Piper puts a pad after each: the first is "b", after the beginning.
    first = next(v for v in said.visemes if v.viseme is not Viseme.SIL)
    assert first.viseme is Viseme.PP
    assert first.start == pytest.approx(2 * FRAMES * FRAME / 22_050, abs=0.02)
    assert said.words[0].at == pytest.approx(first.start, abs=0.001)
    shapes = [v.viseme for v in said.visemes if v.start < said.words[3].at]
    assert shapes.count(Viseme.PP) >= 3


@needs_piper
async def test_a_model_without_durations_has_no_visemes(tmp_path: Path) -> None:
    write_voice(tmp_path / "plain.onnx", rate=16_000, aligned=False)
    async with started(str(tmp_path / "plain.onnx")) as piper:
        said = await speak(piper, TEXT)
    assert said.chunks
    assert all(chunk.visemes is None for chunk in said.chunks)
    assert said.level() > -30


@needs_piper
async def test_voices_are_found_by_name_and_language(tmp_path: Path) -> None:
    for name, rate in (("en_US-a-low", 22_050), ("de_DE-b-low", 16_000), ("en_GB-c-low", 44_100)):
        write_voice(tmp_path / f"{name}.onnx", rate=rate)
    wanted = {
        ("", "de"): 16_000, ("", "en-GB"): 44_100, ("", "fr"): 22_050, ("piper:de_DE-b-low", "en"): 16_000,
        ("../x", "en-US"): 22_050, ("en_GB-c-low#1", "de"): 44_100,
    }  # fmt: skip
    async with started("en_US-a-low", tmp_path) as piper:
        for (name, language), rate in wanted.items():
            said = await speak(piper, "Hi.", Voice(name, language))
            phonemes = said.duration / (FRAMES * FRAME / rate)
            assert phonemes == pytest.approx(round(phonemes), abs=0.01)
            assert 9 <= round(phonemes) <= 15, (name, language)


@needs_piper
async def test_a_broken_model_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"nothing of the kind")
    (tmp_path / "bad.onnx.json").write_text("{}")
    with pytest.raises(SpeechError):
        async with started(str(tmp_path / "bad.onnx")):
            pass


async def test_a_missing_package_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SpeechError, match=r"pip install 'visavis\[piper\]'"):
        async with started("en_US-lessac-medium", tmp_path):
            pass


async def test_a_missing_voice_is_told_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    (tmp_path / "half.onnx").touch()
    for name in ("half", "nobody", str(tmp_path / "half.onnx"), "../nobody"):
        with pytest.raises(SpeechError, match="download_voices"):
            async with started(name, tmp_path):
                pass


async def test_before_the_start_nothing_is_said() -> None:
    with pytest.raises(SpeechError, match="started"):
        await speak(PiperSynthesizer("x"), "Hello.")


class Noted:
    """Takes what a worker tells of an utterance."""

    def __init__(self) -> None:
        self.words: list[tuple[int, float]] = []
        self.stresses: list[float] = []

    def phoneme(self, shapes: object, start: float) -> None: ...

    def word(self, offset: int, at: float) -> None:
        self.words.append((offset, at))

    def stress(self, at: float) -> None:
        self.stresses.append(at)


@dataclass
class Symbol:
    phoneme: str
    num_samples: int = 100


def test_stresses_are_on_the_vowels_behind_their_marks() -> None:
    noted = Noted()
    writer = cast(UtteranceWriter, noted)
    symbols = [Symbol(symbol) for symbol in "^ðə ɡˈɑɹdən əbˌaʊtʃˈɪ$"]
    groups = piper_worker._tell_phonemes(writer, symbols, 1.0, 1000)
    piper_worker._tell_words(writer, "The garden aboutchy", groups)
    assert [offset for offset, _ in noted.words] == [0, 4, 11]
    starts = [round(1.0 + 0.1 * place, 3) for place in (1, 4, 12)]
    assert [round(at, 3) for _, at in noted.words] == starts
    # Where a word has none, nothing is told; the secondary one does not count.
    assert noted.stresses == pytest.approx([1.6, 3.0])
