"""A film's file: what is written into it, and how it is told that there can be none."""

import threading
from pathlib import Path

import av
import numpy as np
import pytest

from visavis.client import AUDIO_RATE, AudioFrame, Timing, VideoFrame
from visavis.client.film import Film, FilmError


def picture(at: float) -> VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.full((96, 64, 3), 128, np.uint8), format="bgr24")
    return VideoFrame(frame, Timing(at, at, None))


def sound(at: float) -> AudioFrame:
    pcm = (8000 * np.sin(np.arange(AUDIO_RATE // 50) / 4)).astype(np.int16)
    return AudioFrame(pcm, Timing(at, at, None))


def film_threads() -> int:
    return sum(thread.name == "film" for thread in threading.enumerate())


def test_picture_and_sound_keep_their_times(tmp_path: Path) -> None:
    film = Film(tmp_path / "answer.mp4")
    assert not film.begun
    for number in range(100):
        film.add_audio(sound(7 + number / 50))
        if number % 2 == 0:
            film.add_video(picture(7 + number / 50))
    film.close()
    film.close()
    assert film.begun
    assert film.left_out == 0
    assert film.seconds == pytest.approx(1.96)
    with av.open(str(film.path)) as container:
        pictures = [frame.time for frame in container.decode(video=0)]
    assert len(pictures) == 50
    assert pictures[-1] == pytest.approx(1.96, abs=0.002)
    with av.open(str(film.path)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples == pytest.approx(2 * AUDIO_RATE, abs=3000)


def test_nothing_is_written_without_a_picture(tmp_path: Path) -> None:
    film = Film(tmp_path / "answer.mp4")
    film.add_audio(sound(1))
    film.close()
    assert not film.begun
    assert not film.path.exists()


@pytest.mark.parametrize("name", ["nowhere/answer.mp4", "answer", "answer.xyz"])
def test_an_impossible_file_is_refused_at_once(tmp_path: Path, name: str) -> None:
    with pytest.raises(FilmError, match="cannot be written") as raised:
        Film(tmp_path / name)
    assert "\n" not in str(raised.value)
    assert film_threads() == 0


def test_a_file_that_cannot_be_written_is_told_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "answer.mp4").mkdir()
    film = Film(tmp_path / "answer.mp4")
    for number in range(3000):
        film.add_video(picture(number / 25))
    with pytest.raises(FilmError, match="cannot be written"):
        film.close()
    assert film_threads() == 0
