"""NeuralFaces: the network of a server, its worker, and the faces of all its sessions."""

import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Literal

from visavis.avatar.neural.composition import SpeakingFace
from visavis.avatar.neural.face import AudioFace
from visavis.avatar.neural.musetalk import Latents, MuseTalk
from visavis.avatar.neural.musetalk_torch import VAE, TorchNetworks
from visavis.avatar.neural.pictures import FaceLoop, loop_of_file, loop_of_package
from visavis.avatar.neural.ports import MouthEngine, NeuralError, S
from visavis.avatar.neural.renderer import NeuralRenderer
from visavis.avatar.neural.wav2lip import Crops, Wav2Lip
from visavis.avatar.neural.worker import MouthWorker
from visavis.avatar.package import AvatarPackage

WAV2LIP_FILE = "wav2lip.onnx"
"""What is looked for in Wav2Lip's folder."""


class NeuralFaces(Generic[S]):
    """Shared by all sessions. ``batch``: most mouths drawn at once; ``drawing``: seconds that a mouth may take.

    ``width``, ``height``: of the pictures. An avatar's pictures are kept while a session shows them, and those of the
    latest one after that.
    """

    def __init__(
        self, engine: MouthEngine[S], width: int, height: int, *, batch: int = 16, drawing: float = 0.12
    ) -> None:
        self._engine = engine
        self._size = width, height
        self._drawing = drawing
        self.worker: MouthWorker[S] = MouthWorker(engine, batch=batch)
        self._lock = threading.Lock()
        self._faces: weakref.WeakValueDictionary[object, SpeakingFace[S]] = weakref.WeakValueDictionary()
        self._latest: SpeakingFace[S] | None = None

    def open(self, package: AvatarPackage, now: Callable[[], float], source: Path | None = None) -> AudioFace:
        """A session's face; ``now``: its media clock. ``source``: a photograph or video in place of the package's own.

        Blocks when the avatar's pictures must be made: a fraction of a second with Wav2Lip, several with MuseTalk. From
        any thread. Raises ``NeuralError``.
        """
        face = self._face(package, source)
        return AudioFace(NeuralRenderer(face, self._engine, self.worker, now, drawing=self._drawing))

    def close(self) -> None:
        """End the worker and free the network. Blocks until a batch that is being drawn is done. Idempotent."""
        self.worker.close()
        self._engine.close()
        self._latest = None

    def _face(self, package: AvatarPackage, source: Path | None) -> SpeakingFace[S]:
        key: object = id(package) if source is None else (source, _changed(source))
        # One at a time: two sessions that begin together want the same pictures, and there is one network.
        with self._lock:
            face = self._faces.get(key)
            if face is None:
                face = SpeakingFace(self._loop(package, source), self._engine)
                self._faces[key] = face
                if source is None:
                    # Its number may be another package's later.
                    weakref.finalize(package, self._faces.pop, key, None)
            self._latest = face
            return face

    def _loop(self, package: AvatarPackage, source: Path | None) -> FaceLoop:
        if source is None:
            return loop_of_package(package, *self._size)
        return loop_of_file(source, *self._size)


def open_faces(
    renderer: Literal["wav2lip", "musetalk"],
    folder: Path,
    width: int,
    height: int,
    *,
    device: str,
    cache: Path | None = None,
    batch: int = 16,
    drawing: float = 0.12,
) -> "NeuralFaces[Crops] | NeuralFaces[Latents]":
    """Load a network and start its worker. ``folder``: of its files. Blocks. Raises ``NeuralError``."""
    if renderer == "wav2lip":
        wav2lip = Wav2Lip(folder / WAV2LIP_FILE if folder.is_dir() else folder, device=device)
        return NeuralFaces(wav2lip, width, height, batch=batch, drawing=drawing)
    networks = TorchNetworks(folder, device=device)
    engine = MuseTalk(networks, cache=cache, weights=_told(folder / VAE))
    return NeuralFaces(engine, width, height, batch=batch, drawing=drawing)


def _told(folder: Path) -> str:
    """Names, sizes and times of the files in a folder: other files are other weights."""
    stats = {path.name: path.stat() for path in sorted(folder.iterdir())}
    return repr([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()])


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise NeuralError(f"{path}: it cannot be read: {error.strerror}") from error
