"""A decoder that recovers lost packets from in-band error correction, like browsers do and libavcodec does not.

It is the libopus that PyAV brings, called by its C interface (https://opus-codec.org/docs/opus_api-1.5).
"""

import ctypes
from pathlib import Path

import av
import numpy as np

from visavis.speech.ports import Pcm16

RATE = 24_000
PACKET = RATE // 50


def find() -> str | None:
    """Where PyAV's libopus is; None where PyAV was built against the system's."""
    found = sorted((Path(av.__file__).parents[1] / "av.libs").glob("libopus*"))
    return str(found[0]) if found else None


class Decoder:
    """Mono at ``RATE``."""

    def __init__(self) -> None:
        path = find()
        assert path is not None
        self._library = ctypes.CDLL(path)
        self._library.opus_decoder_create.restype = ctypes.c_void_p
        error = ctypes.c_int()
        self._state = ctypes.c_void_p(self._library.opus_decoder_create(RATE, 1, ctypes.byref(error)))
        assert error.value == 0

    def decode(self, packet: bytes | None, *, recover: bool = False) -> Pcm16:
        """20 ms of sound. None: conceal a loss; ``recover``: the packet *before* this one, from its copy in it."""
        out = np.zeros(PACKET, np.int16)
        count = self._library.opus_decode(
            self._state,
            packet,
            ctypes.c_int32(len(packet) if packet else 0),
            out.ctypes.data_as(ctypes.c_void_p),
            PACKET,
            int(recover),
        )
        assert count == PACKET
        return out

    def close(self) -> None:
        self._library.opus_decoder_destroy(self._state)
