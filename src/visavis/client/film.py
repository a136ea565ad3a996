"""Writes what an avatar said and showed into a film file."""

import queue
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from visavis.client.media import AUDIO_RATE, AudioFrame, VideoFrame

_HELD = 2000
"""Frames that wait to be encoded; new ones beyond them are left out."""
_MILLISECOND = Fraction(1, 1000)


class FilmError(Exception):
    """A film cannot be written; the message is for the user."""


class Film:
    """A film with picture and sound on the call's own timeline; the file's suffix chooses its kind (.mp4, .mkv …).

    It has no opacity: a transparent avatar stands in front of black.

    Encoding runs in a thread of its own. ``close`` finishes the file; one that got no picture is not written.
    Raises ``FilmError`` where there can be no such file.
    """

    def __init__(self, path: Path) -> None:
        if not path.parent.is_dir():
            raise FilmError(f"{path} cannot be written: there is no folder {path.parent}")
        try:
            # Nothing is written before the first packet.
            self._container: Any = av.open(str(path), "w")  # av.container.OutputContainer
        except (OSError, ValueError):
            raise FilmError(f"{path} cannot be written: no kind of film ends in {path.suffix or path.name!r}") from None
        self.path = path
        self.seconds = 0.0
        """How long the film is so far."""
        self.left_out = 0
        """Frames that there was no time for."""
        self._frames: queue.Queue[AudioFrame | VideoFrame | None] = queue.Queue(_HELD)
        self._video: Any = None
        self._audio: Any = None
        self._origin: float | None = None
        self._last_picture = -1
        self._audio_end = 0
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._write, name="film", daemon=True)
        self._thread.start()

    def add_video(self, frame: VideoFrame) -> None:
        """A picture of the call."""
        self._add(frame)

    def add_audio(self, frame: AudioFrame) -> None:
        """Sound of the call."""
        self._add(frame)

    @property
    def begun(self) -> bool:
        """Whether it has a picture."""
        return self._origin is not None

    def close(self) -> None:
        """Finish the file; takes as long as its encoding. Idempotent. Raises ``FilmError``."""
        if self._thread.is_alive():
            self._frames.put(None)
            self._thread.join()
        if self._error:
            raise FilmError(f"{self.path} cannot be written: {self._error}") from self._error

    def _add(self, frame: AudioFrame | VideoFrame) -> None:
        try:
            self._frames.put_nowait(frame)
        except queue.Full:
            self.left_out += 1

    def _write(self) -> None:
        try:
            while (frame := self._frames.get()) is not None:
                if isinstance(frame, VideoFrame):
                    self._add_picture(frame)
                elif self._origin is not None:
                    self._add_sound(frame)
            self._finish()
        except Exception as error:
            self._error = error
            while self._frames.get() is not None:
                pass
        finally:
            self._release()

    def _open(self, frame: VideoFrame) -> None:
        # The first picture decides where the film begins.
        self._origin = frame.timing.due
        self._video = self._container.add_stream(_video_codec(), rate=25)
        self._video.width, self._video.height = frame.picture.width // (1 + frame.transparent), frame.picture.height
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = _MILLISECOND
        self._audio = self._container.add_stream("aac", rate=AUDIO_RATE, layout="mono")

    def _add_picture(self, frame: VideoFrame) -> None:
        if self._origin is None:
            self._open(frame)
        at = round((frame.timing.due - (self._origin or 0.0)) * 1000)
        if at <= self._last_picture:
            return
        self._last_picture = at
        seen = av.VideoFrame.from_ndarray(frame.bgr(), format="bgr24") if frame.transparent else frame.picture
        picture = seen.reformat(self._video.width, self._video.height, "yuv420p")
        picture.pts, picture.time_base = at, _MILLISECOND
        self._mux(self._video.encode(picture))
        self.seconds = max(self.seconds, at / 1000)

    def _add_sound(self, frame: AudioFrame) -> None:
        at = round((frame.timing.due - (self._origin or 0.0)) * AUDIO_RATE)
        if at < 0:
            return
        if 0 < at - self._audio_end < 10 * AUDIO_RATE:
            self._encode_sound(np.zeros(at - self._audio_end, np.int16))
        self._encode_sound(frame.pcm)

    def _encode_sound(self, pcm: NDArray[np.int16]) -> None:
        sound = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = AUDIO_RATE, self._audio_end, Fraction(1, AUDIO_RATE)
        self._audio_end += len(pcm)
        self._mux(self._audio.encode(sound))

    def _mux(self, packets: Any) -> None:
        self._container.mux(packets)

    def _finish(self) -> None:
        if self._origin is None:
            return
        self._mux(self._video.encode(None))
        self._mux(self._audio.encode(None))
        self._container.close()

    def _release(self) -> None:
        """Close the file also where it could not be finished."""
        try:
            self._container.close()
        except (OSError, ValueError) as error:
            self._error = self._error or error


def _video_codec() -> str:
    return "libx264" if "libx264" in av.codecs_available else "mpeg4"
