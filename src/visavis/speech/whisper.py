"""Recognition by faster-whisper with weights on this machine (the optional extra ``whisper``).

The network sees the utterance in a window of 30 s after its end: on a CPU the words come 0.3 s (tiny.en) to 1.7 s
(small.en) later. It runs in a worker process (workers/whisper.py), one utterance at a time.
"""

from pathlib import Path

import numpy as np

from visavis.speech.models import ModelError, ModelStore
from visavis.speech.ports import Pcm16, RecognitionContext, SpeechError, Transcript
from visavis.speech.utterance_buffer import WholeUtteranceStream
from visavis.speech.worker import WorkerProcess


class WhisperRecognizer:
    """A ``Recognizer`` by faster-whisper; it has no words before the end.

    ``model``: a folder with CTranslate2 weights, or a name (``base.en``, ``large-v3-turbo``), looked for in ``store``
    and then in the hub's local cache; nothing is downloaded. ``workers``: threads of the one worker process;
    ``device``: ``auto``, ``cpu`` or ``cuda``; ``compute_type``: CTranslate2's, ``default`` is the weights' own on a
    GPU and int8 on a CPU; ``timeout``: seconds for an utterance's words, waiting included.
    """

    def __init__(
        self,
        model: str,
        *,
        workers: int = 2,
        store: ModelStore | None = None,
        device: str = "auto",
        compute_type: str = "default",
        timeout: float = 60.0,
    ) -> None:
        self._model = model
        self._store = store or ModelStore()
        self._options = {"threads": workers, "device": device, "compute_type": compute_type}
        self._patience = timeout
        self._worker: WorkerProcess | None = None

    async def start(self) -> None:
        """Load the weights. Raises ``SpeechError`` with the command to run when they or the library are missing."""
        if self._worker is None:
            place, advice = self._locate()
            options = self._options | {"model": place, "advice": advice}
            # Without these, a missing file is asked for over the network with retries of half a minute.
            offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
            worker = WorkerProcess("visavis.speech.workers.whisper", options, environment=offline, start_timeout=180.0)
            try:
                await worker.start()
            except BaseException:
                await worker.close()
                raise
            self._worker = worker

    async def close(self) -> None:
        """End the worker. Idempotent."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.close()

    def open(self, context: RecognitionContext) -> WholeUtteranceStream:
        """Begin an utterance."""
        language = context.language.replace("_", "-").split("-")[0].lower()
        return WholeUtteranceStream(lambda sound: self._recognize(sound, language))

    def _locate(self) -> tuple[str, str]:
        """What to load, and what to do when that fails."""
        folder = Path(self._model).expanduser()
        if folder.is_dir():
            return str(folder), "it needs CTranslate2 weights of Whisper with their tokenizer.json"
        name = f"whisper:{self._model}"
        try:
            path = self._store.find(name)
        except ModelError:
            return self._model, "it is neither a folder nor a model that visavis models list names"
        return str(path or self._model), f"fetch them with: visavis models pull {name}"

    async def _recognize(self, sound: Pcm16, language: str) -> Transcript:
        if self._worker is None:
            raise SpeechError("the whisper recognizer is not running")
        payload = sound.astype(np.int16).tobytes()
        reply = await self._worker.call("recognize", {"language": language}, payload, within=self._patience)
        return Transcript(str(reply.data["text"]), reply.data["confidence"])
