"""The line about better parts: the nearest improvement, and nothing once there is none."""

from pathlib import Path

import pytest

from visavis.cli import hints
from visavis.config import Settings
from visavis.speech.models import EMBEDDED, ModelStore, model


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store that has what the embedded parts use."""
    store = ModelStore(tmp_path)
    for name in EMBEDDED:
        path = tmp_path / name / model(name).main
        path.parent.mkdir()
        path.touch()
    return store


def settings(**sections: object) -> Settings:
    return Settings.model_validate(sections)


def test_missing_models_come_first(tmp_path: Path) -> None:
    told = hints.better_part(settings(), ModelStore(tmp_path / "empty"))
    assert told is not None
    assert told.endswith("visavis models pull")


def test_then_hearing(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "find_spec", lambda name: None)
    assert "pip install faster-whisper" in (hints.better_part(settings(), store) or "")
    monkeypatch.setattr(hints, "find_spec", lambda name: object())
    told = hints.better_part(settings(), store) or ""
    assert "pip" not in told
    assert "--recognizer whisper" in told


def test_then_thinking_then_nothing(store: ModelStore) -> None:
    whisper = {"provider": "whisper"}
    assert "--chat openai" in (hints.better_part(settings(recognizer=whisper), store) or "")
    chat = {"provider": "openai", "model": "m"}
    assert hints.better_part(settings(recognizer=whisper, chat=chat), store) is None


def test_it_is_one_line(store: ModelStore) -> None:
    assert "\n" not in (hints.better_part(settings(), store) or "")
