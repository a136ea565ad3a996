"""``visavis doctor`` on the parts of a conversation: they are tried for real, and a fault names its part."""

from pathlib import Path

import pytest

from visavis.avatar.catalogue import Catalogue
from visavis.cli import provider_checks
from visavis.cli.findings import Finding, Level
from visavis.config import Settings


def settings(**sections: object) -> Settings:
    return Settings.model_validate(sections)


async def gathered(findings) -> list[Finding]:
    return [finding async for finding in findings]


async def test_embedded_parts_speak_hear_and_think() -> None:
    found = await gathered(provider_checks.providers(settings()))
    subjects = [finding.subject for finding in found]
    assert subjects == ["speech", "hearing", *(f"thinking, {avatar.name}" for avatar in Catalogue().all())]
    assert {finding.level for finding in found} == {Level.OK}, found
    assert "who are you" in found[1].seen.lower()


async def test_a_part_that_cannot_start_is_named() -> None:
    found = await gathered(provider_checks.providers(settings(speech={"provider": "piper", "model": "nowhere.onnx"})))
    assert [finding.level for finding in found] == [Level.FAIL]
    assert found[0].seen.startswith("speech.provider piper cannot be used: ")


async def test_a_chat_service_that_is_not_there() -> None:
    chat = {"provider": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1", "api_key": "hunter2"}
    found = await gathered(provider_checks.providers(settings(chat=chat)))
    assert [finding.level for finding in found] == [Level.OK, Level.OK, Level.FAIL]
    assert found[2].subject.startswith("thinking")
    assert "hunter2" not in str(found)


async def test_avatars_load() -> None:
    found = await gathered(provider_checks.avatars(settings()))
    assert [finding.level for finding in found] == [Level.OK] * len(Catalogue().all())


@pytest.mark.parametrize(
    ("file", "seen"),
    [
        ('nam = "Bob"\n', "avatar.toml"),
        ('name = "Bob"\npackage = "nobody"\n', "bob: its face cannot be used"),
    ],
)
async def test_a_broken_avatar_is_named(tmp_path: Path, file: str, seen: str) -> None:
    (tmp_path / "bob").mkdir()
    (tmp_path / "bob" / "avatar.toml").write_text(file)
    found = await gathered(provider_checks.avatars(settings(avatars={"folder": tmp_path})))
    (problem,) = [finding for finding in found if finding.level is Level.FAIL]
    assert seen in problem.seen


async def test_folder_and_default_avatar_that_are_not_there(tmp_path: Path) -> None:
    avatars = {"folder": tmp_path / "none", "default": "Nobody"}
    found = await gathered(provider_checks.avatars(settings(avatars=avatars)))
    assert [finding.subject for finding in found if finding.level is Level.FAIL] == ["avatars", "default avatar"]


def test_models_that_are_not_here_are_only_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (finding,) = provider_checks.models()
    assert finding.level is Level.WARN
    assert "models pull smart-turn" in finding.advice
