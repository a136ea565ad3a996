"""Small networks in ONNX files, run by onnxruntime on one thread of the caller's."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from visavis.speech.ports import SpeechError

Array = NDArray[Any]


class Network:
    """One loaded file; may be used from several threads. Raises ``SpeechError`` when it cannot be loaded.

    onnxruntime's own threads stay off: for networks this small they cost more in spinning than they gain.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            runtime: Any = importlib.import_module("onnxruntime")
            options = runtime.SessionOptions()
            options.intra_op_num_threads = 1
            options.inter_op_num_threads = 1
            self._session: Any = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's own exceptions have no common base
            raise SpeechError(f"the network {path} cannot be loaded: {error}") from error

    @property
    def inputs(self) -> Mapping[str, tuple[int | str | None, ...]]:
        """Names and shapes of the inputs; a dimension that is open is a name or None."""
        return {entry.name: tuple(entry.shape) for entry in self._session.get_inputs()}

    def run(self, inputs: Mapping[str, Array]) -> Sequence[Array]:
        """The outputs, in the file's order. Raises ``SpeechError``."""
        try:
            return self._session.run(None, dict(inputs))
        except Exception as error:
            raise SpeechError(f"the network {self._path} failed: {error}") from error
