"""The recognizing worker for Whisper's weights by faster-whisper.

Operation: ``recognize`` with ``{"language": ISO 639-1}`` and the sound (16 kHz, 16 bit) as payload → ``{"text": …,
"confidence": …}``; the confidence is the geometric mean of the tokens' probabilities, null without words.
"""

import importlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from visavis.speech.workers.serving import Handler, Request, RequestCancelled, serve


def load(options: Mapping[str, Any]) -> Mapping[str, Handler]:
    """Load the weights. Options: ``model`` (folder or name), ``advice`` (what to do when
    they cannot be loaded), ``threads``, ``device``, ``compute_type``.

    Raises ``RuntimeError`` that says what to do.
    """
    network = _network(options)

    def recognize(request: Request) -> None:
        sound = np.frombuffer(request.payload, np.int16).astype(np.float32) / 32768
        segments, _ = network.transcribe(
            sound,
            language=request.data["language"] if network.model.is_multilingual else "en",
            # Utterances are short and stand alone; a wider search takes longer and finds the same.
            beam_size=1,
            without_timestamps=True,
            condition_on_previous_text=False,
        )
        texts: list[str] = []
        logarithms: list[float] = []
        for segment in segments:
            if request.cancelled:
                raise RequestCancelled
            texts.append(segment.text)
            logarithms += [segment.avg_logprob] * max(1, len(segment.tokens))
        confidence = math.exp(sum(logarithms) / len(logarithms)) if logarithms else None
        request.reply({"text": " ".join("".join(texts).split()), "confidence": confidence})

    return {"recognize": recognize}


def _network(options: Mapping[str, Any]) -> Any:
    try:
        library: Any = importlib.import_module("faster_whisper")
    except ImportError as error:
        raise RuntimeError(f"faster-whisper cannot be used ({error}); pip install 'visavis[whisper]'") from error
    compute_type = options["compute_type"]
    if compute_type == "default" and not _on_gpu(options["device"]):
        compute_type = "int8"
    try:
        return library.WhisperModel(
            options["model"],
            device=options["device"],
            compute_type=compute_type,
            cpu_threads=options["threads"],
            local_files_only=True,
        )
    except Exception as error:
        # The library raises whatever the hub's client, the tokenizer and CTranslate2 raise, for missing files and
        # broken ones alike.
        raise RuntimeError(
            f"the weights of Whisper {options['model']!r} are not on this machine or cannot be read "
            f"({_first_line(error)}); {options['advice']}"
        ) from error


def _on_gpu(device: str) -> bool:
    if device != "auto":
        return device != "cpu"
    runtime: Any = importlib.import_module("ctranslate2")
    return runtime.get_cuda_device_count() > 0


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


if __name__ == "__main__":
    serve(load)
