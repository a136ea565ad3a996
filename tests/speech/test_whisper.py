"""Whisper: what is missing is told; and, where faster-whisper is installed, a tiny random network recognizes."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from visavis.speech.models import ModelStore
from visavis.speech.ports import LISTEN_RATE, RecognitionContext, SpeechError
from visavis.speech.whisper import WhisperRecognizer

INSTALLED = importlib.util.find_spec("faster_whisper") is not None
needs_library = pytest.mark.skipif(not INSTALLED, reason="faster-whisper is not installed")


def workers() -> list[psutil.Process]:
    """This module's workers that are up; other tests' synthesizers may be, too."""
    return [child for child in psutil.Process().children() if "visavis.speech.workers.whisper" in child.cmdline()]


SOUND = (3000 * np.sin(np.arange(2 * LISTEN_RATE) / 9)).astype(np.int16)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.mark.skipif(INSTALLED, reason="faster-whisper is installed")
async def test_a_missing_library_is_told_with_the_command(store: ModelStore) -> None:
    recognizer = WhisperRecognizer("base.en", store=store)
    with pytest.raises(SpeechError, match=r"pip install 'visavis\[whisper\]'"):
        await recognizer.start()
    await recognizer.close()
    assert not workers()


@needs_library
@pytest.mark.parametrize("broken", [False, True])
async def test_missing_or_broken_weights_are_told_with_the_command(store: ModelStore, broken: bool) -> None:
    if broken:
        folder = store.directory / "whisper-base.en"
        folder.mkdir(parents=True)
        (folder / "model.bin").write_bytes(b"nothing")
    recognizer = WhisperRecognizer("base.en", store=store)
    with pytest.raises(SpeechError, match=r"visavis models pull whisper:base\.en"):
        await recognizer.start()
    await recognizer.close()
    assert not workers()


@needs_library
async def test_what_is_no_model_is_told(store: ModelStore, tmp_path: Path) -> None:
    for model, message in (("colossal", "neither a folder nor a model"), (str(tmp_path), "needs CTranslate2 weights")):
        with pytest.raises(SpeechError, match=message):
            await WhisperRecognizer(model, store=store).start()


async def test_a_recognizer_that_was_not_started_says_so(store: ModelStore) -> None:
    stream = WhisperRecognizer("base.en", store=store).open(RecognitionContext())
    stream.push(SOUND)
    assert await stream.partial() == ""
    with pytest.raises(SpeechError, match="not running"):
        await stream.finish()


def make_weights(folder: Path) -> None:
    """Random weights of Whisper's architecture, one narrow layer each, and a tokenizer of single bytes."""
    specs: Any = importlib.import_module("ctranslate2.specs")
    tokenizers: Any = importlib.import_module("tokenizers")
    specials = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|translate|>", "<|transcribe|>"]
    specials += ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    specials += [f"<|{step * 0.02:.2f}|>" for step in range(1501)]
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE({letter: at for at, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens(specials)

    random, width, words = np.random.default_rng(0), 32, len(letters) + len(specials)
    spec = specs.WhisperSpec(1, 2, 1, 2)

    def weights(layer: Any, *shape: int, name: str = "weight") -> None:
        setattr(layer, name, (random.normal(size=shape) * 0.3).astype(np.float32))

    def norm(layer: Any) -> None:
        layer.gamma, layer.beta = np.ones(width, np.float32), np.zeros(width, np.float32)

    for part, positions in ((spec.encoder, 1500), (spec.decoder, 448)):
        weights(part.position_encodings, positions, width, name="encodings")
        norm(part.layer_norm)
        layer = part.layer[0]
        weights(layer.self_attention.linear[0], 3 * width, width)
        weights(layer.self_attention.linear[1], width, width)
        weights(layer.ffn.linear_0, 4 * width, width)
        weights(layer.ffn.linear_1, width, 4 * width)
        norm(layer.self_attention.layer_norm)
        norm(layer.ffn.layer_norm)
    across = spec.decoder.layer[0].attention
    for linear, rows in zip(across.linear, (width, 2 * width, width), strict=True):
        weights(linear, rows, width)
    norm(across.layer_norm)
    weights(spec.encoder.conv1, width, 80, 3)
    weights(spec.encoder.conv2, width, width, 3)
    weights(spec.decoder.embeddings, words, width)
    weights(spec.decoder.projection, words, width)
    spec.register_vocabulary([*letters, *specials])
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.lang_ids, spec.config.alignment_heads = [], [(0, 0)]
    spec.validate()
    folder.mkdir(parents=True)
    spec.save(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))


@needs_library
@pytest.mark.parametrize("by_path", [False, True])
async def test_weights_on_this_machine_are_used(store: ModelStore, by_path: bool) -> None:
    folder = store.directory / "whisper-base.en"
    make_weights(folder)
    recognizer = WhisperRecognizer(str(folder) if by_path else "base.en", store=store, workers=1, device="cpu")
    await recognizer.start()
    (child,) = workers()
    stream = recognizer.open(RecognitionContext("en-GB"))
    for at in range(0, len(SOUND), 512):
        stream.push(SOUND[at : at + 512])
    transcript = await stream.finish()
    # Random weights understand something or nothing; what is said of it must be in order.
    assert transcript.text == " ".join(transcript.text.split())
    assert (transcript.confidence is None) == (transcript.text == "") or 0 < (transcript.confidence or 0) <= 1
    await recognizer.close()
    await recognizer.close()
    assert not child.is_running()
