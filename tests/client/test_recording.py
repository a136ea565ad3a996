"""Recordings: 16-bit WAV of any rate and channels; of anything else, one line that says so."""

import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from visavis.client import MICROPHONE_RATE
from visavis.client.recording import RecordingError, read_wav


def write(path: Path, pcm: bytes, *, rate: int = MICROPHONE_RATE, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(pcm)
    return path


def test_the_microphones_own_format_is_taken_as_it_is(tmp_path: Path) -> None:
    pcm = np.arange(-1000, 1000, dtype="<i2")
    assert np.array_equal(read_wav(write(tmp_path / "a.wav", pcm.tobytes())), pcm)


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (44_100, 2), (48_000, 6)])
def test_other_rates_and_channels_are_converted(tmp_path: Path, rate: int, channels: int) -> None:
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype("<i2")
    pcm = read_wav(write(tmp_path / "a.wav", np.repeat(tone, channels).tobytes(), rate=rate, channels=channels))
    assert len(pcm) == pytest.approx(MICROPHONE_RATE, abs=50)
    spectrum = np.abs(np.fft.rfft(pcm.astype(float)))
    assert np.argmax(spectrum) * MICROPHONE_RATE / len(pcm) == pytest.approx(440, abs=2)
    assert np.max(np.abs(pcm)) == pytest.approx(8000, rel=0.05)


def test_a_file_that_was_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", bytes(4000), channels=2)
    path.write_bytes(path.read_bytes()[:-1001])
    assert len(read_wav(path)) == 749


@pytest.mark.parametrize("width", [1, 3, 4])
def test_other_samples_are_refused(tmp_path: Path, width: int) -> None:
    path = write(tmp_path / "a.wav", bytes(width * 100), width=width)
    with pytest.raises(RecordingError, match=rf"a\.wav is not a WAV file of 16-bit PCM: it has {8 * width}-bit"):
        read_wav(path)


def floats() -> bytes:
    data = np.zeros(100, "<f4").tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 1, 24_000, 96_000, 4, 32)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body


@pytest.mark.parametrize("content", [floats(), b"", b"RIFF", b"ID3 no wave at all, but some bytes of it"])
def test_what_is_no_such_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"a\.wav is not a WAV file of 16-bit PCM: \w") as raised:
        read_wav(path)
    assert "\n" not in str(raised.value)


def test_no_sound_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="has no sound in it"):
        read_wav(write(tmp_path / "a.wav", b""))
    with pytest.raises(RecordingError, match=r"b\.wav cannot be read: No such file"):
        read_wav(tmp_path / "b.wav")
    with pytest.raises(RecordingError, match="cannot be read"):
        read_wav(tmp_path)
