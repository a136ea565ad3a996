"""Damaged avatars: each is refused by an error that names a file, or is good; nothing is left behind."""

import io
import json
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from visavis.avatar.bundle import RefusedBundle, import_bundle
from visavis.avatar.face import FaceFrame
from visavis.avatar.files import PackageError
from visavis.avatar.manifest import Consent, DefaultPersona, Manifest, Overrides
from visavis.avatar.package import AvatarPackage, load_package, save_package
from visavis.avatar.puppet.renderer import PuppetRenderer
from visavis.avatar.view import View
from visavis.blendshape import ARKIT
from visavis.viseme import Viseme

FEW = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
DAMAGE = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def files(small: AvatarPackage, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    size = small.manifest.size
    manifest = Manifest.model_validate(
        small.manifest.model_dump()
        | {
            "kind": "photo",
            "consent": Consent(statement="Yes.", given=datetime(2026, 1, 2, tzinfo=UTC)),
            "overrides": Overrides(visemes={Viseme.AA: {"jawOpen": 0.4}}),
            "persona": DefaultPersona(greeting="Hello!"),
        }
    )
    matte, plate = np.full((size, size), 200, np.uint8), np.full((size, size, 3), 90, np.uint8)
    save_package(replace(small, manifest=manifest, matte=matte, plate=plate), folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def packed(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"small/{name}", data)
    return stream.getvalue()


def damaged(data: bytes, damage: list[tuple[float, int]], cut: float = 1.0) -> bytes:
    out = bytearray(data)
    for at, value in damage:
        out[int(at * (len(out) - 1))] = value
    return bytes(out[: max(1, int(len(out) * cut))])


def painted(package: AvatarPackage) -> None:
    """What comes in can be painted, whatever it looks like."""
    renderer = PuppetRenderer(package, View(96, 64))
    frame = np.empty((renderer.height * 3 // 2, renderer.width), np.uint8)
    talking = np.full(len(ARKIT), 0.4, np.float32)
    for face in (FaceFrame(), FaceFrame(talking, yaw=0.1, pitch=0.1, roll=0.1, gaze_x=0.3, gaze_y=-0.3, blink=0.4)):
        renderer.paint(face, frame)


def tried(write: Callable[[Path], Path]) -> None:
    """Import what ``write`` wrote. It comes in whole, or is refused and leaves nothing."""
    root = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        source = write(root)
        ours = root / "ours"
        ours.mkdir()
        bundle, problems = None, ()
        try:
            bundle = import_bundle(source, ours)
        except RefusedBundle as error:
            problems = error.problems
        left = [path.name for path in ours.iterdir()]
        if bundle is None:
            assert problems
            assert all(isinstance(problem, PackageError) and problem.file for problem in problems)
            assert left == []
        else:
            assert left == [bundle.id]
            painted(load_package(ours / bundle.id / "face"))
        assert sorted(path.name for path in root.iterdir()) == sorted({"ours", source.name})
    finally:
        shutil.rmtree(root)


def as_zip(data: bytes) -> Callable[[Path], Path]:
    def write(root: Path) -> Path:
        (root / "a.zip").write_bytes(data)
        return root / "a.zip"

    return write


def as_folder(files: dict[str, bytes]) -> Callable[[Path], Path]:
    def write(root: Path) -> Path:
        (root / "a").mkdir()
        for name, data in files.items():
            (root / "a" / name).write_bytes(data)
        return root / "a"

    return write


def test_what_is_whole_comes_in(files: dict[str, bytes]) -> None:
    for write in (as_zip(packed(files)), as_folder(files)):
        tried(write)


@FEW
@given(damage=DAMAGE, cut=st.floats(0.3, 1) | st.just(1.0))
def test_damaged_zips(files: dict[str, bytes], damage: list[tuple[float, int]], cut: float) -> None:
    tried(as_zip(damaged(packed(files), damage, cut)))


@FEW
@given(damage=DAMAGE)
def test_zips_with_a_damaged_directory(files: dict[str, bytes], damage: list[tuple[float, int]]) -> None:
    whole = packed(files)
    begin = whole.index(b"PK\x01\x02")
    tried(as_zip(whole[:begin] + damaged(whole[begin:], damage)))


@FEW
@given(
    data=st.data(),
    name=st.sampled_from(["manifest.json", "picture.webp", "eyes.webp", "interior.png", "matte.png", "plate.webp"]),
)
def test_damaged_files(files: dict[str, bytes], data: st.DataObject, name: str) -> None:
    damage, cut = data.draw(DAMAGE), data.draw(st.floats(0.1, 1) | st.just(1.0))
    # Damage at the front meets what is parsed, not only the pixels.
    front = [(at / 40, value) for at, value in damage] if data.draw(st.booleans()) else damage
    tried(as_folder({**files, name: damaged(files[name], front, cut)}))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path, *(one for key, part in inner for one in places(part, (*path, key)))]


@FEW
@given(data=st.data(), value=JSON)
def test_manifests_with_other_values(files: dict[str, bytes], data: st.DataObject, value: Any) -> None:
    manifest: Any = json.loads(files["manifest.json"])
    *path, last = data.draw(st.sampled_from(places(manifest)[1:]))
    part = manifest
    for key in path:
        part = part[key]
    part[last] = value
    tried(as_folder({**files, "manifest.json": json.dumps(manifest).encode()}))


@FEW
@given(
    name=st.sampled_from(["main", "upper", "lower", "depth", "head", "breath", "gain"]),
    damage=DAMAGE,
    cut=st.floats(0, 1) | st.just(1.0),
    header=st.none() | st.binary(max_size=200) | st.text("-(['{1,f2 '}])", max_size=200).map(str.encode),
)
def test_damaged_arrays(
    files: dict[str, bytes], name: str, damage: list[tuple[float, int]], cut: float, header: bytes | None
) -> None:
    with zipfile.ZipFile(io.BytesIO(files["fields.npz"])) as stored:
        arrays = {entry: stored.read(entry) for entry in stored.namelist()}
    array = damaged(arrays[f"{name}.npy"], damage, cut)
    if header is not None:
        array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + array[128:]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for entry, content in {**arrays, f"{name}.npy": array}.items():
            archive.writestr(entry, content)
    tried(as_folder({**files, "fields.npz": stream.getvalue()}))


@FEW
@given(
    toml=st.binary(max_size=60)
    | st.text(max_size=60).map(lambda text: f"name = {json.dumps(text)}\n".encode())
    | st.integers(1, 5000).map(lambda depth: b"name = " + b"[" * depth)
)
def test_damaged_personas(files: dict[str, bytes], toml: bytes) -> None:
    def write(root: Path) -> Path:
        folder = root / "a"
        as_folder(files)(folder.parent)
        (folder / "avatar.toml").write_bytes(toml)
        face = folder / "face"
        face.mkdir()
        for name in files:
            (folder / name).rename(face / name)
        return folder

    tried(write)


def huge_png(side: int) -> bytes:
    """A sound PNG of side × side grey pixels, which are all 0."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, rows = zlib.compressobj(9), bytes(side + 1)
    data = b"".join([*(packer.compress(rows) for _ in range(side)), packer.flush()])
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def greedy_arrays(files: dict[str, bytes]) -> bytes:
    """Fields whose first array unpacks to more than a file may hold."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("main.npy", bytes(200_000_000))
    return stream.getvalue()


LIMITED = """
import resource, sys, time
from pathlib import Path
from visavis.avatar.bundle import check_bundle
import cv2, numpy
limit = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + 400_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
problems = check_bundle(Path(sys.argv[1])).problems
assert problems
print(*problems, sep="\\n")
"""


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("matte.png", lambda _: huge_png(20_000), "matte.png: size: is 20000"),
        ("picture.png", lambda _: huge_png(20_000), "picture.png: size: is 20000"),
        ("fields.npz", greedy_arrays, "fields.npz: main: is larger than"),
        ("manifest.json", lambda _: b"[" * 900_000, "manifest.json: "),
        (
            "manifest.json",
            lambda _: b'{"shapes": [' + b'"x",' * 200_000 + b'"x"]}',
            "manifest.json: holds more than 20000 values",
        ),
    ],
)
def test_what_wants_all_memory_is_refused_within_400_mb(
    files: dict[str, bytes], tmp_path: Path, name: str, make: Callable[[dict[str, bytes]], bytes], message: str
) -> None:
    folder = as_folder({**{n: d for n, d in files.items() if Path(n).stem != Path(name).stem}, name: make(files)})(
        tmp_path
    )
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(folder)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert message in done.stdout
