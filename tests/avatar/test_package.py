import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from visavis.avatar.animation.tables import HOUSE
from visavis.avatar.catalogue import EMBEDDED
from visavis.avatar.emotion import Emotion
from visavis.avatar.files import MAX_FILE, PackageError, open_files, picture_size
from visavis.avatar.package import AvatarPackage, load_package, read_package, save_package
from visavis.blendshape import ARKIT_INDEX
from visavis.viseme import Viseme


def zipped(folder: Path, target: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, prefix + path.name)
    return target


def same(a: AvatarPackage, b: AvatarPackage) -> bool:
    assert a.eyes is not None
    assert b.eyes is not None
    assert a.interior is not None
    assert b.interior is not None
    return (
        a.manifest == b.manifest
        and np.array_equal(a.picture, b.picture)
        and all(np.array_equal(getattr(a.fields, n), getattr(b.fields, n)) for n in ("main", "upper", "lower", "gain"))
        and np.array_equal(a.eyes.gaze, b.eyes.gaze)
        and np.array_equal(a.interior.lower, b.interior.lower)
    )


def test_what_was_saved_is_loaded(small: AvatarPackage, small_folder: Path) -> None:
    assert same(load_package(small_folder), small)


@pytest.mark.parametrize("prefix", ["", "small/"])
def test_a_zip_is_loaded_like_a_folder(small: AvatarPackage, small_folder: Path, prefix: str) -> None:
    assert same(load_package(zipped(small_folder, small_folder.parent / "small.zip", prefix)), small)


def test_eyes_interior_and_shading_may_be_missing(small: AvatarPackage, tmp_path: Path) -> None:
    manifest = small.manifest.model_dump()
    manifest["eyes"] = manifest["shading"] = manifest["mouth"]["interior"] = None
    bare = AvatarPackage(type(small.manifest).model_validate(manifest), small.picture, small.fields)
    save_package(bare, tmp_path)
    loaded = load_package(tmp_path)
    assert loaded.eyes is None
    assert loaded.interior is None
    assert loaded.fields.gain is None


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda m: m.update(format=2), "format"),
        (lambda m: m.update(size="64"), "size"),
        (lambda m: m.pop("shapes"), "shapes"),
        (lambda m: m.update(surprise=1), "surprise"),
        (lambda m: m["shapes"].append("jawDance"), "shapes.4"),
        (lambda m: m["mouth"]["box"].update(right=9), "mouth.box"),
        (lambda m: m["mouth"]["box"].update(right=1000), ""),
        (lambda m: m["mouth"].update(slit=[[40, 40], [20, 40]]), "mouth"),
        (lambda m: m["mouth"]["window"].update(left=-2048.0), ""),
        (lambda m: m["mouth"]["window"].update(top=4096.0), ""),
        (lambda m: m["mouth"]["window"].update(left=-500.0, top=-500.0, step=64.0), ""),
        (lambda m: m["eyes"].update(blink=[0, float("nan"), 1]), "eyes.blink.1"),
        (lambda m: m["eyes"].update(gaze_y=[float("-inf"), 0, float("inf")]), "eyes.gaze_y.0"),
        (lambda m: m["head"].update(unit=1e-300), "head.unit"),
        (lambda m: m["eyes"].update(blink=[0, 0.9]), "eyes"),
        (lambda m: m["eyes"].update(box={"left": 0, "top": 0, "right": 2048, "bottom": 2048}), "eyes"),
        (lambda m: m["head"].update(unit=float("nan")), "head.unit"),
        (lambda m: m.update(size=10**9), "size"),
        (lambda m: m["mouth"]["window"].update(rows=10**6), "mouth.window.rows"),
        (lambda m: m["shading"].update(shapes=[["jawLeft"]]), ""),
    ],
)
def test_a_wrong_manifest_is_refused(small_folder: Path, change: Callable[[Any], object], field: str) -> None:
    edit(small_folder, change)
    with pytest.raises(PackageError) as caught:
        load_package(small_folder)
    assert caught.value.file == "manifest.json"
    assert caught.value.field == field
    assert "manifest.json" in str(caught.value)


def test_broken_json_is_refused(small_folder: Path) -> None:
    (small_folder / "manifest.json").write_text("{")
    with pytest.raises(PackageError, match=r"manifest\.json"):
        load_package(small_folder)


@pytest.mark.parametrize("name", ["manifest.json", "picture.webp", "eyes.webp", "interior.png", "fields.npz"])
def test_a_missing_file_is_named(small_folder: Path, name: str) -> None:
    (small_folder / name).unlink()
    with pytest.raises(PackageError, match=name.split(".")[0]):
        load_package(small_folder)


def test_a_picture_of_another_size_is_refused(small_folder: Path) -> None:
    cv2.imwrite(str(small_folder / "picture.webp"), np.zeros((32, 64, 3), np.uint8))
    with pytest.raises(PackageError, match=r"picture\.webp: size: is 64 × 32"):
        load_package(small_folder)


def test_a_huge_picture_is_refused_before_it_is_unpacked(small_folder: Path) -> None:
    data = bytearray(cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    (small_folder / "picture.webp").unlink()
    (small_folder / "picture.png").write_bytes(data)
    with pytest.raises(PackageError, match=r"picture\.png: size: is 60000 × 60000"):
        load_package(small_folder)


@pytest.mark.parametrize("data", [b"", b"GIF89a" + bytes(40), b"RIFF....WEBPVP8 "])
def test_what_is_no_picture_is_refused(small_folder: Path, data: bytes) -> None:
    (small_folder / "picture.webp").write_bytes(data)
    with pytest.raises(PackageError, match=r"picture\.webp: is neither"):
        load_package(small_folder)


def test_a_damaged_picture_is_refused(small_folder: Path) -> None:
    path = small_folder / "picture.webp"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(PackageError, match=r"picture\.webp: cannot be decoded"):
        load_package(small_folder)


@pytest.mark.parametrize("quality", [80, 101])
def test_picture_size_reads_what_opencv_writes(quality: int) -> None:
    for suffix, options in ((".png", []), (".webp", [cv2.IMWRITE_WEBP_QUALITY, quality])):
        for channels in (3, 4):
            data = cv2.imencode(suffix, np.full((18, 30, channels), 90, np.uint8), options)[1].tobytes()
            assert picture_size(data) == (30, 18)


def rewrite_fields(folder: Path, **changed: Any) -> None:
    with np.load(folder / "fields.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays.update(changed)
    np.savez_compressed(folder / "fields.npz", **{n: a for n, a in arrays.items() if a is not None})


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.zeros((4, 16, 16, 2), np.float32), "is float32"),
        (np.zeros((4, 15, 16, 2), np.float16), "the manifest asks"),
        (np.full((4, 16, 16, 2), np.nan, np.float16), "not finite"),
        (np.full((4, 16, 16, 2), 60_000, np.float16), "not finite or beyond"),
        (np.array([{"a": 1}], object), "is object"),
        (None, "is missing"),
    ],
)
def test_a_wrong_field_is_refused_and_named(small_folder: Path, array: Any, problem: str) -> None:
    rewrite_fields(small_folder, main=array)
    with pytest.raises(PackageError, match=problem) as caught:
        load_package(small_folder)
    assert (caught.value.file, caught.value.field) == ("fields.npz", "main")


def test_a_field_that_announces_more_than_it_holds_is_refused(small_folder: Path) -> None:
    path = small_folder / "fields.npz"
    with zipfile.ZipFile(path) as stored:
        members = {name: stored.read(name) for name in stored.namelist()}
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f2", "fortran_order": False, "shape": (4, 16, 16, 2)})
    members["main.npy"] = header.getvalue() + b"12"
    with zipfile.ZipFile(path, "w") as target:
        for name, data in members.items():
            target.writestr(name, data)
    with pytest.raises(PackageError, match=r"fields\.npz: main: is not a numpy array"):
        load_package(small_folder)


def test_fields_that_are_no_zip_are_refused(small_folder: Path) -> None:
    (small_folder / "fields.npz").write_bytes(b"\x93NUMPY no")
    with pytest.raises(PackageError, match=r"fields\.npz: is not a readable npz"):
        load_package(small_folder)


@pytest.mark.parametrize("name", ["../picture.webp", "/etc/passwd", "a/../../b", "c:\\x", "..\\b"])
def test_a_zip_that_leads_outside_is_refused(small_folder: Path, name: str) -> None:
    archive = zipped(small_folder, small_folder.parent / "evil.zip")
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(name, b"x")
    with pytest.raises(PackageError, match="leads outside"):
        load_package(archive)


def test_a_link_out_of_the_folder_is_refused(small_folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("{}")
    (small_folder / "manifest.json").unlink()
    (small_folder / "manifest.json").symlink_to(secret)
    with pytest.raises(PackageError, match="outside the package"):
        load_package(small_folder)


def test_a_zip_bomb_is_refused(small_folder: Path) -> None:
    archive = small_folder.parent / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("manifest.json", bytes(MAX_FILE + 1))
    with pytest.raises(PackageError, match="larger than"):
        load_package(archive)


def test_too_many_files_in_a_zip_are_refused(small_folder: Path) -> None:
    archive = zipped(small_folder, small_folder.parent / "many.zip")
    with zipfile.ZipFile(archive, "a") as opened:
        for index in range(100):
            opened.writestr(f"{index}", b"")
    with pytest.raises(PackageError, match="more than 64 files"):
        load_package(archive)


def test_a_large_file_in_a_folder_is_refused(small_folder: Path) -> None:
    with (small_folder / "manifest.json").open("r+b") as file:
        file.truncate(MAX_FILE + 1)
    with pytest.raises(PackageError, match=r"manifest\.json: is larger"):
        load_package(small_folder)


def test_what_is_neither_folder_nor_zip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="neither a folder nor a zip"):
        load_package(tmp_path / "nothing")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(PackageError, match="not a readable zip"):
        load_package(tmp_path / "text")


def test_the_embedded_package_is_small_and_says_where_it_comes_from(vera: AvatarPackage) -> None:
    face = EMBEDDED / "vera" / "face"
    assert sum(path.stat().st_size for path in face.iterdir()) < 6_000_000
    assert "CC0" in vera.manifest.notice
    assert "MakeHuman" in vera.manifest.notice
    assert len(vera.manifest.shapes) == 41


def overridden(**kinds: Any) -> Callable[[dict[str, Any]], object]:
    return lambda manifest: manifest.update(overrides=kinds)


def test_a_face_moves_by_its_own_weights(small: AvatarPackage, small_folder: Path) -> None:
    plain = load_package(small_folder).manifest.overrides
    assert (plain.visemes, plain.emotions, plain.states) == ({}, {}, {})
    edit(
        small_folder,
        overridden(
            visemes={"aa": {"jawOpen": 0.4}}, emotions={"stern": {"browDownLeft": 1.5}}, states={"idle": {"jawOpen": 0}}
        ),
    )
    overrides = load_package(small_folder).manifest.overrides
    tables = HOUSE.with_overrides(overrides)
    jaw = ARKIT_INDEX["jawOpen"]
    assert tables.visemes[Viseme.AA].weights[jaw] == pytest.approx(0.4)
    assert tables.visemes[Viseme.OH].weights[jaw] == HOUSE.visemes[Viseme.OH].weights[jaw]
    assert tables.emotions[Emotion.STERN].weights[ARKIT_INDEX["browDownLeft"]] == 1.5
    save_package(load_package(small_folder), small_folder / "again")
    assert load_package(small_folder / "again").manifest.overrides == overrides


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (overridden(visemes={"zz": {"jawOpen": 1}}), "overrides.visemes.zz"),
        (overridden(visemes={"aa": {"jaw": 1}}), "overrides.visemes.aa.jaw"),
        (overridden(visemes={"aa": {"jawOpen": 1.6}}), "overrides.visemes.aa.jawOpen"),
        (overridden(states={"idle": {"jawOpen": "1"}}), "overrides.states.idle.jawOpen"),
        (overridden(emotions={"neutral": {}}), "overrides.emotions"),
        (overridden(blinks={}), "overrides.blinks"),
        (lambda m: m.update(persona={"rate": 9}), "persona.rate"),
        (lambda m: m.update(persona={"language": "klingon!"}), "persona.language"),
        (lambda m: m.update(kind="photo"), "consent"),
        (lambda m: m.update(consent={"statement": " ", "given": "2026-01-02T03:04:05Z"}), "consent.statement"),
        (lambda m: m.update(consent={"statement": "Yes.", "given": "2026-01-02T03:04:05"}), "consent.given"),
    ],
)
def test_what_a_manifest_says_beside_the_picture_is_checked(
    small_folder: Path, change: Callable[[Any], object], field: str
) -> None:
    edit(small_folder, change)
    problems: list[PackageError] = []
    assert read_package(open_files(small_folder), problems) is None
    assert [(one.file, one.field) for one in problems if one.field == field] == [("manifest.json", field)]


def test_another_format_is_told_by_its_number_alone(small_folder: Path) -> None:
    edit(small_folder, lambda m: (m.update(format=2, novelty=True), m.pop("grid")))
    problems: list[PackageError] = []
    assert read_package(open_files(small_folder), problems) is None
    assert [str(one) for one in problems] == ["manifest.json: format: is 2; this version reads format 1"]


def test_matte_and_plate_are_kept(small: AvatarPackage, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    matte = random.integers(0, 256, (64, 64), dtype=np.uint8)
    plate = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    save_package(replace(small, matte=matte, plate=plate), tmp_path)
    loaded = load_package(tmp_path)
    assert loaded.matte is not None
    assert loaded.plate is not None
    assert np.array_equal(loaded.matte, matte)
    assert np.array_equal(loaded.plate, plate)
    cv2.imwrite(str(tmp_path / "matte.png"), plate)
    cv2.imwrite(str(tmp_path / "plate.webp"), plate[:32])
    problems: list[PackageError] = []
    assert read_package(open_files(tmp_path), problems) is None
    assert [(one.file, one.field) for one in problems] == [("matte.png", ""), ("plate.webp", "size")]
