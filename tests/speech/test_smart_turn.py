"""smart-turn: its features by what is known of them; the file's loading with a network made on the spot."""

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.speech.spoken import Speaker, recorded
from visavis.speech.models import ModelStore
from visavis.speech.network import Network
from visavis.speech.ports import LISTEN_RATE, SpeechError
from visavis.speech.smart_turn import BANDS, FRAMES, SAMPLES, SmartTurn, log_mel, mel_filters


def tone(hertz: float, seconds: float = 8.0) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * LISTEN_RATE)) / LISTEN_RATE)).astype(np.int16)


def centre_of(band: int) -> float:
    """Hz, by the definition of Slaney's scale (Auditory Toolbox, 1998): 3 mel per 200 Hz, above 1 kHz logarithmic."""
    mel = (band + 1) * (15 + 27 * np.log(8) / np.log(6.4)) / (BANDS + 1)
    return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)


def test_features_have_the_networks_shape_and_range(speaker: Speaker) -> None:
    features = log_mel(recorded(speaker.say("Where is the meeting room?")))
    assert features.shape == (BANDS, FRAMES)
    assert features.dtype == np.float32
    # The floor lies 8 decades below the maximum, and a quarter of it is what is left after scaling.
    assert features.max() - features.min() == pytest.approx(2.0, abs=1e-5)


@pytest.mark.parametrize("band", [5, 15, 30, 50, 70])
def test_a_tone_is_strongest_in_the_band_around_it(band: int) -> None:
    features = log_mel(tone(centre_of(band)))
    assert (features[:, 10:-10].argmax(axis=0) == band).all()


def test_filters_have_equal_area_and_overlap_without_gaps() -> None:
    filters = mel_filters()
    assert filters.shape == (201, BANDS)
    # Hz per bin × sum = area 1, up to the coarseness of the bins.
    assert filters[:, 30:].sum(axis=0) * 40 == pytest.approx(np.ones(BANDS - 30), abs=0.1)
    assert (filters[1:-1].sum(axis=1) > 0).all()


def test_only_the_last_eight_seconds_count_and_less_is_put_at_the_end() -> None:
    sound = np.concatenate([tone(3000, 2), tone(400, 8)])
    assert np.array_equal(log_mel(sound), log_mel(sound[-SAMPLES:]))
    short = log_mel(tone(1000, 1))
    strong = np.flatnonzero(short.max(axis=0) > short.max() - 0.3)
    assert strong[0] >= FRAMES - 103
    assert strong[-1] == FRAMES - 1


def test_loudness_does_not_matter() -> None:
    loud = tone(700, 3)
    assert np.abs(log_mel(loud) - log_mel((loud / 10).astype(np.int16))).mean() < 0.02


def test_silence_and_nothing_give_the_floor() -> None:
    # log10 of the smallest power is -10: (-10 + 4) / 4.
    for sound in (np.zeros(0, np.int16), np.zeros(SAMPLES, np.int16)):
        assert np.allclose(log_mel(sound), -1.5)


def write_network(path: Path, bands: int = BANDS) -> None:
    """An ONNX file (onnx.proto: ModelProto) that gives the sigmoid of the features' mean, by the name "logits"."""

    def varint(value: int) -> bytes:
        out = b""
        while value > 127:
            out += bytes([value & 127 | 128])
            value >>= 7
        return out + bytes([value])

    def field(number: int, content: bytes | str | int) -> bytes:
        if isinstance(content, int):
            return varint(number << 3) + varint(content)
        content = content.encode() if isinstance(content, str) else content
        return varint(number << 3 | 2) + varint(len(content)) + content

    def tensor(name: str, *shape: int | str) -> bytes:
        dimensions = b"".join(field(1, field(1, n) if isinstance(n, int) else field(2, n)) for n in shape)
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, dimensions)))

    axes = field(1, "axes") + field(20, 7) + field(8, 1) + field(8, 2)
    mean = (
        field(1, "input_features") + field(2, "mean") + field(4, "ReduceMean")
        + field(5, axes) + field(5, field(1, "keepdims") + field(20, 2) + field(3, 0))
    )  # fmt: skip
    sigmoid = field(1, "mean") + field(2, "logits") + field(4, "Sigmoid")
    graph = (
        field(1, mean) + field(1, sigmoid) + field(2, "turn")
        + field(11, tensor("input_features", "batch", bands, FRAMES)) + field(12, tensor("logits", "batch"))
    )  # fmt: skip
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(2, 13)))


async def test_a_network_of_the_right_shape_is_asked(tmp_path: Path, speaker: Speaker) -> None:
    write_network(tmp_path / "turn.onnx")
    sound = recorded(speaker.say("Where is the meeting room?"))
    turn = SmartTurn(tmp_path / "turn.onnx")
    await turn.start()
    expected = 1 / (1 + np.exp(-log_mel(sound).mean()))
    assert await turn.finished(sound) == pytest.approx(expected, abs=1e-4)
    await turn.close()
    await turn.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("smart-turn")]
    with pytest.raises(SpeechError, match="closed"):
        await turn.finished(sound)


async def test_too_many_questions_at_once_are_refused(tmp_path: Path) -> None:
    write_network(tmp_path / "turn.onnx")
    turn = SmartTurn(tmp_path / "turn.onnx", waiting=2)
    await turn.start()
    answers = await asyncio.gather(*(turn.finished(tone(300)) for _ in range(5)), return_exceptions=True)
    assert [isinstance(answer, SpeechError) for answer in answers] == [False, False, True, True, True]
    assert 0 < await turn.finished(tone(300)) < 1
    await turn.close()


async def test_what_is_not_the_network_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"not a network")
    write_network(tmp_path / "other.onnx", bands=64)
    for name in ("broken.onnx", "missing.onnx", "other.onnx"):
        turn = SmartTurn(tmp_path / name)
        with pytest.raises(SpeechError, match=name):
            await turn.start()
        with pytest.raises(SpeechError, match="not started"):
            await turn.finished(tone(300))
        await turn.close()


async def test_the_real_network_gives_a_probability(speaker: Speaker) -> None:
    path = ModelStore().find("smart-turn")
    if path is None:
        pytest.skip("not pulled on this machine")
    assert Network(path).inputs.keys() == {"input_features"}
    turn = SmartTurn(path)
    await turn.start()
    # Nothing is said here about which: synthetic voices are outside of what it was trained on.
    assert 0 <= await turn.finished(recorded(speaker.say("Where is the meeting room?"))) <= 1
    await turn.close()
